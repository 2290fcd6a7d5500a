"""The control topic: commands of governance about one person, folded by the stream in their order.

A command is `{"verb", "token", "sealed"}` under the request's id. `sealed` holds the uuid, for expire `cut_off`
in milliseconds, for rectify the pins (engine/writer/pins.py), encrypted under a key that is never rotated: the topic is
kept for ever, for the markers can be rebuilt from it. `recount`, and `reseal` (take up the key ring as it is kept now, and
seal every row with its current keys), concern nobody and carry neither token nor sealed part.
"""

import base64
import binascii
import json
import uuid as uuids
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from engine.clients import kafka_producer, mapped
from engine.errors import CommandRefused
from engine.sealing import CannotOpen, KeyRing
from engine.settings import Settings
from engine.writer import pins

VERBS = ("erase", "lift", "restrict", "unrestrict", "rectify", "expire", "recount", "reseal")
OF_NOBODY = ("recount", "reseal")


@dataclass(frozen=True)
class Command:
    """One command as read: its place on the topic (offset), append time in milliseconds, and what it says."""

    offset: int
    at: int
    verb: str
    token: str = ""
    uuid: str = ""
    request: str = ""
    cut_off: int = -1
    pins: str = ""


@dataclass(frozen=True)
class Marker:
    """What is remembered of a person who was subject of a command; kept by suppression token.

    not_before: records appended at or before this moment (ms) do not count. last_command: offset of the newest command
    folded in, so that none is carried out twice. pins: JSON of engine/writer/pins.py, empty for none. rectified: offset of the
    rectification they are as of.
    """

    token: str
    erased: bool = False
    restricted: bool = False
    not_before: int = -1
    last_command: int = -1
    request: str = ""
    pins: str = ""
    rectified: int = -1


@dataclass(frozen=True)
class Verdict:
    """What a turn has to respect for one person: the marker after the fold.

    uuid: known if a command of this turn names the person. changed: whether one changed the marker.
    """

    marker: Marker
    uuid: str = ""
    changed: bool = False

    def bars(self, appended_at: int) -> bool:
        """Whether a record of that append time does not count, and a row made of it must go: an erasure with no later
        lift takes it whatever its time."""
        return self.marker.erased or appended_at <= self.marker.not_before


def fold(markers: Mapping[str, Marker], commands: Iterable[Command]) -> dict[str, Verdict]:
    """Folds commands into markers, per person in their order; returns a verdict for every marker and commanded person."""
    verdicts = {token: Verdict(marker) for token, marker in markers.items()}
    for command in commands:
        if command.verb not in OF_NOBODY:
            verdict = verdicts.get(command.token, Verdict(Marker(command.token)))
            verdicts[command.token] = _carried_out(replace(verdict, uuid=command.uuid), command)
    return verdicts


def _carried_out(verdict: Verdict, command: Command) -> Verdict:
    marker = verdict.marker
    if command.offset <= marker.last_command:
        return verdict    # was carried out before
    marker = replace(marker, last_command=command.offset, request=command.request)
    match command.verb:
        case "erase":
            marker = replace(marker, erased=True, not_before=max(marker.not_before, command.at), pins="", rectified=-1)
        case "lift" if marker.erased:
            marker = replace(marker, erased=False, not_before=max(marker.not_before, command.at))
        case "expire" if not marker.restricted:    # who restricts may want them kept (Art. 18)
            marker = replace(marker, not_before=max(marker.not_before, command.cut_off))
        case "rectify" if not marker.erased:    # else what the erasure took away would stand again, in the marker
            marker = replace(marker, pins=pins.over(marker.pins, command.pins), rectified=command.offset)
        case "restrict" | "unrestrict":
            marker = replace(marker, restricted=command.verb == "restrict")
    return replace(verdict, marker=marker, changed=True)


