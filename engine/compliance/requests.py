"""Requests of people as they are kept: each with its versions, and its subject beside it until it is closed.

Whom a request is about stands in a record of its own, sealed like all; the request itself, its history and the audit know a
token. When the request is closed the subject is forgotten, and what is left is a proof without personal data.

A step of the product is kept as begun, done, and kept with what it came to. After a crash in between it stands as begun; it is
run again, and ends the same, for its act does (engine/compliance/request_acts.py).
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, NoReturn

from engine.clients import mapped
from engine.compliance.register import Register
from engine.compliance.subjects import Leftover, Subjects
from engine.errors import CommandRefused, CommandUnread, Final
from engine.rights.packages import Packages, PackageState
from engine.sealing import KeyRing
from engine.settings import Settings
from engine.stores.records import ENDED, ERASURE, REQUEST, RESTORED, SUBJECT, Record, Records, Stale
from engine.writer import pins
from governance.clocks import day_in
from governance.register import changed
from governance.requests import life
from governance.requests.deadlines import Deadlines, deadlines
from governance.requests.kind import Kind
from governance.requests.letters import Letter, NoSuchLetter, Written, letter, sender_of
from governance.requests.looks import red
from governance.requests.recipients import recipients_of, told
from governance.requests.request import NotARequest, Request, State, request
from governance.requests.result import REFUSED, Result
from governance.requests.step import Name, step_of
from governance.requests.subject import Subject
from governance.rights.proof import Proof
from governance.rights.verdict import Outcome

TRIES = 5
WITHIN_S = 300.0
"""Seconds that a step may wait for the stream."""

Say = Callable[[str], None]


class StaleRequest(Stale):
    """Somebody else has changed the request meanwhile. theirs: field -> (before, after) of what they changed."""

    def __init__(self, newest: Record, base: Request | None) -> None:
        super().__init__(newest)
        self.theirs = changed(base, _kept(newest).request)

    def __str__(self) -> str:
        return f"{super().__str__()} They changed {', '.join(self.theirs) or 'nothing'}."


class RequestRefused(Final):
    """A request cannot be kept, or not be changed, as asked."""

    exit_code = 65


@dataclass(frozen=True)
class Kept:
    """One version of a request: n from 1, when, by whom and why it was written."""

    request: Request
    n: int
    at: datetime
    by: str
    why: str


@dataclass(frozen=True)
class Doing:
    """What the act of a step works with. know: takes the uuid of who was found; say: lines of progress; within_s: how long it
    may wait for the stream."""

    settings: Settings
    request: Request
    subject: Subject
    know: Callable[[str], object]
    say: Say
    within_s: float


Act = Callable[[Doing], Result]
"""What a step of the product does. However often it is run it ends the same; what it raises leaves the step open."""


class Requests:
    """The requests of an installation, over its records."""

    def __init__(self, settings: Settings, records: Records, keys: KeyRing) -> None:
        self._settings, self._records, self._subjects = settings, records, Subjects(records, keys)

    @property
    def today(self) -> date:
        """The day at the place that answers."""
        return day_in(self._settings.governance.zone, datetime.now(UTC))

    def days(self, asked: Request) -> Deadlines:
        """The clock of a request, as it stands today."""
        return deadlines(asked, self.today, self._settings.governance.country)

    def all(self) -> list[Kept]:
        """The newest version of each, by ref."""
        return [_kept(record) for record in self._records.newest(REQUEST)]

    def versions(self, ref: str) -> list[Kept]:
        """Every version of one, oldest first. Raises RequestRefused if there is none of this ref."""
        if found := [_kept(record) for record in self._records.versions(REQUEST, ref)]:
            return found
        raise RequestRefused(f"There is no request {ref!r}. `rollcall request list` names them.")

    def newest(self, ref: str) -> Kept:
        """The newest version of one. Raises RequestRefused if there is none of this ref."""
        found = self._records.last(REQUEST, ref)
        return _kept(found) if found else self.versions(ref)[-1]

    def subject(self, ref: str) -> Subject | None:
        """Whom it is about; None when that is forgotten."""
        return self._subjects.of(ref)

    def log(self, kind: Kind, received: date, channel: str, about: Mapping[str, Any], by: str, why: str) -> Kept:
        """Keeps a new request under the next free ref. about: fields of the subject. Raises RequestRefused.

        The subject first, for it decides who of two has the ref: a request is never without one.
        """
        _reasoned(why)
        try:
            subject = life.subject(about)
            fields = {"kind": kind, "received": received, "channel": channel, "person": self._subjects.token(subject)}
            self._not_to_come(request({**fields, "ref": f"r-{received.year:04}-000"}))
        except NotARequest as wrong:
            raise RequestRefused(str(wrong)) from None
        _fitting(kind, subject)
        for _ in range(TRIES):
            ref = self._free(received.year)
            try:
                self._subjects.keep(ref, subject, by)
            except Stale:    # another request has just got this ref
                continue
            return self._add(request({**fields, "ref": ref}), 0, by, why)
        raise RequestRefused("Others log requests at this moment, and each time one got the number first. Do it again.")

    def change(self, ref: str, base_n: int | None, by: str, why: str, move: Callable[[Request], Request]) -> Kept:
        """Keeps what a move makes of a request that is based on version `base_n`, None: on the newest. A move that changes
        nothing keeps nothing. Raises StaleRequest, RequestRefused."""
        before = self.newest(ref)
        if base_n is not None and base_n != before.n:
            self._stale(ref, base_n)
        try:
            after = move(before.request)
            self._not_to_come(after)
        except NotARequest as wrong:
            raise RequestRefused(str(wrong)) from None
        return before if after == before.request else self._add(after, before.n, by, why)

    def run(self, ref: str, name: str, act: Act, by: str, say: Say, within_s: float = WITHIN_S) -> Kept:
        """Runs a step of the product: kept as begun, done, kept with what it came to. A step with nothing left to do or to
        see is not run again.

        A command that cannot be made is what it came to, for the officer to mend or to refuse. Whatever else the act raises
        goes on to the caller, and the step stands as begun. Raises RequestRefused, Stale too.
        """
        def begin(asked: Request) -> Request:
            machine, anew = _machine(asked, name), name in self.anew(asked)
            if machine == Name.LIFT and (anew or not asked.done(name)):
                self._alone(asked)
            return life.begun(asked, name, _now(), by, anew)

        began = self.change(ref, None, by, f"{name}: begun", begin)
        if (run := began.request.run_of(name)) and life.settled(run):
            return began
        if (subject := self.subject(ref)) is None:
            raise RequestRefused(f"Whom {ref} is about is forgotten, so {name} cannot be done. Log a new request.")
        try:
            result = act(Doing(self._settings, began.request, subject, lambda uuid: self.whom(ref, uuid, by), say, within_s))
        except CommandUnread:
            raise
        except CommandRefused as refused:
            result = Result(done=False, says=str(refused), evidence={REFUSED: "nothing was sent"})
        return self._settled(ref, by, f"{name}: {result.says}", lambda asked: life.came_to(asked, name, _now(), result))

    def did(self, ref: str, name: str, base_n: int | None, by: str, says: str, on: date | None = None, to: str = "") -> Kept:
        """Keeps what the officer did in a step of theirs. says: what shows it; on: the day it was done, today by default; to:
        of `recipients` which one was told: the step is done when all of the register were. Raises
        StaleRequest, RequestRefused."""
        if not says.strip():
            raise RequestRefused("Say what shows it: nothing is done without evidence.")
        def move(asked: Request) -> Request:
            if (step := life.allowed(asked, name)).machine:
                raise NotARequest(f"{name} is done by the product: `rollcall request step {ref} {name}`.")
            if asked.done(name):
                return asked
            run = asked.run_of(name)    # as it was before: begun anew it has come to nothing yet
            before = run.result.evidence if run and run.result else {}
            result = told(before, self.recipients(asked), to, says) if step.name is Name.RECIPIENTS else Result(
                done=True, says=says, evidence={"evidence": says})
            return life.came_to(life.begun(asked, name, _now(), by), name, _now(), result, on or self.today)

        return self.change(ref, base_n, by, name, move)

    def whom(self, ref: str, uuid: str, by: str) -> Kept:
        """Keeps which person it is about, of a request that came with an e-mail address. Raises RequestRefused, Stale."""
        try:
            person = self._subjects.token(self._subjects.is_about(ref, uuid, by))
        except NotARequest as wrong:
            raise RequestRefused(str(wrong)) from None
        return self._settled(ref, by, "whom it is about is known", lambda asked: life.known_as(asked, person))

    def anew(self, asked: Request) -> frozenset[Name]:
        """Steps of the product that are done and are done anew when they are run, for what they came to may hold no more: the
        package when none waits; an erasure of which a later look found something NOT ERASED; and each that found nobody, for
        somebody may have come since."""
        if asked.state not in (State.UNDERWAY, State.DONE):
            return frozenset()
        gone = {Name.PACKAGE} if asked.done(Name.PACKAGE) and self.package(asked) is None else set()
        again = {Name.ERASE} if asked.done(Name.ERASE) and red(asked, self.proofs(asked)) else set()
        return frozenset(gone | again | _of_nobody(asked))

    @contextmanager
    def packages(self) -> Iterator[Packages]:
        """The packages, over the session of the records."""
        with mapped("keeping packages"):
            yield Packages(self._settings, self._records.session)

    def package(self, asked: Request) -> PackageState | None:
        """Its package, as long as that waits to be fetched."""
        if step_of(asked.kind, Name.PACKAGE) is None:
            return None
        with self.packages() as packages:
            state = packages.state(asked.ref)
        return state if state and state.taken_at is None and state.expires > _now() else None

    def proofs(self, asked: Request) -> list[Proof]:
        """What the looks at an erasure found, of each that said something new, oldest first. The keeper looks until nothing is
        left to expire, also when the request is closed."""
        return [] if step_of(asked.kind, Name.ERASE) is None else [
            Proof.from_json(json.loads(record.body)) for record in self._records.versions(ERASURE, asked.ref)
            if record.state != ENDED]

    def recipients(self, asked: Request) -> tuple[str, ...]:
        """Who has to be told: recipients of the register in force (Art. 19), and whoever a verdict leaves something to do."""
        left = [one.recipient for run in asked.runs if run.result for one in run.result.verdicts
                if one.outcome is Outcome.EXTERNAL and one.recipient]
        return tuple(dict.fromkeys((*recipients_of(version.entry for version in Register(self._records).in_force()), *left)))

    def close(self, ref: str, base_n: int | None, by: str, why: str) -> Kept:
        """Closes one, if everything is done, and forgets whom it was about. One that is closed is tidied again. Raises
        StaleRequest, RequestRefused with what is missing."""
        def end(asked: Request) -> Request:
            closed = life.closed(asked, _now())
            if not asked.closed_at and (waits := self.package(asked)):
                raise NotARequest(f"{ref} cannot be closed yet: its package waits until {waits.expires:%Y-%m-%d %H:%M} UTC to "
                                  "be fetched, and closing would take it away. Close it when the person has fetched it, or "
                                  f"hand it over yourself (`rollcall request package {ref} FILE`).")
            if (nobody := _of_nobody(asked)) and (subject := self.subject(ref)) and subject.uuid:
                raise NotARequest(f"{ref} cannot be closed yet: {', '.join(sorted(nobody))} found nobody, and now it is known "
                                  "who it is. Run it again.")
            if not asked.closed_at and (stores := red(asked, self.proofs(asked))):
                raise NotARequest(f"{ref} cannot be closed yet: the last look found NOT ERASED in {', '.join(stores)}. Run "
                                  f"erase again (`rollcall request step {ref} erase`); it goes on where it is.")
            return closed

        kept = self.change(ref, base_n, by, why, end)
        for leftover in sorted({ref, *self.leftover().closed}):
            with self.packages() as packages:
                packages.purge(leftover)
            self._records.forget(leftover)
        return kept

    def drop(self, ref: str) -> None:
        """Forgets the subject of a request that was never logged to its end, when it was logged again. Raises
        RequestRefused."""
        if ref not in self.leftover().unlogged:
            raise RequestRefused(f"{ref} is none whose logging broke off; a request is forgotten when it is closed.")
        self._records.forget(ref)

    def leftover(self, kept: Sequence[Kept] | None = None) -> Leftover:
        """Subjects that stand by themselves. kept: of `all`; None: it is read."""
        return self._subjects.leftover({one.request.ref: one.request.state for one in (self.all() if kept is None else kept)})

    def letter(self, kept: Kept, which: Letter) -> str:
        """A letter as a page of HTML. Raises RequestRefused where there is nothing to say in it yet."""
        subject = self.subject(kept.request.ref)
        sender = sender_of(version.entry for version in Register(self._records).in_force())
        try:
            return letter(which, Written(kept.request, sender, subject.address if subject else "", self.today,
                                         self._settings.governance.country, self.proofs(kept.request)))
        except NoSuchLetter as none:
            raise RequestRefused(str(none)) from None

    def same_person(self, asked: Request, kept: Sequence[Kept] | None = None) -> list[str]:
        """Refs of other requests about the same uuid, or the same e-mail address. kept: of `all`; None: it is read."""
        return [one.ref for one in self._others(asked, kept)]

    def _others(self, asked: Request, kept: Sequence[Kept] | None = None) -> list[Request]:
        return [one.request for one in (self.all() if kept is None else kept)
                if one.request.person == asked.person and one.request.ref != asked.ref]

    def _alone(self, asked: Request) -> None:
        """Raises NotARequest while another request leaves the person out, for there is one mark a person. It is up to the
        officer whether that ends, too: a note that names the other says so."""
        noted = re.findall(r"r-\d{4}-\d+", " ".join(note.text for note in asked.notes))
        if others := [one.ref for one in self._others(asked) if one.restricts and one.ref not in noted]:
            raise NotARequest(f"{', '.join(others)} restricts the same person, and to lift this would end that as well. If it "
                              f"is to last, close {asked.ref} as it is. If it ends, too, and the person was told, write a note "
                              f"to {asked.ref} that names it (`rollcall request note`), then run lift again.")

    def _settled(self, ref: str, by: str, why: str, move: Callable[[Request], Request]) -> Kept:
        """A change on top of whatever is newest: what a step came to is kept also when somebody wrote a note meanwhile."""
        for _ in range(TRIES - 1):
            try:
                return self.change(ref, None, by, why, move)
            except Stale:
                continue
        return self.change(ref, None, by, why, move)

    def _add(self, wanted: Request, base_n: int, by: str, why: str) -> Kept:
        try:
            return _kept(self._records.add(Record(REQUEST, wanted.ref, base_n + 1, str(wanted.state), wanted.model_dump_json(),
                                                  _now(), by, _reasoned(why))))
        except Stale:
            self._stale(wanted.ref, base_n)

    def _stale(self, ref: str, base_n: int) -> NoReturn:
        """Raises StaleRequest, which says what was changed since version `base_n`."""
        versions = self._records.versions(REQUEST, ref)
        raise StaleRequest(versions[-1], _kept(versions[base_n - 1]).request if 0 < base_n <= len(versions) else None)

    def _free(self, year: int) -> str:
        lost = self._records.last(RESTORED, REQUEST)    # commands were given under these, and letters sent
        taken = [*(record.name for kind in (REQUEST, SUBJECT) for record in self._records.newest(kind)),
                 *(json.loads(lost.body) if lost else ())]
        return f"r-{year:04}-" + format(max((int(ref.rpartition("-")[2]) for ref in taken
                                             if ref.startswith(f"r-{year:04}-")), default=0) + 1, "03")

    def _not_to_come(self, asked: Request) -> None:
        if asked.newest_day > self.today:
            raise NotARequest(f"{asked.newest_day} has not come yet; today is {self.today} ({self._settings.governance.zone}).")


def _reasoned(why: str) -> str:
    if not why.strip():
        raise RequestRefused("Say why: a version of a request is kept with its reason.")
    return why.strip()


def _fitting(kind: Kind, subject: Subject) -> None:
    """Only a rectification says what is to stand, and only what can be pinned."""
    if (kind is Kind.RECTIFICATION) != bool(subject.fields):
        raise RequestRefused("Say which fields are to be corrected, and to what." if kind is Kind.RECTIFICATION else
                             f"Fields to be corrected go with a rectification; this is {kind}.")
    try:
        if subject.fields:
            pins.checked(subject.fields)
    except CommandRefused as refused:
        raise RequestRefused(str(refused)) from None


def _of_nobody(asked: Request) -> set[Name]:
    """Steps that are done because nobody was found; nobody is restricted any more when that was lifted."""
    found = {run.step for run in asked.runs if run.done and run.result and run.result.nobody}
    return found - {Name.RESTRICT} if asked.run_of(Name.LIFT) else found


def _machine(asked: Request, name: str) -> str:
    if not life.allowed(asked, name).machine:
        raise NotARequest(f"{name} is done by the officer: say what shows it (--evidence).")
    return name


def _now() -> datetime:
    return datetime.now(UTC)


def _kept(record: Record) -> Kept:
    try:
        return Kept(Request.model_validate_json(record.body), record.n, record.at, record.by, record.why)
    except ValueError:
        raise RequestRefused(f"Version {record.n} of {record.name} is damaged in Cassandra (table records); restore it from "
                             "its backup.") from None
