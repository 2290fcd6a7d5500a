"""Erasing people, in the one order that works; whoever runs it again after a crash at any step comes to the same.

    dead letters   searched while the row still says which e-mail is theirs; what is about them is discarded
    packages       of what was held of them, so that none is handed out any more
    command        `erase` on the control topic; the stream deletes the row, corrects the counts, sets the marker, sends nulls
    files          Cassandra's: flushed, compacted without regard to gc_grace, the commit log's segments ended; of packages the
                   whole table, for a run that was killed took the names of its packages with it
    topic          of people: read from its first record to its last; values that are left have a null behind them, or not
    elsewhere      files of the installation, recipients, what is kept on purpose

Nothing remembers which steps were done: each looks at the stores, does what is to do, and its verdict says what it found
there afterwards. A store that is away gives NOT ERASED, and what rests on it is left for the next run.
"""

import json
from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from uuid import UUID

from engine import commands
from engine.carried_out import wait_and_look
from engine.clients import cassandra_session, mapped, mongo_client
from engine.commands import canonical
from engine.compliance.register import Register
from engine.errors import CommandRefused, Final, RollcallError
from engine.native import nodetool
from engine.rights import expiring, kept, persons, topics
from engine.rights.files import FILES, Searched, of_files, searched
from engine.rights.find import in_audit, in_records, known
from engine.rights.letters import taken_away
from engine.rights.packages import Packages
from engine.rights.persons import About, Person
from engine.sealing import KeyRing, load_keys, token
from engine.settings import Settings
from engine.stores.aggregates import Aggregates
from engine.stores.records import ENDED, ERASURE, Record, Records
from engine.stores.schema import MARKERS, PACKAGES, PROFILES
from governance.requests.recipients import recipients_of
from governance.rights.proof import RECIPIENTS, Proof
from governance.rights.verdict import Outcome, Verdict

Say = Callable[[str], None]

PACKED = "cassandra:packages"

BEGUN = timedelta(hours=1)
"""How old the newest proof is of an erasure of which nothing was commanded, when nobody is about to send it."""


class NotYet(RollcallError):
    """A step rests on one that could not be done."""


class NotCommanded(Final):
    """An erasure was begun, and broke off before anything was commanded: dead letters may be gone, the row stands."""


class Lifted(CommandRefused):
    """Somebody whom the request erased was lifted since: of it nothing is in force any more."""


def erase(settings: Settings, uuids: Sequence[str], request: str, within_s: float, say: Say,
          emails: Sequence[str] = ()) -> Proof:
    """Erases people and says what each store holds of them afterwards; the proof is kept in the records.

    within_s: how long the stream may take to carry out the commands. emails: addresses that are theirs, beside those that the
    stores know; of one person. Raises CommandRefused (a uuid that is none; somebody was
    lifted since this request erased them), SettingsInvalid; a store that is away is a verdict.
    """
    return _Erasure(settings, [canonical(uuid) for uuid in uuids], request, within_s, say, emails).run()


def waiting(settings: Settings) -> list[str]:
    """Requests of erasures of which something was not erased, or should have expired by now: a run before that day would read
    every topic to find the same. Raises StoreAway, SignInRefused."""
    now = datetime.now(UTC)
    with Records.opened(settings) as records:
        newest = {record.name: Proof.from_json(json.loads(record.body)) for record in records.newest(ERASURE)
                  if record.state != ENDED}
    return [request for request, proof in newest.items()
            if not proof.done or any(one.on and one.on <= now for one in proof.verdicts)]


def again(settings: Settings, request: str, within_s: float, say: Say, acting: AbstractContextManager[None]) -> Proof | None:
    """Runs an erasure once more, of those whom its commands name and who were not lifted since. Where there are none it is
    ended, so that nobody waits for it, and None is the answer. acting: around what is done, if anything is.

    Raises as `erase` does, and NotCommanded when it ends one that broke off, Stale, StoreAway, SignInRefused.
    """
    keys = load_keys(settings)
    control = topics.control(settings, keys)
    people = {one.token: one.uuid for one in control.commands if one.verb == "erase" and one.request == request}
    lifted = _lifted(control.commands, request, set(people))
    still = sorted(uuid for token, uuid in people.items() if token not in lifted)
    if not still:
        if not control.unread:    # else there may be one that another key ring reads
            _end(settings, request, bool(people))
        return None
    with acting:
        return erase(settings, still, request, within_s, say)