def encode(keys: KeyRing, verb: str, request: str, uuid: str = "", cut_off: int = -1,
           fields: Mapping[str, Any] | None = None) -> bytes:
    """The value of a command; CommandRefused for a verb, uuid or fields (of rectify: a partial person) that are none."""
    if verb not in VERBS:
        raise CommandRefused(f"There is no command {verb!r}; there are {', '.join(VERBS)}.")
    if verb in OF_NOBODY:
        return json.dumps({"verb": verb}).encode()
    person = canonical(uuid)
    said: dict[str, Any] = {"uuid": person}
    if verb == "expire":
        said["cut_off"] = cut_off
    if verb == "rectify":
        said["pins"] = json.loads(pins.checked(fields))
    sealed = base64.b64encode(keys.seal_command(said, request)).decode()
    return json.dumps({"verb": verb, "token": keys.suppression_token(person), "sealed": sealed}).encode()


def decode(keys: KeyRing, offset: int, at: int, key: bytes | None, value: bytes | None) -> Command:
    """A record of the control topic as a Command; CommandRefused, with the reason, if it is none."""
    try:
        request = (key or b"").decode()
        said = json.loads(value or b"")
        verb = said["verb"]
        if verb not in VERBS:
            raise CommandRefused(f"there is no command {str(verb)[:20]!r}")
        if verb in OF_NOBODY:
            return Command(offset, at, verb, request=request)
        fields = keys.open_command(base64.b64decode(said["sealed"], validate=True), request)
        if keys.suppression_token(fields["uuid"]) != said["token"]:
            raise CommandRefused("the command's token is not that of its uuid")
        corrected = pins.checked(fields["pins"]) if verb == "rectify" else ""
        return Command(offset, at, verb, said["token"], fields["uuid"], request, int(fields.get("cut_off", -1)), corrected)
    except (ValueError, KeyError, TypeError, AttributeError, binascii.Error, CannotOpen) as error:
        raise CommandRefused(f"not a command ({type(error).__name__}); `rollcall erase` and its like make them") from None


def send(settings: Settings, keys: KeyRing, verb: str, uuid: str = "", request: str = "",
         say: Callable[[str], None] | None = None, fields: Mapping[str, Any] | None = None) -> int:
    """Appends a command as governance and returns its offset; it is carried out by the stream's next turn."""
    request = request or f"cli-{uuids.uuid4()}"
    offset = _append(settings, request, [encode(keys, verb, request, uuid, fields=fields)])
    if say is not None:
        say(f"command {verb} ({request}) is on the control topic at offset {offset}")
    return offset


def send_erasures(settings: Settings, keys: KeyRing, people: Sequence[str], request: str) -> int:
    """Appends one `erase` a person; returns the offset of the last. people: not empty."""
    return _append(settings, request, [encode(keys, "erase", request, uuid) for uuid in people])


def send_expiries(settings: Settings, keys: KeyRing, people: Sequence[str], cut_off: int, request: str) -> int:
    """Appends one `expire` a person, of records up to `cut_off` (ms); returns the offset of the last. people: not empty."""
    return _append(settings, request, [encode(keys, "expire", request, uuid, cut_off) for uuid in people])


def _append(settings: Settings, request: str, values: Sequence[bytes]) -> int:
    """Appends commands under one request; returns the offset of the last, which stands after all others."""
    with mapped("sending a command", "governance"):
        producer = kafka_producer(settings, "governance")
        try:
            sent = [producer.send(settings.kafka.control_topic, key=request.encode(), value=value) for value in values]
            return max(int(one.get(timeout=settings.kafka.request_timeout_s).offset) for one in sent)
        finally:
            producer.close(timeout=settings.kafka.request_timeout_s)


def canonical(uuid: str) -> str:
    """A uuid as keys and rows write it: lower case with dashes."""
    try:
        return str(uuids.UUID(uuid))
    except ValueError:
        raise CommandRefused(f"{uuid!r} is not a uuid; one looks like 9a723211-0e87-41f1-b1e4-ed1a15226b80.") from None
