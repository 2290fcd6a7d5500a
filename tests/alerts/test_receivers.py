"""A webhook and a mail server are told, or it is said why not, with no secret and nobody's address in what is said."""

import email
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from email import policy
from pathlib import Path
from typing import Any

import pytest
import typer

from bench.installation import free_ports
from engine.alerts.messages import Message
from engine.alerts.receivers import receivers
from engine.cli import alerts as command
from engine.errors import ReceiverAway, RollcallError, SettingsInvalid
from engine.settings import Settings, load
from tests.alerts.servers import HOST, Hook, Post, certificate, serving

MESSAGE = Message("begins", "RollcallStreamWaits", "page", "The stream waits for Kafka", datetime(2026, 11, 29, 1, tzinfo=UTC),
                  "docs/operating.md#rollcallstreamwaits", "http://127.0.0.1:8501", labels={"system": "Kafka"})
ADA, BOB = "ada@example.org", "bob@example.org"


@pytest.fixture
def post() -> Iterator[Post]:
    with serving(Post()) as server:
        yield server


def tell(home: Path, **given: Any) -> str:
    """Tells the one receiver of these settings."""
    (receiver,) = receivers(Settings.model_validate({"home": home, "alerts": given}))
    return receiver.tell(MESSAGE)


def mail(post: Post, **given: Any) -> dict[str, Any]:
    return {"mail_host": HOST, "mail_port": post.port, "mail_from": ADA, "mail_to": [BOB],
            "mail_starttls": post.tls is not None, **given}


def away(home: Path, **given: Any) -> str:
    """What is said when it cannot be told."""
    with pytest.raises(ReceiverAway) as error:
        tell(home, **given)
    assert not any(secret in str(error.value) for secret in ("canary", "ada", "bob"))
    return str(error.value)


# --- the webhook

def test_a_webhook_is_told_by_json_with_its_token(home: Path, hook: Hook) -> None:
    assert tell(home, webhook=hook.address) == ""
    assert hook.told == [MESSAGE.as_json()]
    assert "Authorization" not in hook.headers
    (home / "secrets/webhook.token").write_text("canary-token\n")
    tell(home, webhook=hook.address)
    assert hook.headers["Authorization"] == "Bearer canary-token"
    assert hook.headers["Content-Type"] == "application/json"


@pytest.mark.parametrize("status", [302, 400, 401, 404, 429, 500, 503])
def test_any_other_answer_is_a_failure(home: Path, hook: Hook, status: int) -> None:
    hook.answers = [status]
    (home / "secrets/webhook.token").write_text("canary-token")
    said = away(home, webhook=hook.address)
    assert f"the webhook at http://{HOST}:{hook.server_address[1]} answers {status}." in said
    assert ("webhook.token" in said) == (status == 401)
    assert hook.told == [], "and where else it leads is not gone to"


def test_nobody_there_is_a_failure(home: Path) -> None:
    assert "cannot be told (ConnectError)" in away(home, webhook=f"http://{HOST}:{free_ports(1)[0]}/canary")


@pytest.mark.parametrize("content", [b"", b"one\ntwo", b"\xff"])
def test_a_damaged_token_is_said(home: Path, hook: Hook, content: bytes) -> None:
    (home / "secrets/webhook.token").write_bytes(content)
    with pytest.raises(SettingsInvalid, match=r"webhook\.token must hold one line"):
        tell(home, webhook=hook.address)
    assert hook.told == []


# --- the mail server

def test_a_message_comes_by_mail(home: Path, post: Post) -> None:
    assert tell(home, **mail(post)) == ""
    told = email.message_from_string(post.told[0], policy=policy.default)
    assert (told["From"], told["To"], told["Subject"]) == (ADA, BOB, MESSAGE.subject)
    assert told["Auto-Submitted"] == "auto-generated"
    assert told["Message-ID"].endswith("@rollcall.invalid>")
    assert told.get_content().strip() == MESSAGE.text
    assert post.signed_in == []


