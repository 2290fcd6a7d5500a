"""Who is told: a webhook, by a POST of JSON; a mail server, by a message to some addresses.

Each tells one message at a time, waits ten seconds at most for each answer, and says what came of it by raising ReceiverAway.
No error names more of an address than its host: a path may be a secret, and an address of the post is somebody's.
"""

import smtplib
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime, make_msgid
from typing import Protocol
from urllib.parse import urlsplit

import httpx
from pydantic import SecretStr

from engine import secrets
from engine.alerts.messages import Message
from engine.errors import ReceiverAway, SettingsInvalid
from engine.settings import Settings

ANSWERS_WITHIN_S = 10.0


class Receiver(Protocol):
    """Whoever is told. name: how the file that keeps who was told calls it; where: how people are told of it."""

    name: str
    where: str

    def tell(self, message: Message) -> str:
        """Tells it; returns what is worth knowing of how it went, else nothing. Raises ReceiverAway, SettingsInvalid."""


class Webhook:
    """A POST of JSON; with `webhook.token` of the secrets folder, if it is there, as Bearer."""

    name = "webhook"

    def __init__(self, settings: Settings) -> None:
        self._settings, parts = settings, urlsplit(settings.alerts.webhook)
        self.where = f"the webhook at {parts.scheme}://{parts.hostname}{f':{parts.port}' if parts.port else ''}"

    def tell(self, message: Message) -> str:
        """As above; only an answer of 200 to 299 counts, and where another address is named it is not gone to."""
        token = secrets.given(self._settings, "webhook.token")
        headers = {"Authorization": f"Bearer {token.get_secret_value()}"} if token else {}
        try:
            # the body of the answer is left alone: somebody who is slow or talks much keeps nobody waiting
            with httpx.stream("POST", self._settings.alerts.webhook, json=message.as_json(), headers=headers,
                              timeout=ANSWERS_WITHIN_S) as answer:
                if answer.is_success:
                    return ""
        except (httpx.HTTPError, httpx.InvalidURL, UnicodeEncodeError) as error:
            raise ReceiverAway(f"{self.where} cannot be told ({type(error).__name__}).") from None
        token_too = " and that webhook.token of the secrets folder is the right one" if answer.status_code in (401, 403) else ""
        raise ReceiverAway(f"{self.where} answers {answer.status_code}. Look that ROLLCALL_ALERTS__WEBHOOK is its "
                           f"address{token_too}.")


class Mail:
    """A message by SMTP, encrypted unless that is switched off, signed in if there is a name to do so."""

    name = "mail"

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.where = f"the mail server at {settings.alerts.mail_host}:{settings.alerts.mail_port}"

    def tell(self, message: Message) -> str:
        """As above; it counts when the server has taken it for at least one address."""
        alerts, password = self._settings.alerts, self._password()
        try:
            # its own name is nobody's business, and asking for it may take long
            with _parting(smtplib.SMTP(alerts.mail_host, alerts.mail_port, "localhost", ANSWERS_WITHIN_S)) as server:
                if alerts.mail_starttls:
                    server.starttls(context=ssl.create_default_context())
                if password is not None:
                    server.login(alerts.mail_user, password.get_secret_value())
                refused = server.send_message(self._written(message), alerts.mail_from, alerts.mail_to)
        except smtplib.SMTPResponseException as error:
            raise ReceiverAway(f"{self.where} answers {error.smtp_code} ({type(error).__name__}).") from None
        except smtplib.SMTPRecipientsRefused as error:
            codes = ", ".join(sorted({str(code) for code, _ in error.recipients.values()}))
            raise ReceiverAway(f"{self.where} refuses every address of ROLLCALL_ALERTS__MAIL_TO ({codes}).") from None
        except ssl.SSLError as error:
            raise ReceiverAway(f"{self.where} cannot be trusted ({error.reason or type(error).__name__}).") from None
        except (smtplib.SMTPException, OSError, UnicodeError) as error:
            raise ReceiverAway(f"{self.where} cannot be told ({type(error).__name__}).") from None
        return f"{self.where} refuses {len(refused)} of {len(alerts.mail_to)} addresses" if refused else ""

    def _written(self, message: Message) -> EmailMessage:
        alerts, mail = self._settings.alerts, EmailMessage()
        mail["From"], mail["To"], mail["Subject"] = alerts.mail_from, ", ".join(alerts.mail_to), message.subject
        mail["Date"], mail["Message-ID"] = format_datetime(datetime.now(UTC)), make_msgid(domain="rollcall.invalid")
        mail["Auto-Submitted"] = "auto-generated"    # nobody's holiday answers it (RFC 3834)
        mail.set_content(message.text)
        return mail

    def _password(self) -> SecretStr | None:
        if not self._settings.alerts.mail_user:
            return None
        if (password := secrets.given(self._settings, "mail.password")) is None:
            raise SettingsInvalid("ROLLCALL_ALERTS__MAIL_USER is set, and its password is not known: write it, one line, into "
                                  f"{self._settings.secrets / 'mail.password'} (0600).")
        return password


@contextmanager
def _parting(server: smtplib.SMTP) -> Iterator[smtplib.SMTP]:
    """Says good-bye, whatever is answered: with smtplib's own, a message that was taken would be sent again for that."""
    try:
        yield server
    finally:
        with suppress(smtplib.SMTPException, OSError):
            server.quit()
        server.close()


def receivers(settings: Settings) -> list[Receiver]:
    """Those that are set; none where nobody is to be told."""
    return [*([Webhook(settings)] if settings.alerts.webhook else []), *([Mail(settings)] if settings.alerts.mail_host else [])]
