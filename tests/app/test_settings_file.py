"""Changes of settings.toml by several at once, and by one who has not seen what another changed."""

import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from engine import settings_file
from engine.errors import SettingsInvalid
from engine.settings import Settings, load
from engine.settings_file import ChangedMeanwhile, change


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An installation's folder whose settings only the file says."""
    monkeypatch.delenv("ROLLCALL_PRODUCER__RATE", raising=False)
    monkeypatch.setenv("ROLLCALL_HOME", str(tmp_path))
    return tmp_path


def test_what_was_seen_otherwise_is_not_changed(home: Path) -> None:
    seen = {"source": load().producer.source, "rate": load().producer.rate}
    change(load(), "producer", {"rate": 7.0}, seen)
    before = (home / "settings.toml").read_bytes()
    with pytest.raises(ChangedMeanwhile, match=r"it stands: producer\.rate is 7\.0 now"):
        change(load(), "producer", {"source": "synthetic"}, seen)
    assert (home / "settings.toml").read_bytes() == before
    change(load(), "producer", {"source": "synthetic"}, {**seen, "rate": 7.0})
    assert (load().producer.source, load().producer.rate) == ("synthetic", 7.0)


def test_settings_that_were_loaded_before_are_no_reason_to_pass_over_a_change(home: Path) -> None:
    loaded = load()
    seen = {"rate": loaded.producer.rate}
    change(load(), "producer", {"rate": 7.0})
    with pytest.raises(ChangedMeanwhile):
        change(loaded, "producer", {"source": "synthetic"}, seen)


def test_what_the_environment_says_is_what_is_seen(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / "settings.toml").write_text("[producer]\nrate = 5.0\n")
    monkeypatch.setenv("ROLLCALL_PRODUCER__RATE", "7")
    change(load(), "producer", {"source": "synthetic"}, {"rate": 7.0})
    assert load().producer.source == "synthetic"


def test_changes_at_once_are_all_kept(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    both, read = threading.Barrier(2), settings_file._read

    def slow(path: Path) -> Any:
        found = read(path)
        with suppress(threading.BrokenBarrierError):    # the other, if it is let in, has read too before this one writes
            both.wait(1)
        return found

    monkeypatch.setattr(settings_file, "_read", slow)
    failed: list[Exception] = []

    def one(fields: dict[str, Any]) -> None:
        try:
            change(Settings(home=home), "producer", fields)
        except (OSError, SettingsInvalid) as error:
            failed.append(error)

    threads = [threading.Thread(target=one, args=(fields,)) for fields in ({"rate": 7.0}, {"source": "synthetic"})]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert failed == []
    assert (load().producer.source, load().producer.rate) == ("synthetic", 7.0)
    assert [path.name for path in home.iterdir()] == ["settings.toml"]