def test_a_password_goes_over_an_encrypted_connection_to_who_can_be_trusted(
        home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file, context = certificate(tmp_path)
    (home / "secrets/mail.password").write_text("canary-word\n")
    with serving(Post(context)) as post:
        post.password_is = "canary-word"
        given = mail(post, mail_user="watch")
        assert "cannot be trusted" in away(home, **given)
        assert post.signed_in == []
        monkeypatch.setenv("SSL_CERT_FILE", str(file))
        assert tell(home, **given) == ""
        assert post.signed_in == [("\0watch\0canary-word", True)]
        post.password_is = "another"
        assert "answers 535 (SMTPAuthenticationError)" in away(home, **given)
    assert len(post.told) == 1


def test_a_server_without_encryption_is_sent_nothing(home: Path, post: Post) -> None:
    (home / "secrets/mail.password").write_text("canary-word")
    assert "cannot be told (SMTPNotSupportedError)" in away(home, **mail(post, mail_starttls=True, mail_user="watch"))
    assert (post.signed_in, post.told) == ([], [])


def test_a_password_that_is_not_there_is_asked_for(home: Path, post: Post) -> None:
    with pytest.raises(SettingsInvalid, match=r"secrets/mail\.password"):
        tell(home, **mail(post, mail_user="watch"))


def test_addresses_that_are_refused_are_counted_and_not_named(home: Path, post: Post) -> None:
    post.refuses = {"bob"}
    assert "refuses every address of ROLLCALL_ALERTS__MAIL_TO (550)" in away(home, **mail(post))
    said = tell(home, **mail(post, mail_to=[BOB, "carol@example.org"]))
    assert said == f"the mail server at {HOST}:{post.port} refuses 1 of 2 addresses"
    assert len(post.told) == 1


def test_a_server_that_takes_no_mail_just_now_is_a_failure(home: Path, post: Post) -> None:
    post.answers_data = ["451 later, ada"]
    assert "answers 451 (SMTPDataError)" in away(home, **mail(post))
    assert "cannot be told (ConnectionRefusedError)" in away(home, **mail(post, mail_port=free_ports(1)[0]))


def test_a_message_that_was_taken_is_not_sent_again_for_a_rude_parting(home: Path, post: Post) -> None:
    post.parting = "421 too many of you"
    assert tell(home, **mail(post)) == ""
    assert len(post.told) == 1


def test_what_encrypts_may_be_asked_of_this_machine_alone_not_to() -> None:
    whole = {"mail_from": ADA, "mail_to": [BOB], "mail_user": "watch", "mail_starttls": False}
    Settings.model_validate({"alerts": {"mail_host": HOST, **whole}})
    with pytest.raises(ValueError, match="needs mail_starttls"):
        Settings.model_validate({"alerts": {"mail_host": "mail.example.org", **whole}})


# --- settings

@pytest.mark.parametrize(("given", "says"), [
    ({"WEBHOOK": "ftp://host/canary"}, "must be an address as https://example.org/rollcall"),
    ({"WEBHOOK": "canary"}, "must be an address"),
    ({"WEBHOOK": "https:///canary"}, "must be an address"),
    ({"WEBHOOK": "https://host:99999/canary"}, "must be an address"),
    ({"WEBHOOK": "https://host/canary\nx"}, "must be an address"),
    ({"WEBHOOK": "https://name:canary@host/"}, "must hold no name and password"),
    ({"MAIL_HOST": "host"}, "mail_host needs mail_from and mail_to"),
    ({"MAIL_HOST": "host", "MAIL_FROM": "a@b.org", "MAIL_TO": '["canary"]'}, "must be addresses as watch@example.org"),
    ({"MAIL_HOST": "host", "MAIL_FROM": "canary <a@b.org>", "MAIL_TO": '["a@b.org"]'}, "must be addresses"),
    ({"MAIL_HOST": "host", "MAIL_FROM": "a@b.org\nBcc:canary@b.org", "MAIL_TO": '["a@b.org"]'}, "must be addresses"),
    ({"MAIL_PORT": "0"}, "must be a port"),
    ({"EVERY_S": "0"}, "greater than or equal to 1"),
    ({"REMIND_HOURS": "0"}, "greater than 0")])
def test_wrong_settings_are_refused_and_what_stands_there_is_not_said(
        home: Path, monkeypatch: pytest.MonkeyPatch, given: dict[str, str], says: str) -> None:
    for name, value in given.items():
        monkeypatch.setenv(f"ROLLCALL_ALERTS__{name}", value)
    with pytest.raises(SettingsInvalid) as refused:
        load()
    assert says in str(refused.value)
    assert "ROLLCALL_ALERTS" in str(refused.value)
    assert "canary" not in str(refused.value)


# --- the commands

def test_a_trial_says_what_came_of_it_for_each(
        monkeypatch: pytest.MonkeyPatch, shown: list[str], hook: Hook, post: Post) -> None:
    given = {"webhook": hook.address, **mail(post), "mail_to": json.dumps([BOB]), "pages": "https://example.org/rollcall"}
    for name, value in given.items():
        monkeypatch.setenv(f"ROLLCALL_ALERTS__{name.upper()}", str(value))
    command.trial()
    assert [line.partition(" has taken ")[0] for line in shown] == [
        f"the webhook at http://{HOST}:{hook.server_address[1]}", f"the mail server at {HOST}:{post.port}"]
    assert (hook.told[0]["event"], hook.told[0]["runbook"]) == (
        "trial", "https://example.org/rollcall/docs/operating.md#alerts")
    assert len(post.told) == 1
    hook.answers = [500]
    shown.clear()
    with pytest.raises(typer.Exit) as ended:
        command.trial()
    assert ended.value.exit_code == 1
    assert "answers 500" in shown[0]
    assert "has taken" in shown[1], "the other is told all the same"


def test_where_nobody_is_to_be_told_the_commands_say_what_to_set(home: Path, shown: list[str]) -> None:
    for one in (command.trial, command.list_on):
        with pytest.raises(RollcallError, match="ROLLCALL_ALERTS__WEBHOOK"):
            one()
