"""`rollcall certs`: what it makes, says and changes, and when it does not."""

import shutil
from datetime import timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from engine.cli import app
from engine.errors import SettingsInvalid
from engine.processes import Status, Supervisor
from engine.settings import Settings, load
from engine.tls import authority
from tests.test_certificates import made_in_the_past


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where `rollcall` finds its installation."""
    monkeypatch.setenv("ROLLCALL_HOME", str(tmp_path))
    return tmp_path


def certs(*options: str, code: int = 0) -> str:
    """What the command shows."""
    done = CliRunner().invoke(app, ["certs", *options])
    assert done.exit_code == code, (done.output, done.exception)
    return done.output


def test_the_command_makes_them_and_says_when_each_ends(home: Path) -> None:
    said = certs()
    assert all(f"ok   {name}" in said for name in (authority.AUTHORITY, *authority.NAMES))
    assert "TLS is off" in said
    assert not load().tls.on


def test_the_command_turns_it_on_and_off(home: Path) -> None:
    (home / "settings.toml").write_text("# mine\n[view]\nport = 8060\n")
    assert "TLS is on" in certs("--on")
    assert load().tls.on
    assert (home / "settings.toml").read_text().startswith("# mine\n[view]\nport = 8060\n")
    assert "TLS is on" in certs("--on"), "again"
    assert "TLS is off" in certs("--off")
    assert not load().tls.on


def test_it_is_not_changed_while_something_runs(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    running = {"kafka": Status("kafka", "running", 1), "view": Status("view", "stopped")}
    monkeypatch.setattr(Supervisor, "status", lambda _: running)
    done = CliRunner().invoke(app, ["certs", "--on"])
    assert isinstance(done.exception, SettingsInvalid)
    assert "kafka run: first `rollcall down`" in str(done.exception)
    assert not authority.folder(load()).exists()
    monkeypatch.setenv("ROLLCALL_TLS__ON", "true")
    assert "kafka still shows the one before" in certs()
    assert "still" not in certs(), "nothing was made"


def test_an_end_that_nobody_here_can_put_off_is_exit_1(home: Path) -> None:
    certs()
    settings = load()
    other = Settings(home=home / "other")
    authority.ensure(other)
    made_in_the_past(other, "view", timedelta(days=10, hours=1))
    shutil.copy(authority.pem_file(other, "view"), authority.pem_file(settings, "view"))
    with authority.trusted_file(settings).open("ab") as file:
        file.write(authority.trusted_file(other).read_bytes())
    said = certs(code=1)
    assert "NOT  view" in said
    assert "of somebody else, who renews it" in said
