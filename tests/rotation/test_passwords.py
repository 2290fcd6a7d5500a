"""A password's successor: where it stands, who has one, and how a rotation that breaks off goes on."""

import stat
from collections.abc import Callable
from contextvars import Context

import pytest
from pydantic import SecretStr

from engine import secrets
from engine.errors import SettingsInvalid, SignInRefused, StoreAway
from engine.processes import PROGRAMS, SERVERS, Status, Supervisor
from engine.provision import cassandra
from engine.rotation import passwords
from engine.rotation.passwords import System, of_ours, require_ours, usable
from engine.settings import Settings

Words = dict[tuple[str, str], str]


def quiet(_: str) -> None:
    """Says nothing."""


@pytest.fixture
def known(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Words:
    """What three systems know: (system, principal) -> password. Nothing runs."""
    secrets.ensure_passwords(settings)
    real = passwords.systems(settings)
    words = {(name, user): secrets.password(settings, user).get_secret_value()
             for name, system in real.items() for user in system.users}

    def fake(name: str) -> System:
        def signs_in(settings: Settings, principal: str) -> bool:
            return words[name, principal] == secrets.password(settings, principal).get_secret_value()

        def set_password(settings: Settings, principal: str, word: SecretStr) -> None:
            if not signs_in(settings, "provision"):
                raise SignInRefused(f"{name} refuses 'provision'", name)
            words[name, principal] = word.get_secret_value()
        return System(real[name].users, signs_in, set_password)

    monkeypatch.setattr(passwords, "systems", lambda _: {name: fake(name) for name in real})
    monkeypatch.setattr(cassandra, "signs_in", fake("cassandra").signs_in)
    monkeypatch.setattr(Supervisor, "status", lambda _: {
        name: Status(name, "stopped") for name in (*SERVERS, *PROGRAMS)})
    return words


def breaks(monkeypatch: pytest.MonkeyPatch, at: str) -> Callable[[], None]:
    """Has one system away, until the result is called."""
    fakes = passwords.systems

    def away(*_: object) -> None:
        raise StoreAway(f"{at} does not answer", at)

    def broken(settings: Settings) -> dict[str, System]:
        return {name: system._replace(set_password=away) if name == at else system for name, system in fakes(settings).items()}
    monkeypatch.setattr(passwords, "systems", broken)
    return lambda: monkeypatch.setattr(passwords, "systems", fakes)


def all_know(words: Words, settings: Settings, principal: str) -> bool:
    word = secrets.password(settings, principal).get_secret_value()
    return {kept for (_, user), kept in words.items() if user == principal} == {word}


def test_everybodys_password_is_exchanged(settings: Settings, known: Words) -> None:
    before = dict(known)
    names = of_ours(settings)
    assert names[0] == "provision"
    assert set(names) == set(secrets.PRINCIPALS)
    passwords.rotate(settings, names, quiet)
    assert all(known[one] != before[one] for one in known)
    assert all(all_know(known, settings, name) for name in names)
    assert not list(settings.secrets.glob("*.next"))


def test_the_next_password_is_nobodys_to_read_and_is_made_once(settings: Settings) -> None:
    secrets.ensure_passwords(settings)
    before = secrets.password(settings, "producer")
    word = secrets.make_next(settings, "producer")
    path = settings.secrets / "producer.next"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert secrets.make_next(settings, "producer") == word != before
    assert secrets.password(settings, "producer") == before
    with secrets.trying("producer", word):
        assert secrets.password(settings, "producer") == word
        assert Context().run(secrets.password, settings, "producer") == before
    secrets.take_next(settings, "producer")
    assert secrets.password(settings, "producer") == word
    assert secrets.next_password(settings, "producer") is None


@pytest.mark.parametrize("principal", ["producer", "governance", "provision"])
@pytest.mark.parametrize("at", ["kafka", "cassandra", "mongo"])
def test_one_that_breaks_off_goes_on_with_the_same(settings: Settings, known: Words, monkeypatch: pytest.MonkeyPatch,
                                                    principal: str, at: str) -> None:
    before = secrets.password(settings, principal)
    mended = breaks(monkeypatch, at)
    with pytest.raises(StoreAway):
        passwords.rotate(settings, [principal], quiet)
    assert secrets.password(settings, principal) == before, "its file is the last to change"
    word = secrets.next_password(settings, principal)
    with usable(settings, [principal]):
        assert cassandra.signs_in(settings, principal), "the audit is written as governance"
    mended()
    said: list[str] = []
    with usable(settings, [principal]):
        Context().run(passwords.rotate, settings, [principal], said.append)
    assert secrets.password(settings, principal) == word
    assert all_know(known, settings, principal)
    assert len([line for line in said if "already" in line]) == ["kafka", "cassandra", "mongo"].index(at)


def test_one_of_provision_that_broke_off_is_ended_first(settings: Settings, known: Words,
                                                         monkeypatch: pytest.MonkeyPatch) -> None:
    mended = breaks(monkeypatch, "mongo")
    with pytest.raises(StoreAway):
        passwords.rotate(settings, ["provision"], quiet)
    mended()
    passwords.rotate(settings, ["stream"], quiet)
    assert all_know(known, settings, "provision")
    assert all_know(known, settings, "stream")


def test_a_user_elsewhere_who_does_not_know_our_password_is_left_alone(settings: Settings, known: Words) -> None:
    there = settings.model_copy(update={"kafka_bootstrap": "kafka.example:9092"})
    known["kafka", "producer"] = "of somebody else"
    with pytest.raises(SignInRefused, match="may be somebody else's"):
        passwords.rotate(there, ["producer"], quiet)
    assert known["kafka", "producer"] == "of somebody else"


def test_names_that_are_none_or_not_ours_are_told(settings: Settings) -> None:
    with pytest.raises(SettingsInvalid, match="no principal 'nobody'"):
        require_ours(settings, ["nobody"])
    there = settings.model_copy(update={"kafka_bootstrap": "kafka.example:9092"})
    for name in ("broker", "provision"):
        require_ours(settings, [name])
        with pytest.raises(SettingsInvalid, match="its administrator changes"):
            require_ours(there, [name])
    (there.secrets).mkdir(exist_ok=True)
    (there.secrets / "kafka.admin").write_text("root\nword\n")
    require_ours(there, ["provision"])
    assert {"broker"} == set(secrets.PRINCIPALS) - set(of_ours(there))


def test_whoever_signs_in_as_somebody_is_known() -> None:
    assert set(passwords.RESTARTED) | {"provision"} == set(secrets.PRINCIPALS)
    assert {name for names in passwords.RESTARTED.values() for name in names} == set(passwords.IN_ORDER)
