"""Rotation of the keys of rows: the PII key, which seals their personal columns, and the key of e-mail tokens.

The ring gets a new key beside the old one; the stream takes it up with the command `reseal`, writes rows with it from that turn
on and seals the others anew, a portion a turn; when a look at every row finds none that needs the old key, the ring loses it.
What was begun is seen from the ring, the writer's state and the rows, so that whoever gives the command again goes on.
"""

import fcntl
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Literal
from uuid import UUID

from cassandra.metadata import Murmur3Token
from cassandra.query import SimpleStatement

from engine import commands
from engine.carried_out import SENDER
from engine.clients import cassandra_session, mapped, mongo_client
from engine.errors import NotServed, SettingsInvalid
from engine.sealing import KEY_ID_BYTES, CannotOpen, KeyRing, keys_path, load_keys, new_key, save_keys
from engine.settings import Settings
from engine.stores.schema import SEALED
from engine.stores.status import Status
from engine.writer.write_order import Sealing, WriterState

Say = Callable[[str], None]
Which = Literal["pii", "email"]

READER = "verify"
LOOK_EVERY_S, SAY_EVERY_S = 0.5, 10.0
AT_A_TIME = 1000
ROUNDS = 3
"""Walks after which rows that still need an earlier key are for a person to look after."""

_TOKENS = 2 ** 64


@dataclass
class Uses:
    """What a look at every row found. keys: key id -> rows with a value under it. old: rows that need a key other than the
    current ones. shut: rows with a value that no key of the ring opens: they need none."""

    rows: int = 0
    old: int = 0
    shut: int = 0
    keys: Counter[str] = field(default_factory=Counter)


def rotate(settings: Settings, which: Which, within_s: float, say: Say) -> Uses:
    """Rotates one of the keys, or goes on with what was begun; returns what the rows use in the end, when the ring holds none
    but the current keys.

    Raises NotServed (it goes on by itself, and the same call later ends it; also while another rotation is under way),
    SettingsInvalid where the stream works with another key ring, StoreAway, SignInRefused.
    """
    with alone(settings):
        keys, until = load_keys(settings), time.monotonic() + within_s
        if begun(keys, which):
            say(f"going on with a rotation that was begun: {keys.current} seals the rows")
        else:
            keys = with_new(keys, which)
            save_keys(keys, keys_path(settings))
            say(f"{keys_path(settings)} has a new key; keep a copy of it elsewhere now, new rows cannot be read without it")
        for number in range(ROUNDS):
            walked(settings, keys, until, say, anew=number > 0)
            say("looking whether any row still needs an earlier key")
            found = uses(settings, keys)
            if not found.old:
                save_keys(replace(keys, columns={keys.current: keys.columns[keys.current]}, email_before=()),
                          keys_path(settings))
                return found
            say(f"{found.old} rows need an earlier key, which stays: they are sealed anew once more")
    raise NotServed(f"{found.old} rows still need an earlier key after {ROUNDS} walks through all of them, so it stays. "
                    "Was Cassandra restored meanwhile, or does another hand write rows? `rollcall verify` names what differs.")


def begun(keys: KeyRing, which: Which) -> bool:
    """Whether the ring has an earlier key of this kind, whose rotation has not come to its end."""
    return len(keys.columns) > 1 if which == "pii" else bool(keys.email_before)


def with_new(keys: KeyRing, which: Which) -> KeyRing:
    """The ring with a new key of this kind, which is the current one, beside the one before."""
    if which == "email":
        return replace(keys, email=new_key(), email_before=(*keys.email_before, keys.email))
    number = 1 + max((int(name[1:]) for name in keys.columns if name[1:].isdigit()), default=0)
    name = f"k{number % 1000:03}"
    return replace(keys, current=name, columns={**keys.columns, name: new_key()})