def _end(settings: Settings, request: str, sent: bool) -> None:
    """Keeps the last proof as that of an erasure which nobody carries on; who runs it anew opens it again. sent: whether it was
    ever commanded; else a run may be about to. Raises NotCommanded when it is ended and was not."""
    with Records.opened(settings) as records:
        last, now = records.last(ERASURE, request), datetime.now(UTC)
        if last is None or (not sent and now - last.at < BEGUN):
            return
        records.add(replace(last, n=last.n + 1, state=ENDED, at=now, why="everybody was lifted since" if sent else
                            "nothing of it was commanded"))
    if not sent:
        raise NotCommanded(f"Erasure {request} was begun at {last.at:%Y-%m-%d %H:%M} UTC, and nothing was commanded. Whom it "
                           "is about nobody knows here: run it again, by the step of its request or `rollcall erase`.")


def unnamed(uuids: Iterable[str], keys: KeyRing) -> str:
    """The id of an erasure that answers no request: the same for the same people, so that running it again goes on."""
    return f"erasure-{token(keys.suppression, ' '.join(sorted(uuids)))[:16]}"


def proofs(settings: Settings, request: str) -> list[Proof]:
    """What the runs of an erasure found, the newest last. Raises StoreAway, SignInRefused."""
    with Records.opened(settings) as records:
        return [Proof.from_json(json.loads(record.body)) for record in records.versions(ERASURE, request)]


