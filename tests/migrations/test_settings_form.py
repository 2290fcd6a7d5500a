"""settings.toml of an older Rollcall is migrated or refused with the command to run, and keeps the comments of its owner."""

import tomllib
from pathlib import Path

import pytest
import typer

from engine.cli import migrate as command
from engine.errors import SettingsInvalid
from engine.migrations import settings_form
from engine.migrations.settings_form import SettingsOlder, migrated
from engine.settings import load

OLD = """# ports of the second installation
[kafka]
host = "127.0.0.1"    # as delivered
port = 21000

[cassandra]
host = "localhost"

[mongo]
port = 21017

[console]
host = "10.0.0.5"    # this one is still a setting
"""


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A settings.toml as of 24 November 2026, of which the first servers took their addresses."""
    monkeypatch.setenv("ROLLCALL_HOME", str(tmp_path))
    (tmp_path / "settings.toml").write_text(OLD)
    return tmp_path / "settings.toml"


def test_what_is_older_is_refused_with_the_command_to_run(file: Path) -> None:
    with pytest.raises(SettingsOlder, match=r"kafka\.host, cassandra\.host.*`rollcall migrate --dry-run`.*`rollcall migrate`"):
        load()


def test_it_is_migrated_and_comments_stay(file: Path) -> None:
    text, said = migrated(OLD, file)
    assert [change.partition(":")[0] for change in said] == ["kafka.host, cassandra.host"]
    assert tomllib.loads(text) == {"version": 2, "kafka": {"port": 21000}, "cassandra": {}, "mongo": {"port": 21017},
                                   "console": {"host": "10.0.0.5"}}
    assert "# ports of the second installation" in text
    assert "# this one is still a setting" in text
    file.write_text(text)
    settings = load()
    assert (settings.kafka.port, settings.mongo.port, settings.console.host) == (21000, 21017, "10.0.0.5")
    assert migrated(text, file) == (text, []), "once more changes nothing"


def test_a_version_that_stands_there_is_raised(file: Path) -> None:
    text, _ = migrated(f"version = 1\n{OLD}", file)
    assert text.count("version") == 1
    assert tomllib.loads(text)["version"] == 2


def test_another_machine_is_for_its_owner_to_say(file: Path) -> None:
    file.write_text(OLD.replace("localhost", "10.0.0.9"))
    before = file.read_bytes()
    with pytest.raises(SettingsInvalid, match=r"cassandra\.host of settings\.toml is '10\.0\.0\.9'.*Take the line away"):
        command._of_now(dry_run=False)
    assert file.read_bytes() == before


def test_the_command_keeps_the_file_as_it_was_beside(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit) as ended:
        command._of_now(dry_run=True)
    assert ended.value.exit_code == 1
    assert file.read_text() == OLD
    assert "Nothing was changed" in capsys.readouterr().out
    assert command._of_now(dry_run=False).kafka.port == 21000
    assert file.with_name("settings.toml.before").read_text() == OLD
    assert "settings.toml: kafka.host" in capsys.readouterr().out
    assert command._of_now(dry_run=True).kafka.port == 21000


@pytest.mark.parametrize(("version", "said"), [
    ("3", r"of version 3, and this Rollcall knows 2 at most.*Take that one again"), ('"two"', "versions are whole numbers"),
    ("0", "versions are whole numbers"), ("true", "versions are whole numbers")])
def test_what_is_newer_or_no_version_is_refused(file: Path, version: str, said: str) -> None:
    file.write_text(f"version = {version}\n[kafka]\nport = 21000\n")
    before = file.read_bytes()
    with pytest.raises(SettingsInvalid, match=said) as refused:
        load()
    assert not isinstance(refused.value, SettingsOlder)
    with pytest.raises(SettingsInvalid, match=said):
        settings_form.migrated(file.read_text(), file)
    assert file.read_bytes() == before


def test_a_file_that_says_no_version_is_read_by_what_stands_there(file: Path) -> None:
    file.write_text("[kafka]\nport = 21000\n")
    assert load().kafka.port == 21000
