"""Hop 1: people to Kafka, each under its uuid, with nothing in it that the catalogue drops.

A page of the source counts as done when the broker has acknowledged all its records; only then is the position saved,
so a restart repeats at most one page and leaves none out. What is no person becomes a dead letter. Kafka, Cassandra or
the source being away is waited for and said.
"""

import json
import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from engine import topics
from engine.erased import Erased
from engine.errors import Retryable, SettingsInvalid, SignInRefused
from engine.heartbeat import Heartbeat
from engine.metrics import ProducerMetrics
from engine.outage import REFUSED_FOR_S
from engine.person import SCHEMA_FORM, is_number, numbers
from engine.sealing import load_keys
from engine.secrets import write_secret
from engine.sender import Outgoing, Sender
from engine.settings import Settings
from engine.sources import Item, Source
from engine.stores.dead_letters import DeadLetters
from governance.catalogue import kind, project

PRINCIPAL = "producer"
SCHEMA = b"1.4"
CHUNK_S = 0.1
"""People of so many seconds are sent at a time: smooth at any rate."""

SETTLE_EVERY_S = 1.0
SETTLE_EVERY = 2000
"""Seconds, and records, after which acknowledgements are waited for within a page."""

PAUSES_S = (1.0, 2.0, 4.0, 8.0, 15.0)
LARGEST = topics.PEOPLE_MAX_BYTES - 8192


@dataclass(frozen=True)
class Produced:
    """What a run did. read = sent + dead + erased_skipped, as far as the run got.

    dropped: path of a field -> how many were left out. pages: those completely acknowledged. place: the last item read.
    """

    read: int = 0
    sent: int = 0
    dead: int = 0
    erased_skipped: int = 0
    dropped: Mapping[str, int] = field(default_factory=dict)
    pages: int = 0
    place: str = ""


@dataclass(frozen=True)
class Judged:
    """An item as it goes on: with a reason it is a dead letter, otherwise a record under `uuid`."""

    uuid: str = ""
    value: bytes = b""
    dropped: Mapping[str, int] = field(default_factory=dict)
    reason: str = ""


def judged(item: Item) -> Judged:
    """Decides what becomes of an item. Pure; the reason names fields and types, never a value."""
    if item.problem:
        return Judged(reason=item.problem)
    person = item.person
    if not isinstance(person, Mapping):
        return Judged(reason=f"The record holds {kind(person)} where a person, an object, is allowed. "
                             "Mend it and send it again.")
    projection = project(person)
    if projection.problems:
        return Judged(reason=f"{'; '.join(projection.problems)}. Mend the record and send it again.")
    login = projection.person.get("login")
    uuid = login.get("uuid") if isinstance(login, dict) else None
    if uuid is None:
        return Judged(reason="login.uuid is missing (the API has it since 1.2); people without one cannot be told "
                             "apart. Give each a uuid and send them again.")
    canonical = uuid.strip().lower() if isinstance(uuid, str) else ""
    if not is_number(canonical):
        return Judged(reason="login.uuid is no uuid; allowed are 32 hexadecimal digits as 8-4-4-4-12. "
                             "Mend it and send the record again.")
    try:
        value = json.dumps({**projection.person, "login": {"uuid": canonical}}, ensure_ascii=False, allow_nan=False,
                           separators=(",", ":")).encode()
    except ValueError:     # half a surrogate pair, or a number that is none
        return Judged(reason="A field holds text that is not Unicode or a number that is none. "
                             "Mend it and send the record again.")
    if len(value) > LARGEST:
        return Judged(reason=_too_large(len(value)))
    return Judged(canonical, value, projection.dropped)


def understood(schema: str | None) -> bool:
    """Whether people of this version can be judged; those of a sender who names none are looked at as they are."""
    return schema is None or re.fullmatch(SCHEMA_FORM, schema) is not None


def produce(settings: Settings, source: Source, say: Callable[[str], None], stop: threading.Event,
            limit: int | None = None, supervised: bool = True, metrics: ProducerMetrics | None = None) -> Produced:
    """Sends the source's people until it ends, `stop` is set or `limit` people were read; returns what was done.

    supervised: False for a run beside the supervised one, which keeps a place of its own and gives no sign of life.
    metrics: what the sign of life is shown to Prometheus by.
    `say` gets one sentence for each thing worth knowing (a pause, a repeat, a store that is away). Raises
    SignInRefused, SettingsInvalid, InputUnreadable; whatever was acknowledged before stays.
    """
    with ExitStack() as stack:
        return _Run(settings, source, say, stop, limit, supervised, metrics or ProducerMetrics(), stack).run()