class _Erasure:
    def __init__(self, settings: Settings, uuids: Sequence[str], request: str, within_s: float, say: Say,
                 emails: Sequence[str] = ()) -> None:
        self.settings, self.request, self.within_s, self.say = settings, request, within_s, say
        self.keys = load_keys(settings)
        self.emails = frozenset(self.keys.email_token(email.strip()) for email in emails)
        self.people = {uuid: Person(uuid, self.keys.suppression_token(uuid), self.emails) for uuid in uuids}
        self.tokens = [person.token for person in self.people.values()]
        self.commands: tuple[int, ...] = ()
        self.about = About(self.keys, self.people.values())
        self.known = self.searched = self.carried_out = False
        self.places: set[str] = set()
        self.said: list[commands.Command] = []
        self.packages: Verdict | None = None

    def run(self) -> Proof:
        """Each step in its turn, whatever the ones before came to."""
        steps: tuple[tuple[str, Callable[[], Iterable[Verdict]]], ...] = (
            (expiring.DEAD, self._letters), (PACKED, self._withdrawn), ("mongo", self._command),
            ("cassandra:profiles", self._files), (PACKED, self._packages), (expiring.PEOPLE, self._topic),
            (FILES, self._elsewhere), (kept.CONTROL, self._commands), (kept.RECORDS, self._officer),
            ("register", self._told))
        found: list[Verdict] = []
        for place, step in steps:
            try:
                verdicts = list(step())
            except CommandRefused:
                raise
            except RollcallError as error:
                verdicts = [Verdict(place, Outcome.NOT_ERASED, str(error))]
            found += verdicts
            for verdict in verdicts:
                self.say(f"{verdict.store}: {verdict.said}")
        proof = self._proof(found)
        self._keep(proof)
        return proof

    def _proof(self, found: Iterable[Verdict]) -> Proof:
        return Proof(self.request, datetime.now(UTC), len(self.people), self.commands, tuple(found),
                     tuple(sorted(self.places)))

    @cached_property
    def _before(self) -> frozenset[str]:
        """Places in the topics, and files, that earlier runs of this erasure knew by an e-mail."""
        return frozenset(place for proof in self._earlier for place in proof.places)

    @cached_property
    def _earlier(self) -> list[Proof]:
        return proofs(self.settings, self.request)

    def _hidden_until(self, place: str, topic: str) -> datetime | None:
        """Until when what earlier runs found may be, or have been, in files that nobody can ask: before the first record that
        is read."""
        days = [one.on for proof in self._earlier for one in proof.verdicts if one.store == place and one.on]
        until = max(days, default=None)
        return until if until and topics.begun(self.settings, topic) else None

    @property
    def _sought(self) -> str:
        return expiring.sought(self.people.values(), bool(self._before))

    # --- dead letters and packages, before the row is gone

    def _letters(self) -> Iterable[Verdict]:
        theirs = [replace(one, emails=one.emails | self.emails) for one in known(self.settings, self.keys, self.people)]
        self.people, self.known = {one.uuid: one for one in theirs}, True    # from here on with their e-mails
        self.about = About(self.keys, theirs)
        held = taken_away(self.settings, self.keys, self.about, f"erasure {self.request}", self._before)
        self.places |= {letter.mark for letter in held.behind}
        self.searched = not held.standing    # else the command would take the row, and with it which e-mail is theirs
        kafka = self.settings.kafka
        yield expiring.of_letters(held, self._hidden_until(expiring.DEAD, kafka.dead_topic), kafka, datetime.now(UTC),
                                  self._sought)

    def _withdrawn(self) -> Iterable[Verdict]:
        """Takes packages away; the verdict comes when the files were looked after, too."""
        with Packages.opened(self.settings) as packages:
            for request in packages.of(self.tokens):
                packages.purge(request)
        return ()

    # --- the command: rows, counts, markers, nulls

    def _command(self) -> Iterable[Verdict]:
        if not self.searched:
            raise NotYet("no command was sent, for not every dead letter could be searched and taken away while it is known "
                         "what is theirs")
        said = topics.of_commands(self.settings, self.keys, self.tokens)
        if _lifted(said, self.request, set(self.tokens)):
            raise Lifted(f"Somebody was lifted since {self.request} erased them, so nothing is sent. To erase them once more, "
                         "give another request.")
        marked = persons.markers(self.settings, self.tokens)
        there = set(persons.rows(self.settings, self.people, "uuid"))
        bare = {uuid for record in expiring.bare(self._in_topic()) for uuid in record.about}
        due = [one.uuid for one in self.people.values()
               if not (marker := marked.get(one.token)) or not marker["erased"] or marker["pins"] or one.uuid in there | bare]
        if not due and self._counts_of_nobody():    # left of a turn that was killed: the next one with a command ends them
            due = [*self.people][:1]
        if due:
            self._begin()
            offset = commands.send_erasures(self.settings, self.keys, due, self.request)
            self.say(f"{len(due)} commands are on the control topic, the last at offset {offset}")
            said = topics.of_commands(self.settings, self.keys, self.tokens)
        sent = [one for one in said if one.verb == "erase" and one.request == self.request]
        self.commands = tuple(one.offset for one in sent)
        wait_and_look(self.settings, {**{token: marker["last_command"] for token, marker in marked.items()},
                                      **{one.token: one.offset for one in sent}}, self.within_s)
        self.carried_out, self.said = True, said
        if empty := self._counts_of_nobody():
            yield Verdict("mongo", Outcome.NOT_ERASED, f"{empty} counts of nobody stand, and each is named after what somebody "
                          "had: a domain, a nationality, a month of birth; run this again")
        else:
            yield Verdict("mongo", Outcome.ERASED, "the counts follow: the turn that took the rows out of them is closed, and "
                          "no document, nor a count in one, is left of nobody")
        yield kept.of_markers(sum(bool(marker["pins"]) for marker in persons.markers(self.settings, self.tokens).values()))

    def _counts_of_nobody(self) -> int:
        """How many may be left of them: what a later turn has emptied was somebody else's."""
        turn = persons.carried_out_in(self.settings, self.tokens)
        with mongo_client(self.settings, persons.READER) as client:
            return Aggregates(client[self.settings.mongo.database], self.settings.mongo.bulk).empty(turn)

    # --- Cassandra's files

    def _files(self) -> Iterable[Verdict]:
        place = "cassandra:profiles"
        if there := persons.rows(self.settings, self.people, "uuid"):
            yield Verdict(place, Outcome.NOT_ERASED, f"{len(there)} of {len(self.people)} rows stand")
            return
        if not self.carried_out:    # a row that a turn has in hand may still be written
            raise NotYet("no row stands, but the stream has not carried out the command")
        self._withdrawn()    # one that was made meanwhile: from now on none can be
        node, others = nodetool.local(self.settings), self._other_nodes()
        if node is None or others:
            yield Verdict(place, Outcome.EXTERNAL, f"the rows are deleted; {others + 1} node(s) hold them in their files until "
                          f"`nodetool repair {self._keyspace}`, then on each node `nodetool flush` and `nodetool forcecompact "
                          f"{self._keyspace} profiles` with the person's number (else until compaction after "
                          "gc_grace_seconds), and until the segments of the commit log have ended",
                          recipient=kept.NODE)
            self.packages = Verdict(PACKED, Outcome.EXTERNAL, "none is handed out any more; sealed ones stay in the files "
                                    f"until `nodetool flush` and `nodetool compact {self._keyspace} packages` on each node",
                                    recipient=kept.NODE)
            return
        left = nodetool.purge(self.settings, node, {PROFILES.name: list(self.people), MARKERS.name: self.tokens},
                              [PACKAGES.name])
        held = nodetool.holding(node, self._keyspace, PROFILES.name, [UUID(uuid).bytes for uuid in self.people])
        if held or left:
            yield Verdict(place, Outcome.NOT_ERASED, f"the rows are deleted; files still hold {held} of them and {left} "
                          "segments of the commit log from before; run this again")
        else:
            yield Verdict(place, Outcome.ERASED, "row, index and commit log: flushed, compacted without gc_grace, looked at")
        if not left:
            self.packages = Verdict(PACKED, Outcome.ERASED, "no package of theirs is there, and the whole table was compacted")

    def _packages(self) -> Iterable[Verdict]:
        with Packages.opened(self.settings) as packages:
            waiting = packages.of(self.tokens)
        if waiting:
            yield Verdict(PACKED, Outcome.NOT_ERASED, f"{len(waiting)} packages of theirs are there; run this again")
        else:
            yield self.packages or Verdict(PACKED, Outcome.NOT_ERASED, "no package of theirs is handed out any more; the files "
                                           "that hold sealed ones could not be looked after")

    @property
    def _keyspace(self) -> str:
        return self.settings.cassandra.keyspace

    def _other_nodes(self) -> int:
        with cassandra_session(self.settings, persons.READER) as session, mapped("looking for other nodes", persons.READER):
            return len(list(session.execute("SELECT peer FROM system.peers_v2")))

    # --- the topic of people

    def _topic(self) -> Iterable[Verdict]:
        kafka, now = self.settings.kafka, datetime.now(UTC)
        commanded = max((one.at for one in self.said if one.verb == "erase"), default=None)
        hidden = None
        if topics.begun(self.settings, kafka.topic):    # by the command's null those are compacted, too
            hidden = expiring.compacted_by(kafka, expiring.moment(commanded) if commanded is not None else now)
            hidden = max(hidden, self._hidden_until(expiring.PEOPLE, kafka.topic) or hidden)
        held = self._in_topic()
        if alone := expiring.alone(held):
            topics.hide(self.settings, kafka.topic, alone)
            held = self._in_topic()
        topics.tick(self.settings, kafka.topic, {record.partition for record in held})
        yield expiring.of_people(held, hidden, kafka, now, self._sought)

    def _in_topic(self) -> list[topics.Held]:
        """What the topic of people holds of them; notes the places of what their number does not tell."""
        held = topics.of_people(self.settings, self.people, self.about, self._before)
        self.places |= {record.mark for record in held if record.value is not None and not record.keyed}
        return held

    # --- files of the installation, what is kept on purpose, and everybody else

    def _elsewhere(self) -> Iterable[Verdict]:
        yield of_files(self._in_files(self._before), self._sought, self.known)

    def _in_files(self, before: Collection[str] = ()) -> Searched:
        """Looks through the files; notes those in which only an e-mail tells that they are named."""
        found = searched(self.settings, self.about, self.keys.suppression, before)
        self.places |= found.addressed
        return found

    def _commands(self) -> Iterable[Verdict]:
        yield kept.of_commands(topics.of_commands(self.settings, self.keys, self.tokens))

    def _officer(self) -> Iterable[Verdict]:
        people = self.people.values()
        names = in_records(self.settings, self.keys, people)
        yield kept.of_records(len(names))
        yield kept.of_audit(len(in_audit(self.settings, people, names)))

    def _told(self) -> Iterable[Verdict]:
        with Records.opened(self.settings) as records:
            entries = [version.entry for version in Register(records).in_force()]
        stated = dict.fromkeys(limit.said for entry in entries for item in entry.items for limit in item.retention
                               if limit.place == kept.COPIES)
        node = nodetool.local(self.settings)
        yield from kept.of_copies(list(stated), nodetool.snapshots(node, self._keyspace) if node else None, self._keyspace)
        for name in recipients_of(entries):
            yield Verdict(RECIPIENTS, Outcome.EXTERNAL, "has to be told (Art. 19), unless nothing was passed on to them",
                          recipient=name)

    def _begin(self) -> None:
        """Keeps, before anything is commanded, that the erasure is not at its end: of a run that is killed the keeper knows.
        And where their e-mails stand, which go with the rows. Anew where that was kept some time ago, lest the keeper end it
        just now. Raises StoreAway, SignInRefused."""
        if any(person.emails for person in self.people.values()):    # else nothing goes with the rows that tells of a file
            self._in_files()
        open_one = self._proof([Verdict(expiring.PEOPLE, Outcome.NOT_ERASED, "a run was begun and has not come to its end")])
        self._add(open_one, lambda last: last.done or open_one.at - last.at > BEGUN / 2)

    def _keep(self, proof: Proof) -> None:
        """Keeps the proof, if it says anything new. Cassandra may be what is away: then it stands in the answer alone."""
        try:
            self._add(proof, lambda last: _outcomes(last.verdicts) != _outcomes(proof.verdicts))
        except RollcallError as error:
            self.say(f"the proof could not be kept: {error}")

    def _add(self, proof: Proof, differs: Callable[[Proof], bool]) -> None:
        """Adds a proof, if the last one is another or does not know all its places."""
        with Records.opened(self.settings) as records:
            last = records.last(ERASURE, self.request)
            before = Proof.from_json(json.loads(last.body)) if last and last.state != ENDED else None
            if before is None or differs(before) or not set(proof.places) <= set(before.places):
                records.add(Record(ERASURE, self.request, last.n + 1 if last else 1, "done" if proof.done else "open",
                                   json.dumps(proof.as_json()), proof.at, "erasure", ""))


def _outcomes(verdicts: Iterable[Verdict]) -> list[tuple[str, Outcome, str, date | None]]:
    """What is worth another proof; a day, for a moment moves with every run."""
    return [(one.store, one.outcome, one.recipient, one.on.date() if one.on else None) for one in verdicts]


def _lifted(said: Iterable[commands.Command], request: str, tokens: set[str]) -> set[str]:
    """Tokens of those whom this request erased and who were lifted after that."""
    erased: dict[str, int] = {}
    for command in said:
        if command.token in tokens and command.verb == "erase" and command.request == request:
            erased.setdefault(command.token, command.offset)
    return {command.token for command in said
            if command.verb == "lift" and command.offset > erased.get(command.token, command.offset)}
