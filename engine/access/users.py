"""Who can sign in to Kafka (SCRAM users): listed, made, given another password, taken away.

Kafka sees a password only salted and hashed, so what is wrong with it is told here. It keeps a connection that is open when
its user goes or gets another password: whoever is signed in stays so until the connection ends.
"""

import re
import secrets as random
from dataclasses import dataclass

import kafka.errors
from kafka.admin import UserScramCredentialDeletion, UserScramCredentialUpsertion

from engine import secrets
from engine.access.broker import AccessRefused, Broker, asked
from engine.errors import RollcallError, StoreAway, StoreRefused
from engine.provision.changes import settled
from engine.provision.kafka import ITERATIONS, MECHANISM
from governance.kafka_access.rule import ANY, password_faults, principal_faults

STAYS_OPEN = "Connections that are open stay open: restart the programs that use this name, or the broker, to end them."

_NOT_ALLOWED = re.compile(r"is not authorized|needs \w+ permission")


@dataclass(frozen=True, order=True)
class User:
    """name: without `User:`. credentials: `SCRAM-SHA-256, 8192 iterations`. ours: a program of this installation."""

    name: str
    credentials: tuple[str, ...]
    ours: bool

    @property
    def mechanisms(self) -> list[str]:
        """What it signs in by: `SCRAM-SHA-256`."""
        return [one.partition(",")[0] for one in self.credentials]


class PasswordUnsure(RollcallError):
    """Whether a user has the password that was made is not known; nobody is shown it."""

    def __init__(self, name: str, cause: RollcallError) -> None:
        self.exit_code = cause.exit_code
        super().__init__(
            f"It is not known which password the user {name} has now: {cause} The one that was made is shown to nobody. Give "
            f"it another: `rollcall access users rotate {name}` (`create`, where `rollcall access users list` does not name "
            "it).")


class Users:
    """The users of one Kafka. Raises StoreAway, SignInRefused, StoreRefused, and AccessRefused for what is not done."""

    def __init__(self, broker: Broker) -> None:
        self._broker, self._admin, self._principal = broker, broker.admin, broker.principal

    def all(self) -> list[User]:
        """Everybody who has a password, by name."""
        with asked("reading the users of Kafka", self._principal):
            found = self._admin.describe_user_scram_credentials()
        return sorted(User(name, tuple(sorted(
            f"{one['mechanism'].name.replace('_', '-')}, {one['iterations']} iterations" for one in user["credential_infos"])),
            name in secrets.PRINCIPALS) for name, user in found.items())

    def create(self, name: str, password: str | None = None) -> str:
        """Makes a user and returns the password, made here if none is given; that it can do anything takes rules. Raises
        PasswordUnsure if Kafka's answer is lost."""
        if wrong := principal_faults(f"User:{name}") or (["everybody is no user; give a name"] if name == ANY else []):
            raise AccessRefused(f"No user was made: {'; '.join(wrong)}.")
        _not_ours(name)
        if name in {user.name for user in self.all()}:
            raise AccessRefused(f"Kafka has a user {name!r} already; `rollcall access users rotate {name}` gives it another "
                                "password.")
        return self._set(name, password)

    def rotate(self, name: str, password: str | None = None) -> str:
        """Gives a user another password and returns it; the old one is refused from then on, by each mechanism. Raises
        PasswordUnsure if Kafka's answer is lost."""
        return self._set(name, password, self.known(name))

    def delete(self, name: str) -> None:
        """Takes a user's passwords away, of each mechanism; its rules stay, and hold again if the name is used again."""
        for mechanism in self.known(name).mechanisms:
            # one at a time: Kafka refuses two changes of one name in one request
            self._change(name, UserScramCredentialDeletion(name, mechanism))
        settled(lambda: name not in {user.name for user in self.all()}, f"Kafka still shows the user {name}")

    def known(self, name: str) -> User:
        """One that is no program of ours. Raises AccessRefused if there is none."""
        _not_ours(name)
        found = [user for user in self.all() if user.name == name]
        if not found:
            raise AccessRefused(f"Kafka has no user {name!r}. `rollcall access users list` names them.")
        return found[0]

    def _set(self, name: str, password: str | None, had: User | None = None) -> str:
        word = random.token_urlsafe(24) if password is None else password
        if wrong := password_faults(word):
            raise AccessRefused(f"No password was set for {name}: {'; '.join(wrong)}.")
        new = UserScramCredentialUpsertion(name, MECHANISM, word, iterations=ITERATIONS)
        others = [one for one in (had.mechanisms if had else ()) if one != MECHANISM]
        try:
            self._change(name, new)
        except StoreAway as error:
            raise PasswordUnsure(name, error) from None
        try:
            for one in others:    # an old password would still be let in by it
                self._change(name, UserScramCredentialDeletion(name, one))
            # that the name is there was so before: only a sign-in shows that the new password holds
            settled(lambda: self._broker.signs_in(name, word), f"Kafka does not let {name} in with its new password")
        except RollcallError as error:
            raise PasswordUnsure(name, error) from None
        return word

    def _change(self, name: str, alteration: UserScramCredentialUpsertion | UserScramCredentialDeletion) -> None:
        with asked("changing a user of Kafka", self._principal):
            refused = self._admin.alter_user_scram_credentials([alteration])[name]
            if refused and _NOT_ALLOWED.search(refused):    # a text that quotes the whole request
                raise kafka.errors.ClusterAuthorizationFailedError
        if refused:
            raise StoreRefused(f"Kafka does not change the user {name}: {refused}. `rollcall logs kafka` shows more.")


def _not_ours(name: str) -> None:
    if name in secrets.PRINCIPALS:
        raise AccessRefused(f"{name} is a program of this installation, whose password stands in its secrets folder; delete "
                            "the file there and give `rollcall up` for another.")