class _Run:
    """One run of the producer."""

    def __init__(self, settings: Settings, source: Source, say: Callable[[str], None], stop: threading.Event,
                 limit: int | None, supervised: bool, metrics: ProducerMetrics, stack: ExitStack) -> None:
        self._settings, self._source, self._say, self._stop = settings, source, say, stop
        self._limit, self._supervised, self._metrics = limit, supervised, metrics
        self._path = settings.state / f"producer-{source.name}{'' if supervised else '-terminal'}.json"
        self._keys = load_keys(settings)
        self._sender = Sender(settings, PRINCIPAL)
        self._letters = DeadLetters(settings, PRINCIPAL, self._keys)
        self._erased = Erased(settings, PRINCIPAL)
        self._heartbeat = Heartbeat(settings, PRINCIPAL)
        for part in (self._heartbeat, self._sender, self._letters, self._erased):
            stack.callback(part.close)
        self._counts: Counter[str] = Counter()
        self._dropped: Counter[str] = Counter()
        self._place = ""
        self._state, self._waiting_since = "running", ""
        self._said = ""
        self._due = self._settled_at = time.monotonic()
        self._unsettled = 0

    def run(self) -> Produced:
        if not self._waited_for(self._erased.start, "Cassandra"):
            return self._produced()
        if not self._waited_for(self._sender.open, "Kafka"):
            return self._produced()
        self._due = time.monotonic()
        position = _position(self._path) if self._source.resumes else None
        try:
            for page in self._source.pages(position, self._wait):
                self._running()
                if not self._page(page.items) or not self._settle():
                    break
                self._counts["pages"] += 1
                if self._source.resumes:
                    write_secret(self._path, page.position.encode())
                if self._over():
                    break
            else:
                self._settle()
        finally:
            self._state = "ended"
            if self._supervised:
                self._beat()
        return self._produced()

    def _page(self, items: tuple[Item, ...]) -> bool:
        """Sends one page, paced; False when it was not sent to its end."""
        fetched_at = datetime.now(UTC).isoformat(timespec="milliseconds").encode()
        rate = self._settings.producer.rate
        size = max(1, round(rate * CHUNK_S)) if rate else SETTLE_EVERY
        for first in range(0, len(items), size):
            chunk = items[first:first + size]
            if self._limit is not None:
                chunk = chunk[:self._limit - self._counts["read"]]
            if self._stop.is_set() or not chunk:
                return self._settle() and False
            for item in chunk:
                self._item(item, fetched_at)
            if not self._kept_up() or not self._paced(len(chunk) / rate if rate else 0.0):
                return False
        return True

    def _item(self, item: Item, fetched_at: bytes) -> None:
        self._place = item.place
        self._counts["read"] += 1
        self._unsettled += 1
        verdict = judged(item)
        if verdict.reason:
            self._dead(item.place, verdict.reason, item.raw if item.problem else item.person)
        elif self._settings.producer.skip_erased and self._is_erased(verdict.uuid):
            self._counts["erased_skipped"] += 1
        else:
            headers = [("source", self._source.name.encode()), ("schema", SCHEMA), ("fetched_at", fetched_at)]
            if self._source.synthetic:
                headers.append(("synthetic", b"1"))
            self._dropped.update(verdict.dropped)
            self._sender.send(
                Outgoing(self._settings.kafka.topic, verdict.uuid.encode(), verdict.value, headers, item.place))

    def _is_erased(self, uuid: str) -> bool:
        return self._keys.suppression_token(uuid) in self._erased

    def _dead(self, place: str, reason: str, value: object) -> None:
        said = value if isinstance(value, bytes) else json.dumps(value).encode()
        if any(map(self._is_erased, numbers(said))):    # whatever the setting: the stream bars a record, nobody a letter
            self._counts["erased_skipped"] += 1
            return
        mark = self._keys.dead_letter_mark(said)    # files of the same name must not overwrite each other's letters
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        origin = {"source": self._source.name, "fetched_at": now, **({"synthetic": "1"} if self._source.synthetic else {})}
        self._letters.put(f"{place}#{mark}", reason, value, now, origin=origin)

    def _kept_up(self) -> bool:
        """Settles when it is time to."""
        late = time.monotonic() - self._settled_at >= SETTLE_EVERY_S
        return self._settle() if late or self._unsettled >= SETTLE_EVERY else True

    def _settle(self) -> bool:
        """Waits until all is acknowledged, however long the broker is away; False when told to stop meanwhile."""
        done = self._waited_for(self._settle_once, "Kafka")
        self._unsettled, self._settled_at = 0, time.monotonic()
        self._beat_if_due()
        return done

    def _settle_once(self) -> None:
        settled = self._sender.settle()
        self._counts["sent"] += settled.acknowledged
        for record in settled.too_large:
            self._dead(record.place, _too_large(len(record.value or b"")), record.value)
        self._counts["dead"] += self._letters.flush()

    def _waited_for(self, attempt: Callable[[], None], what: str) -> bool:
        """Tries until it succeeds; False when told to stop after a failure."""
        tries, refused_at = 0, 0.0
        while True:
            try:
                attempt()
            except (Retryable, SignInRefused) as error:
                if isinstance(error, SignInRefused):    # a server that has just started may refuse for a moment
                    refused_at = refused_at or time.monotonic()
                    if time.monotonic() - refused_at >= REFUSED_FOR_S:
                        raise
                else:
                    refused_at = 0.0
                if not self._pause(PAUSES_S[min(tries, len(PAUSES_S) - 1)], what, str(error)):
                    return False
                tries += 1
            else:
                self._running()
                return True

    def _wait(self, seconds: float, why: str) -> bool:
        """How a source pauses."""
        return self._pause(seconds, f"the {self._source.name} API", why)

    def _pause(self, seconds: float, what: str, why: str) -> bool:
        """Pauses where it can be seen (said, and in the heartbeat); False as soon as told to stop."""
        self._metrics.waits.on(what)
        self._waiting_since = self._waiting_since or datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        self._state = f"waiting for {what} since {self._waiting_since} because {why}"
        self._say(f"Waiting for {what}: {why.rstrip('.')}. Trying again in {seconds:.1f} s.")
        until = time.monotonic() + seconds
        while not self._stop.is_set() and (left := until - time.monotonic()) > 0:
            self._beat_if_due()
            self._stop.wait(min(left, 1.0))
        self._due = max(self._due, time.monotonic())     # no burst to make up for the pause
        return not self._stop.is_set()

    def _running(self) -> None:
        if self._waiting_since:
            self._metrics.waits.on("")
            self._say(f"Going on; the wait began at {self._waiting_since}.")
        self._state, self._waiting_since = "running", ""

    def _paced(self, seconds: float) -> bool:
        """Waits for the moment the next chunk is due. True even when told to stop: the caller looks."""
        self._due = max(self._due + seconds, time.monotonic() - 1.0)
        while not self._stop.is_set() and (left := self._due - time.monotonic()) > 0:
            self._beat_if_due()
            self._stop.wait(min(left, 1.0))
            if self._unsettled and not self._kept_up():
                return False
        return True

    def _over(self) -> bool:
        return self._stop.is_set() or (self._limit is not None and self._counts["read"] >= self._limit)

    def _beat_if_due(self) -> None:
        if self._erased.failure != self._said:
            self._said = self._erased.failure
            self._say(f"Who is erased cannot be read; the last answer is used: {self._said}" if self._said
                      else "Who is erased can be read again.")
        if self._supervised and self._heartbeat.due:
            self._beat()

    def _beat(self) -> None:
        counts = self._counts
        self._metrics.document = self._heartbeat.beat(counts["sent"], {
            "source": self._source.name, "synthetic": self._source.synthetic, "state": self._state,
            "dead": counts["dead"], "skipped": counts["erased_skipped"], "dropped": self._dropped.total(),
            "dropped_fields": [{"field": path, "times": times} for path, times in self._dropped.most_common()],
            "read": counts["read"], "pages": counts["pages"], "place": self._place})

    def _produced(self) -> Produced:
        counts = self._counts
        return Produced(counts["read"], counts["sent"], counts["dead"], counts["erased_skipped"], dict(self._dropped),
                        counts["pages"], self._place)


def _too_large(size: int) -> str:
    return f"The person has {size} bytes; allowed are {LARGEST}. Shorten the longest field and send the record again."


def _position(path: Path) -> str | None:
    """Where the source goes on; None from its start. Raises SettingsInvalid for a damaged file."""
    try:
        text = path.read_text()
        if not isinstance(json.loads(text), dict):
            raise ValueError
    except FileNotFoundError:
        return None
    except ValueError:
        raise SettingsInvalid(f"The position {path} is damaged. Delete it to start with a new seed; nothing is "
                              "stored twice by that.") from None
    return text