def walked(settings: Settings, keys: KeyRing, until: float, say: Say, anew: bool = False) -> None:
    """Waits until the stream has sealed every row with the current keys; commands it where it was not (or anew). until: as
    time.monotonic. Raises NotServed, SettingsInvalid where the stream took up other keys, StoreAway, SignInRefused."""
    with mongo_client(settings, SENDER) as client:
        status = Status(client[settings.mongo.database])
        state, offset, said_at = status.writer(), -1, time.monotonic()
        if anew or not _of(keys, state):
            offset = commands.send(settings, keys, "reseal", say=say)
        while True:
            state = status.writer()
            if state.control > offset:
                if not _of(keys, state):
                    raise SettingsInvalid("The stream read its key ring again and found other keys: it runs with another "
                                          f"folder of secrets. Put {keys_path(settings)} there, then give the command again.")
                if state.sealing and state.sealing.ended:
                    return
            if time.monotonic() > until:
                raise NotServed(f"Not every row is sealed anew yet ({_far(keys, state)}). The stream goes on with it as long "
                                "as it runs (`rollcall stream start`); give the same command again to wait for it.")
            if time.monotonic() - said_at > SAY_EVERY_S:
                said_at = time.monotonic()
                say(_far(keys, state))
            time.sleep(LOOK_EVERY_S)


def said(sealing: Sealing | None) -> str:
    """How far a walk is, in words."""
    if sealing is None:
        return "no row was ever sealed anew"
    shut = f", {sealing.shut} hold a value that no key opens" if sealing.shut else ""
    return f"rows sealed anew: {share(sealing):.0%} looked at ({sealing.looked:,}), {sealing.sealed:,} written{shut}"


def share(sealing: Sealing) -> float:
    """How much of all rows a walk has looked at: it goes in the order of Cassandra's tokens, over which uuids are spread."""
    if sealing.ended:
        return 1.0
    return (Murmur3Token.hash_fn(UUID(sealing.after).bytes) + _TOKENS // 2) / _TOKENS if sealing.after else 0.0


def uses(settings: Settings, keys: KeyRing) -> Uses:
    """Looks at every row. Raises StoreAway, SignInRefused."""
    found = Uses()
    with cassandra_session(settings, READER) as session, mapped("looking which keys rows need", READER):
        for row in session.execute(SimpleStatement(
                f"SELECT uuid, email_token, {', '.join(SEALED)} FROM {settings.cassandra.keyspace}.profiles",
                fetch_size=AT_A_TIME)):
            look_at(row, keys, found)
    return found


def look_at(row: Any, keys: KeyRing, found: Uses) -> None:
    """Counts one row, as a driver reads it."""
    uuid, boxes = str(row.uuid), {name: bytes(box) for name in SEALED if (box := getattr(row, name))}
    earlier = {name: box for name, box in boxes.items() if not keys.is_current(box)}
    opened = {name: _opened(keys, uuid, name, box) for name, box in earlier.items()}
    old = any(value is not None for value in opened.values())
    if keys.email_before and "email" in boxes and not old:
        email = _opened(keys, uuid, "email", boxes["email"])
        old = email is not None and row.email_token in keys.email_tokens(email.strip())[:-1]
    found.rows += 1
    found.old += old
    found.shut += None in opened.values()
    found.keys.update({box[:KEY_ID_BYTES].decode("ascii", "replace") for box in boxes.values()})


@contextmanager
def alone(settings: Settings) -> Iterator[None]:
    """One rotation of an installation at a time. Raises NotServed."""
    settings.run.mkdir(parents=True, exist_ok=True)
    with (settings.run / "rotation.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise NotServed("Another rotation of this installation is under way; give this one when that has ended.") from None
        yield


def _of(keys: KeyRing, state: WriterState) -> bool:
    return state.sealing is not None and state.sealing.mark == keys.mark


def _far(keys: KeyRing, state: WriterState) -> str:
    return said(state.sealing) if _of(keys, state) else "waiting for the stream to take up the new key"


def _opened(keys: KeyRing, uuid: str, column: str, box: bytes) -> str | None:
    try:
        return keys.open_column(uuid, column, box)
    except CannotOpen:
        return None
