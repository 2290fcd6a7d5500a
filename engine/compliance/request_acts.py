"""What the product does in the steps of a request: the acts of engine/rights, and what each came to, without personal data.

Each ends the same however often it is run. Where nobody was found there is nothing to do, and that is the answer; the person is
sought once more first, for they may have come since.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from types import MappingProxyType

from engine.compliance.requests import Act, Doing
from engine.rights.erasure import Lifted, erase
from engine.rights.find import find
from engine.rights.package import make
from engine.rights.rectification import ErasedSince, rectify
from engine.rights.restriction import restrict, unrestrict
from governance.requests.result import PEOPLE_FOUND, Result
from governance.requests.step import Name
from governance.rights.evidence import Evidence

NOBODY = Result(done=True, says="Nobody was found, so there is nothing to do", evidence={PEOPLE_FOUND: "0"})


def _find(doing: Doing) -> Result:
    return _sought(doing)[1]


def _sought(doing: Doing) -> tuple[str, Result]:
    """The uuid of the one person whom it is about, empty if there is none, and what the search came to.

    Whose data they are where several are found, or where letters name an address and no number, is for the officer to decide.
    """
    subject = doing.subject
    found = find(doing.settings, subject.uuid, "" if subject.uuid else subject.email, doing.request.ref)
    if subject.uuid and subject.email:    # it may stand in letters that name no number
        found += [one for one in find(doing.settings, "", subject.email) if not one.uuid]
    people = [one for one in found if one.uuid and subject.uuid in ("", one.uuid)]
    letters = sum(held.count for one in found if not one.uuid for held in one.held)
    seen = {PEOPLE_FOUND: str(len(people)), **({"letters without a number": str(letters)} if letters else {})}
    if len(people) > 1:
        return "", Result(done=False, says=f"{len(people)} people have this e-mail address, or their data stand under each "
                          f"other's number: say which one it is about (`rollcall request whom {doing.request.ref} UUID`), then "
                          "run it again", evidence=seen)
    if letters and not people:
        return "", Result(done=False, says=f"Nobody is stored, but {letters} dead letters without a number name this address: "
                          "redrive or discard them (`rollcall dead-letters`), then run it again", evidence=seen)
    places: Counter[str] = Counter()
    for one in people:
        doing.know(one.uuid)
        places.update({held.store: held.count for held in one.held})
    for place, count in places.items():
        doing.say(f"{place}: {count}")
    held = {place: str(count) for place, count in places.items() if count}
    says = f"Data about the person stand in {', '.join(held)}" if held else "No data about the person stand anywhere"
    return people[0].uuid if people else "", Result(done=True, says=says, evidence={**seen, **held})


def _of_whom(act: Callable[[Doing, str], Result]) -> Act:
    """An act upon the person, by their uuid."""
    def do(doing: Doing) -> Result:
        uuid, sought = (doing.subject.uuid, NOBODY) if doing.subject.uuid else _sought(doing)
        return act(doing, uuid) if uuid else NOBODY if sought.done else sought
    return do


def _package(doing: Doing, uuid: str) -> Result:
    made = make(doing.settings, doing.request.ref, uuid)
    return Result(done=True, says="The package is made, and kept sealed until it is handed over once",
                  evidence={name: str(value) for name, value in vars(made).items() if name in _OF_A_PACKAGE})


_OF_A_PACKAGE = ("made_at", "expires", "digest", "size", "fields")
"""What is kept of a package that was made: nothing of what it holds."""


def _erase(doing: Doing, uuid: str) -> Result:
    try:
        proof = erase(doing.settings, [uuid], doing.request.ref, doing.within_s, doing.say,
                      [doing.subject.email] if doing.subject.email else [])
    except Lifted as lifted:
        return Result(done=True, says="It was erased, and the erasure was lifted since: nothing of it is in force any more",
                      evidence={"lifted": str(lifted)})
    return Result(done=proof.done, says=proof.said, verdicts=proof.verdicts, evidence={
        "proof of": proof.at.isoformat(timespec="seconds"), "people": str(proof.people),
        "commands": ", ".join(map(str, proof.commands)) or "none"})


def _rectify(doing: Doing, uuid: str) -> Result:
    try:
        seen = rectify(doing.settings, uuid, doing.subject.fields, doing.request.ref, doing.within_s, doing.say)
    except ErasedSince as since:
        return Result(done=True, says="The correction was commanded, and the person was erased since: nothing of it is in "
                      "force any more", evidence={"command": str(since.offset)})
    rows = any(place.startswith("cassandra:profiles") for place in seen.holds)
    return _seen(seen, "The fields are corrected and pinned" if rows else
                 "No row of the person stands; the fields are pinned, so that a record that comes is corrected")


def _restrict(doing: Doing, uuid: str) -> Result:
    return _seen(restrict(doing.settings, uuid, doing.request.ref, doing.within_s, doing.say),
                 "The person is left out of lists, exports and figures")


def _lift(doing: Doing, uuid: str) -> Result:
    return _seen(unrestrict(doing.settings, uuid, doing.request.ref, doing.within_s, doing.say),
                 "The restriction is lifted")


def _seen(evidence: Evidence, says: str) -> Result:
    """What was found to be so after an act."""
    return Result(done=evidence.done, says=says if evidence.done else f"Not so yet: {', '.join(evidence.missing)}",
                  evidence={"command": str(evidence.command), "holds": ", ".join(evidence.holds)})


ACTS: Mapping[Name, Act] = MappingProxyType({
    Name.FIND: _find, Name.PACKAGE: _of_whom(_package), Name.ERASE: _of_whom(_erase), Name.RECTIFY: _of_whom(_rectify),
    Name.RESTRICT: _of_whom(_restrict), Name.LIFT: _of_whom(_lift)})
"""Step -> what the product does in it."""
