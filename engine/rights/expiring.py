"""What Kafka's files hold of erased people, and until when: verdicts on what was read, worked out without asking anybody.

A record goes when its segment has ended, at the next append after some minutes, and the cleaner has come round; the null behind
it, whose key is the person's number, when it has come round once more. What nobody could be asked about (a letter that does
not open, a value before the first record that is still read) is never said to be gone before the time by which it must be.
"""

from collections.abc import Collection, Iterable, Sequence
from datetime import UTC, datetime, timedelta

from engine.person import is_number
from engine.rights.persons import Person
from engine.rights.topics import Held, Letters
from engine.settings import Kafka
from governance.rights.verdict import Outcome, Verdict

PEOPLE, DEAD = "kafka:people", "kafka:dead"

CLEANED_WITHIN = timedelta(minutes=5)
"""How long Kafka's cleaner may take to come round to a partition."""


SOUGHT = "their number or a known e-mail"
"""What is looked for, as long as it is known which e-mails are theirs."""


def sought(people: Collection[Person], before: bool) -> str:
    """What is looked for, in words. before: whether what an e-mail found once is looked at, too."""
    known = sum(bool(person.emails) for person in people)
    if known == len(people):
        return SOUGHT
    return (f"their number or, of {known} of {len(people)}, a known e-mail (of the others none is known any more"
            f"{'; what one found before was looked at' if before else ''})")


def of_letters(held: Letters, hidden_until: datetime | None, kafka: Kafka, now: datetime, sought: str) -> Verdict:
    """What the topic of dead letters holds of them, after what could be taken away was. hidden_until: when what lies before the
    first record that is read must be gone; sought: what was looked for."""
    said, ends = [], []
    if held.behind:
        said.append(f"{len(held.behind)} sealed letters were taken away and stay in the topic's files until they are "
                    "compacted, after the next record")
        ends.append(compacted_by(kafka, now))
    if held.unopened:
        said.append(f"{len(held.unopened)} letters cannot be opened with this key ring, so nobody knows whose they are; "
                    f"{_with_retention(kafka.dead_retention_hours)}")
        ends.append(_retained(max(held.unopened), kafka.dead_retention_hours))
    if hidden_until and hidden_until > now:
        said.append(_HIDDEN)
        ends.append(hidden_until)
    if held.standing:
        return Verdict(DEAD, Outcome.NOT_ERASED, f"{len(held.standing)} dead letters are about them and are being "
                       "redriven; end that with `rollcall dead-letters redrive`, then run this again", max(ends, default=None))
    if ends:
        return Verdict(DEAD, Outcome.EXPIRES_ON, "; ".join(said), max(ends))
    return Verdict(DEAD, Outcome.ERASED, f"every letter was opened, none names {sought}")


def bare(held: Iterable[Held]) -> list[Held]:
    """Values under their number that have no null behind them."""
    nulls = {(record.key, record.partition): record.offset for record in held if record.value is None}
    return [record for record in held if record.value is not None and record.keyed
            and nulls.get((record.key, record.partition), -1) < record.offset]


def alone(held: Iterable[Held]) -> list[Held]:
    """Values under a key that is nobody's number, with nothing behind them under it: a null there takes nobody's record."""
    return [record for record in held if record.value is not None and not record.keyed and record.behind < 0
            and not is_number(record.key)]


def of_people(held: Sequence[Held], hidden_until: datetime | None, kafka: Kafka, now: datetime, sought: str) -> Verdict:
    """What the topic of people holds of them, after a record was sent to each partition that holds something. hidden_until:
    when what lies before the first record that is read must be gone; sought: what was looked for."""
    nulls = [record for record in held if record.value is None]
    keyed = [record for record in held if record.value is not None and record.keyed]
    other = [record for record in held if record.value is not None and not record.keyed]
    said, ends = [], []
    if nulls:
        said.append(f"{len(keyed)} records have a null behind them, {len(nulls)} nulls stand under their number: compaction "
                    f"takes the first within {bound(kafka)} of the null and the next record in their partition, and then the "
                    "nulls")
        ends.append(max(_compacted_twice(kafka, moment(null.at)) for null in nulls))
        if ends[-1] <= now:    # nothing came to an idle partition until now
            ends[-1] = _compacted_twice(kafka, now)
    if behind := [record.behind for record in other if record.behind >= 0]:
        said.append(f"{len(behind)} came under another key, with a later record behind them: compaction takes them, too")
        ends.append(compacted_by(kafka, moment(max(behind))))
        if ends[-1] <= now:
            ends[-1] = compacted_by(kafka, now)
    if rest := [record.at for record in other if record.behind < 0]:
        said.append(f"{len(rest)} came under the number of another person, where no null may go; "
                    f"{_with_retention(kafka.retention_hours)}")
        ends.append(_retained(max(rest), kafka.retention_hours))
    if hidden_until and hidden_until > now:
        said.append(_HIDDEN)
        ends.append(hidden_until)
    if uncovered := bare(held):
        return Verdict(PEOPLE, Outcome.NOT_ERASED, f"{len(uncovered)} records have no null behind them yet; the stream "
                       "sends it when it runs", max(ends, default=None))
    if ends:
        return Verdict(PEOPLE, Outcome.EXPIRES_ON, "; ".join(said), max(ends))
    return Verdict(PEOPLE, Outcome.ERASED, f"read from the first record to the last, none names {sought}, nor does the "
                   "key of a null name them")


_HIDDEN = ("records before the first one that is read are in files until those are compacted, and nobody can ask whose they "
           "are")


def _with_retention(hours: int) -> str:
    return (f"no reader gets them after the topic's retention of {hours} h, and their bytes go with their segment, in about "
            "twice that time at most")


def _retained(at: int, hours: int) -> datetime:
    """When a record is gone at the latest that goes with its topic's retention: compaction joins segments, so that its bytes
    stay about as long again (engine/compliance/topics.py)."""
    return moment(at) + 2 * timedelta(hours=hours) + CLEANED_WITHIN


def compacted_by(kafka: Kafka, since: datetime) -> datetime:
    """When a record is gone at the latest that has a null behind it, once another record came after that."""
    return since + timedelta(minutes=_roll_minutes(kafka) + kafka.max_compaction_lag_minutes) + CLEANED_WITHIN


def _compacted_twice(kafka: Kafka, since: datetime) -> datetime:
    """When a null is gone at the latest: the cleaner, where it finds one, notes until when readers may still see it, and takes
    it when it comes round after that."""
    return compacted_by(kafka, compacted_by(kafka, since) + timedelta(minutes=kafka.max_compaction_lag_minutes))


def bound(kafka: Kafka) -> str:
    """What `compacted_by` allows, in words."""
    return f"{_roll_minutes(kafka) + kafka.max_compaction_lag_minutes + CLEANED_WITHIN.seconds // 60} minutes"


def moment(ms: int) -> datetime:
    """Milliseconds of Kafka as a moment in UTC."""
    return datetime.fromtimestamp(ms / 1000, UTC)


def _roll_minutes(kafka: Kafka) -> int:
    """Minutes after which Kafka ends a segment of a compacted topic at the next append: whichever of the two is shorter."""
    return min(kafka.segment_minutes, kafka.max_compaction_lag_minutes)
