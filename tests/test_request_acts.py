"""Acts of requests where it is not known whom they are about, or where two requests meet; and files that hold a package."""

import errno
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO

import pytest

from engine.cli import request as command
from engine.commands import Command
from engine.compliance import request_acts
from engine.compliance.request_acts import ACTS, NOBODY
from engine.compliance.requests import RequestRefused
from engine.rights import rectification
from engine.rights.find import Found, Held
from engine.rights.packages import Packages
from engine.sealing import ensure_keys
from engine.secrets import fresh_file
from engine.settings import Settings
from governance.requests import life
from governance.requests.request import Ground
from governance.requests.result import Result
from governance.requests.step import Name
from governance.rights.evidence import Evidence
from governance.rights.proof import Proof
from tests.app.console_fake import KEYS, NOW, UUID
from tests.app.requests_place import Place

EMAIL = "pia@example.org"
OTHER = UUID.replace("9a", "9b")
PERSON = Found(UUID, "token", (Held("cassandra:profiles", 1, ()),), False, False, ())
ANOTHER = Found(OTHER, "token", (Held("kafka:people", 1, ()),), False, False, ())
LETTERS = Found("", "", (Held("kafka:dead", 2, ("people-0-1", "people-0-2")),), False, False, ())


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(Settings(home=tmp_path))


@pytest.fixture
def stored(monkeypatch: pytest.MonkeyPatch) -> list[Found]:
    """Who is stored just now; the test changes it."""
    found: list[Found] = []
    monkeypatch.setattr(request_acts, "find", lambda *_: list(found))
    return found


def known(place: Place, kind: str = "erasure", **about: Any) -> str:
    ref = place.logged(kind, **about).request.ref
    place.requests.change(ref, None, "ada", "x", lambda asked: life.identified(asked, place.requests.today, "signed in"))
    return ref


def run(place: Place, ref: str, name: Name, act: Callable[..., Result] | None = None) -> Result:
    kept = place.requests.run(ref, name, act or ACTS[name], "ada", lambda _: None).request.run_of(name)
    assert kept is not None
    assert kept.result is not None
    return kept.result


def restricted(place: Place, lifted: bool = False, **about: str) -> str:
    """A request whose restriction is in force and announced, or lifted."""
    ref = known(place, "restriction", **about)
    for name in (Name.FIND, Name.RESTRICT):
        run(place, ref, name, place.acts[name])
    for name in (Name.RECIPIENTS, Name.ANSWER, Name.ANNOUNCE):
        place.requests.did(ref, name, None, "ada", "letter", to="Printer Ltd")
    if lifted:
        run(place, ref, Name.LIFT, place.acts[Name.LIFT])
    return ref


def test_once_it_is_known_who_it_is_two_requests_are_seen_to_be_of_one(place: Place, stored: list[Found]) -> None:
    by_number, by_address, by_officer = (known(place, "access", **about) for about in (
        {"uuid": UUID}, {"email": EMAIL}, {"email": "p@example.org"}))
    assert place.requests.same_person(place.requests.newest(by_number).request) == []
    stored.append(PERSON)
    run(place, by_address, Name.FIND)
    place.requests.whom(by_officer, UUID, "ada")
    asked = [place.requests.newest(ref).request for ref in (by_number, by_address, by_officer)]
    assert {one.person for one in asked} == {f"person {KEYS.suppression_token(UUID)[:16]}"}
    n = place.requests.newest(by_officer).n
    place.requests.whom(by_officer, UUID, "ada")
    assert place.requests.newest(by_officer).n == n, "what is known already is kept once"


