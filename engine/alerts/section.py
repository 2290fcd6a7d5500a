"""The settings of alerts, and how what they say begins in the keeper's log."""

from typing import Self
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from engine.addresses import OF_THIS_MACHINE
from engine.section import Section

SAYS = "alerts: "


def _address(text: str, what: str) -> str:
    """An http or https address without name and password. The text is not quoted: it may hold a secret."""
    try:
        parts = urlsplit(text)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        good = False
    if not good or not text.isprintable() or " " in text:
        raise ValueError(f"{what} must be an address as https://example.org/rollcall")
    if parts.username is not None or parts.password is not None:
        raise ValueError(f"{what} must hold no name and password: its token is the file webhook.token of the secrets folder")
    return text


class Alerts(Section):
    """Who is told when people are not stored: a webhook, a mail server, both, or nobody."""

    webhook: str = Field("", description="http or https address that is told by JSON; empty: none. Its token, if it wants one, "
                                         "is the file `webhook.token` of the secrets folder.")
    mail_host: str = Field("", description="Mail server that is told; empty: none.")
    mail_port: int = Field(587, description="Port of the mail server.")
    mail_starttls: bool = Field(True, description="Whether the connection must become an encrypted one (STARTTLS).")
    mail_user: str = Field("", description="Name to sign in with; empty: none. Its password is the file `mail.password` of the "
                                           "secrets folder.")
    mail_from: str = Field("", description="Address that messages come from.")
    mail_to: list[str] = Field([], description="Addresses that messages go to.")
    every_s: float = Field(15.0, description="Seconds between two looks at the figures.", ge=1, le=60)
    remind_hours: float = Field(4.0, description="Hours after which an alert that is still on is told again.", gt=0)
    wait_first_s: float = Field(30.0, description="First pause after a receiver did not take a message; it doubles.", gt=0)
    wait_most_s: float = Field(900.0, description="Longest such pause.", gt=0)
    pages: str = Field("", description="Address at which this repository is read; it is put before the path of what to do.")
    stream_figures: str = Field("", description="Address of the stream's figures; empty: its port on this machine.")
    producer_figures: str = Field("", description="The same of the producer.")

    @field_validator("webhook", "pages", "stream_figures", "producer_figures")
    @classmethod
    def _addresses(cls, text: str) -> str:
        """None, or one that can be asked."""
        return text and _address(text, "it")

    @model_validator(mode="after")
    def _mail_is_whole(self) -> Self:
        """A mail server alone is told nothing; a password does not go through the net in clear."""
        if not self.mail_host:
            return self
        if not self.mail_from or not self.mail_to:
            raise ValueError("mail_host needs mail_from and mail_to")
        for address in (self.mail_from, *self.mail_to):
            name, _, domain = address.rpartition("@")
            if not name or not domain or not address.isprintable() or set(address) & set(" ,;<>\""):
                raise ValueError("mail_from and mail_to must be addresses as watch@example.org, without names")
        if self.mail_user and not self.mail_starttls and self.mail_host not in OF_THIS_MACHINE:
            raise ValueError("mail_user needs mail_starttls: else its password would go through the net in clear")
        return self

    def page(self, path: str) -> str:
        """Where a page of this repository is read: its address, or its path where none is set."""
        return f"{self.pages.rstrip('/')}/{path}" if self.pages else path

    @property
    def wanted(self) -> bool:
        """Whether anybody is to be told."""
        return bool(self.webhook or self.mail_host)
