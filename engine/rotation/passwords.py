"""Rotation of passwords: each system gets a principal's next password, then its file does, then its programs start again.

The next password stands in a file of its own until every system has it: whoever is interrupted, or killed, and gives the
command again goes on with the same, and a system that knows it already is left alone.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import NamedTuple

from pydantic import SecretStr

from engine import secrets
from engine.errors import SettingsInvalid, SignInRefused, StoreAway
from engine.processes import SERVERS, Supervisor
from engine.provision import cassandra, kafka, mongo
from engine.provision.changes import settled
from engine.rotation.keys import alone
from engine.settings import Settings
from engine.stopping import stop_stream

Say = Callable[[str], None]

ADMIN = "provision"
READY_WITHIN_S = 180.0

CONSOLES = ("console", "keeper")
RESTARTED: Mapping[str, tuple[str, ...]] = {
    "stream": ("stream",), "fence": ("stream",), "producer": ("producer",), "view": ("view",), "broker": ("kafka",),
    "console": CONSOLES, "officer": CONSOLES, "governance": CONSOLES, "inspector": CONSOLES, "redrive": CONSOLES,
    "gatekeeper": CONSOLES, "verify": CONSOLES}
"""Principal -> who may have signed in as it and keeps that connection. `provision`: nobody, beyond a command."""

IN_ORDER = ("kafka", "stream", "producer", "view", *CONSOLES)


class System(NamedTuple):
    """A system that knows passwords: its principals, whether one signs in, how one gets a password."""

    users: frozenset[str]
    signs_in: Callable[[Settings, str], bool]
    set_password: Callable[[Settings, str, SecretStr], None]


def systems(settings: Settings) -> dict[str, System]:
    """Every system, by name, with the principals whose passwords are ours to change there."""
    found = {"kafka": System(frozenset(kafka.USERS), kafka.signs_in, kafka.set_password),
             "cassandra": System(frozenset(cassandra.GRANTS), cassandra.signs_in, cassandra.set_password),
             "mongo": System(frozenset(mongo.wanted_roles(settings.mongo)), mongo.signs_in, mongo.set_password)}
    ours = {"kafka": {"broker", ADMIN}, "cassandra": {ADMIN}, "mongo": {ADMIN}}
    return {name: system._replace(users=system.users | ours[name]) if name not in settings.elsewhere else system
            for name, system in found.items()}


def rotate(settings: Settings, principals: Sequence[str], say: Say) -> None:
    """Gives each of these principals a new password everywhere, and starts again what of ours signs in as it and runs.

    Raises SettingsInvalid for a name that is none or not ours to change, NotServed (another rotation is under way), StoreAway,
    SignInRefused, ServerFailed; then the same call goes on.
    """
    require_ours(settings, principals)
    processes = Supervisor(settings)
    if secrets.next_password(settings, ADMIN) is not None:    # it broke off: some systems know one, some the other
        principals = (ADMIN, *principals)
    with alone(settings):
        wanted = {name for principal in principals for name in RESTARTED.get(principal, ())}
        status = processes.status()
        running = [name for name in IN_ORDER if name in wanted and status[name].pid]
        for principal in dict.fromkeys(principals):
            _everywhere(settings, principal, say)
        for name in running:
            _restarted(settings, processes, name, say)


def require_ours(settings: Settings, principals: Sequence[str]) -> None:
    """Raises SettingsInvalid for a name that is none, or whose password somebody else gives."""
    known = systems(settings)
    for principal in principals:
        if principal not in secrets.PRINCIPALS:
            raise SettingsInvalid(f"There is no principal {principal!r}; there are {', '.join(secrets.PRINCIPALS)}.")
        given = principal == ADMIN and not all((settings.secrets / f"{name}.admin").exists() for name in settings.elsewhere)
        if given or not any(principal in system.users for system in known.values()):
            raise SettingsInvalid(f"{principal!r} is an account of a system that runs elsewhere: its administrator changes its "
                                  f"password. Then write the new one into {settings.secrets} (docs/operating.md).")


def of_ours(settings: Settings) -> tuple[str, ...]:
    """Everybody whose password is ours to change; who does it comes first."""
    def is_ours(principal: str) -> bool:
        try:
            require_ours(settings, [principal])
        except SettingsInvalid:
            return False
        return True
    return tuple(name for name in sorted(secrets.needed(settings), key=lambda name: name != ADMIN) if is_ours(name))


@contextmanager
def usable(settings: Settings, principals: Sequence[str]) -> Iterator[None]:
    """Principals of which a rotation broke off sign in to Cassandra in this block with what it knows: the audit is there."""
    with ExitStack() as stack:
        for principal in principals:
            if (word := secrets.next_password(settings, principal)) is not None and "cassandra" in _of(settings, principal):
                with secrets.trying(principal, word):
                    changed = cassandra.signs_in(settings, principal)
                if changed:
                    stack.enter_context(secrets.trying(principal, word))
        yield


def _of(settings: Settings, principal: str) -> dict[str, System]:
    return {name: system for name, system in systems(settings).items() if principal in system.users}


def _everywhere(settings: Settings, principal: str, say: Say) -> None:
    word = secrets.make_next(settings, principal)
    for name, system in _of(settings, principal).items():
        with secrets.trying(principal, word):
            done = system.signs_in(settings, principal)
        if done:
            say(f"{name} knows the new password of {principal} already")
            continue
        if name in settings.elsewhere and not system.signs_in(settings, principal):
            raise SignInRefused(f"{name} at {settings.elsewhere[name]} refuses {principal!r} with the password of this "
                                "installation: it may be somebody else's, and it was left as it is. `rollcall provision "
                                "--take-over` makes it ours; then give this command again.", name)
        system.set_password(settings, principal, word)
        say(f"{name} has a new password of {principal}")
    secrets.take_next(settings, principal)


def _restarted(settings: Settings, processes: Supervisor, name: str, say: Say) -> None:
    say(f"starting {name} again")
    if name == "stream":
        stop_stream(processes, say)
    else:
        processes.stop(name)
    if name in SERVERS:
        processes.servers[name].configure(settings, say)
    processes.start(name)
    processes.wait_running(name, limit_s=READY_WITHIN_S)
    if name in SERVERS:
        settled(lambda: _answers(settings, name), f"{name} does not answer", READY_WITHIN_S)


def _answers(settings: Settings, name: str) -> bool:
    try:
        SERVERS[name].probe(settings)
    except (StoreAway, SignInRefused):    # Kafka reads its users a moment after it listens
        return False
    return True