def test_a_change_reads_the_newest_version_alone(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    ref = place.logged().request.ref
    with pytest.raises(RequestRefused, match="There is no request 'r-1999-001'"):
        place.requests.newest("r-1999-001")
    monkeypatch.setattr(place.records, "versions", lambda *_: pytest.fail("every version was read"))
    monkeypatch.setattr(place.records, "last", lambda kind, name: place.records.newest(kind)[-1])
    assert place.requests.change(ref, 1, "ada", "x", lambda asked: life.assigned(asked, "bob")).n == 2
    assert place.requests.newest(ref).n == 2


def test_one_lift_does_not_end_the_restriction_of_another_request(place: Place) -> None:
    first, second, over = restricted(place), restricted(place), restricted(place, email=EMAIL)
    place.requests.whom(over, UUID, "ada")
    place.requests.close(second, None, "ada", "it lasts")
    for ref, others in ((first, f"{second}, {over}"), (over, f"{first}, {second}")):
        with pytest.raises(RequestRefused, match=f"{others} restricts the same person"):
            run(place, ref, Name.LIFT, place.acts[Name.LIFT])
        assert place.requests.newest(ref).request.run_of("lift") is None, "it was not begun"
    assert not [did for did in place.did if did.startswith("lift")]
    place.requests.change(first, None, "ada", "note", lambda asked: life.noted(
        asked, NOW, "ada", f"the person was told that {second} and {over} end, too"))
    run(place, first, Name.LIFT, place.acts[Name.LIFT])
    assert place.did[-1] == f"lift {UUID}"
    assert not place.requests.newest(first).request.restricts


def test_of_a_restriction_that_was_lifted_nothing_stands_in_the_way(place: Place) -> None:
    restricted(place, lifted=True)
    other = restricted(place, uuid=OTHER)
    ref = restricted(place, lifted=True)
    assert place.requests.newest(ref).request.done("lift")
    assert place.requests.newest(other).request.restricts, "another person's"


def test_nobody_is_not_settled_by_one_search(place: Place, stored: list[Found], monkeypatch: pytest.MonkeyPatch) -> None:
    did: list[str] = []

    def restrict(_: Settings, uuid: str, *__: object) -> Evidence:
        did.append(uuid)
        return Evidence("restrict", "r", NOW, 17, ("cassandra:markers.restricted",), ())

    monkeypatch.setattr(request_acts, "restrict", restrict)
    ref = known(place, "restriction", email=EMAIL)
    run(place, ref, Name.FIND)
    assert run(place, ref, Name.RESTRICT) == NOBODY
    stored.append(LETTERS)
    assert not run(place, ref, Name.RESTRICT).done, "letters that name the address are not nobody"
    stored.clear()
    assert run(place, ref, Name.RESTRICT) == NOBODY
    for name in (Name.RECIPIENTS, Name.ANSWER):
        place.requests.did(ref, name, None, "ada", "letter", to="Printer Ltd")
    stored.append(PERSON)
    assert run(place, ref, Name.FIND).evidence["cassandra:profiles"] == "1", "somebody came since"
    with pytest.raises(RequestRefused, match="restrict found nobody, and now it is known who it is"):
        place.requests.close(ref, None, "ada", "done")
    assert run(place, ref, Name.RESTRICT).evidence["command"] == "17"
    assert did == [UUID]
    run(place, ref, Name.RESTRICT)
    assert did == [UUID], "now it is settled"
    place.requests.close(ref, None, "ada", "done")


def test_a_correction_of_somebody_who_has_no_row_comes_to_an_end(place: Place, stored: list[Found],
                                                               monkeypatch: pytest.MonkeyPatch) -> None:
    pins = dict[str, Any]()
    monkeypatch.setattr(rectification, "load_keys", lambda _: KEYS)
    monkeypatch.setattr(rectification, "carried_out", lambda *_: 17)
    monkeypatch.setattr("engine.rights.persons.markers", lambda *_: {})
    monkeypatch.setattr("engine.rights.persons.pins_of", lambda *_: pins)
    monkeypatch.setattr("engine.rights.persons.rows", lambda *_: {})
    stored.append(PERSON)
    ref = known(place, "rectification", uuid=UUID, fields={"phone": "0479-1"})
    run(place, ref, Name.FIND)
    assert not run(place, ref, Name.RECTIFY).done, "nothing is pinned"
    pins["phone"] = "0479-1"
    came_to = run(place, ref, Name.RECTIFY)
    assert (came_to.done, came_to.evidence["holds"]) == (True, "cassandra:markers.pins phone")
    assert "No row of the person stands" in came_to.says
    for name in (Name.RECIPIENTS, Name.ANSWER):
        place.requests.did(ref, name, None, "ada", "letter", to="Printer Ltd")
    assert place.requests.close(ref, None, "ada", "done").request.closed_at


def test_whose_data_they_are_is_for_the_officer_to_decide(place: Place, stored: list[Found]) -> None:
    ref = known(place, email=EMAIL)
    stored += [PERSON, ANOTHER]
    for _ in range(2):
        found = run(place, ref, Name.FIND)
        assert (found.done, found.evidence["people found"]) == (False, "2")
    stored[:] = [LETTERS]
    found = run(place, ref, Name.FIND)
    assert not found.done
    assert "2 dead letters without a number" in found.says
    stored[:] = [PERSON, ANOTHER, LETTERS]
    place.requests.whom(ref, OTHER, "ada")
    found = run(place, ref, Name.FIND)
    assert (found.done, found.evidence["people found"], found.evidence["kafka:people"]) == (True, "1", "1")
    assert "cassandra:profiles" not in found.evidence, "what is of the other is not counted"


def test_the_address_of_a_request_is_looked_for_and_erased_also_when_the_number_is_known(
        place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(request_acts, "find", lambda _, uuid, *__: [PERSON] if uuid else [ANOTHER, LETTERS])
    erased: list[tuple[Any, ...]] = []

    def erase(*given: Any) -> Proof:
        erased.append((given[1], given[5]))
        return Proof(given[2], NOW, 1, (17,), ())

    monkeypatch.setattr(request_acts, "erase", erase)
    for about in ({"uuid": UUID, "email": EMAIL}, {"uuid": UUID}):
        ref = known(place, **about)
        found = run(place, ref, Name.FIND)
        assert (found.done, found.evidence["people found"]) == (True, "1"), "whom it is about is known"
        assert found.evidence.get("letters without a number") == ("2" if "email" in about else None)
        run(place, ref, Name.ERASE)
    assert erased == [([UUID], [EMAIL]), ([UUID], [])]


def test_a_file_with_data_of_a_person_is_new_and_its_owners_alone(tmp_path: Path) -> None:
    file = tmp_path / "package.zip"
    with fresh_file(file) as out:
        assert stat.S_IMODE(file.stat().st_mode) == 0o600, "before anything is in it"
        out.write(b"PK")
    with pytest.raises(FileExistsError), fresh_file(file):
        pytest.fail("it would be written over")
    assert file.read_bytes() == b"PK"
    with suppress(ZeroDivisionError), fresh_file(tmp_path / "half") as out:
        out.write(b"PK" * (1 // 0))
    assert [one.name for one in tmp_path.iterdir()] == ["package.zip"]


def test_a_package_is_taken_when_its_file_is_open_and_not_before(place: Place, tmp_path: Path,
                                                                 monkeypatch: pytest.MonkeyPatch) -> None:
    @contextmanager
    def opened(*_: object) -> Iterator[object]:
        yield place.packages

    monkeypatch.setattr(command, "load", lambda: place.settings)
    monkeypatch.setattr(command, "audited", opened)
    monkeypatch.setattr(Packages, "opened", opened)
    place.packages.keep("r-2026-001")
    with pytest.raises(RequestRefused, match=r"No such file or directory.*nothing was taken"):
        command.package("r-2026-001", tmp_path / "missing" / "package.zip")
    state = place.packages.state("r-2026-001")
    assert state is not None
    assert state.taken_at is None

    @contextmanager
    def full(path: Path) -> Iterator[BinaryIO]:
        with fresh_file(path) as out:
            yield out
            raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(command, "fresh_file", full)
    with pytest.raises(RequestRefused, match=r"No space left.*rollcall request step r-2026-001 package"):
        command.package("r-2026-001", tmp_path / "package.zip")
    assert not (tmp_path / "package.zip").exists()


def test_a_correction_that_an_erasure_overtook_is_done_and_cannot_be_refused(
        place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    ensure_keys(place.settings)
    corrected = Command(3, 0, "rectify", "t", UUID, "r-none", pins='{"phone": "112"}')
    monkeypatch.setattr("engine.rights.persons.markers", lambda _, tokens: {one: {"erased": True} for one in tokens})
    monkeypatch.setattr("engine.rights.topics.of_commands", lambda *_: [corrected])
    monkeypatch.setattr(rectification, "carried_out", lambda *_: pytest.fail("a command was sent"))
    ref = known(place, "rectification", uuid=UUID, fields={"phone": "112"})
    run(place, ref, Name.FIND, place.acts[Name.FIND])
    came_to = run(place, ref, Name.RECTIFY)
    assert (came_to.done, came_to.refused) == (False, True), "the command is of another request"
    corrected = replace(corrected, request=ref)
    came_to = run(place, ref, Name.RECTIFY)
    assert (came_to.done, came_to.refused) == (True, False)
    assert came_to.evidence == {"command": "3"}
    assert "was erased since" in came_to.says
    with pytest.raises(RequestRefused, match=r"rectify of .* was begun"):
        place.requests.change(ref, None, "ada", "x", lambda asked: life.refused(
            asked, place.requests.today, Ground.EXCESSIVE, "no"))
