"""Every error a user can meet, in one tree, so that retrying is decided by type and nothing reaches a terminal raw.

RollcallError
├── Retryable                 the same call may succeed later: waited for, visibly
│   ├── StoreAway             Kafka, Cassandra or MongoDB does not answer
│   ├── SourceAway            the source of people answers with an error, slowly or not at all
│   └── ReceiverAway          whoever is to be told of alerts does not take a message
└── Final                     the same call fails again: somebody must act
    ├── SettingsInvalid       a setting is missing, malformed or contradicts another
    ├── ToolMissing           Java, Maven, Go or another program is not on this machine
    ├── DownloadBroken        a fetched file is not the one whose checksum is written down
    ├── PortTaken             another process listens where one of ours should
    ├── SignInRefused         a store refuses our name or password
    │   └── RoleGone          Cassandra no longer knows the role that the stream made for itself; its next start makes one
    ├── CertificateRefused    a store shows a certificate that is not to be trusted, or speaks no TLS where it must
    ├── StoreRefused          a store answers, but cannot do what was asked (a missing table, a malformed request)
    ├── ServerFailed          one of the four systems ended or never became ready
    ├── FolderUnusable        a folder of ours is full, read-only or not ours to write into
    ├── InputUnreadable       a file of people cannot be opened or is of no known shape
    ├── OtherVersion          what an installation keeps is of an older version, or of a newer one
    ├── LeaseHeld             another stream is writing to the same stores
    ├── LeaseLost             another stream took over while this one ran
    ├── OffsetsLost           the topic no longer holds records that were not read yet
    ├── CommandRefused        a command on the control topic cannot be made or read
    │   └── CommandUnread     it was sent, and the stream could not read it
    └── NotServed             the stream did not carry out a command within the time given

Each message says what was received, what is allowed and what to run next:

    try:
        produce(settings, source)
    except Retryable as error:
        wait_and_say(error)
    except Final as error:
        print(error); raise SystemExit(error.exit_code)
"""


class RollcallError(Exception):
    """What all errors of the product share: one sentence for people and an exit code for scripts."""

    exit_code = 1


class Retryable(RollcallError):
    """The same call may succeed later."""

    exit_code = 75    # sysexits.h EX_TEMPFAIL


class StoreAway(Retryable):
    """Kafka, Cassandra or MongoDB does not answer. `store`: which, for those who wait for it."""

    def __init__(self, message: str, store: str = "a store") -> None:
        super().__init__(message)
        self.store = store


class SourceAway(Retryable):
    """The source of people answers with an error, slowly or not at all."""


class ReceiverAway(Retryable):
    """Whoever is to be told of alerts does not take a message."""


class Final(RollcallError):
    """The same call fails again until somebody acts."""


class SettingsInvalid(Final):
    """A setting is missing, malformed or contradicts another."""

    exit_code = 78    # EX_CONFIG


class ToolMissing(Final):
    """A program that is needed is not on this machine."""

    exit_code = 69    # EX_UNAVAILABLE


class DownloadBroken(Final):
    """A fetched file is not the one whose checksum is written down."""


class PortTaken(Final):
    """Another process listens where one of ours should."""

    exit_code = 69


class SignInRefused(Final):
    """A store refuses our name or password. `store`: which."""

    exit_code = 77    # EX_NOPERM

    def __init__(self, message: str, store: str = "a store") -> None:
        super().__init__(message)
        self.store = store


class RoleGone(SignInRefused):
    """Cassandra no longer knows the role that the stream made for itself."""

    exit_code = 1    # the supervisor starts it again


class CertificateRefused(Final):
    """A store shows a certificate that is not to be trusted, or speaks no TLS. `store`: which."""

    exit_code = 76    # EX_PROTOCOL

    def __init__(self, message: str, store: str = "a store") -> None:
        super().__init__(message)
        self.store = store


class StoreRefused(Final):
    """A store answers, but cannot do what was asked: something is missing there, or the request is malformed."""

    exit_code = 70    # EX_SOFTWARE


class ServerFailed(Final):
    """One of the four systems ended or never became ready."""


class FolderUnusable(Final):
    """A folder of ours is full, read-only or not ours to write into."""

    exit_code = 72    # EX_OSFILE: free among ours, and about files of the system


class InputUnreadable(Final):
    """A file of people cannot be opened or is of no known shape."""

    exit_code = 66    # EX_NOINPUT


class OtherVersion(Final):
    """What an installation keeps is of an older version, or of a newer one."""

    exit_code = 71    # EX_OSERR: free among ours


class LeaseHeld(Final):
    """Another stream is writing to the same stores."""

    exit_code = 73


class LeaseLost(Final):
    """Another stream took over while this one ran."""

    exit_code = 73


class OffsetsLost(Final):
    """The topic no longer holds records that were not read yet."""

    exit_code = 74


class CommandRefused(Final):
    """A command on the control topic cannot be made or read."""

    exit_code = 65    # EX_DATAERR


class CommandUnread(CommandRefused):
    """A command was sent, and the stream could not read it: it stands, and may be carried out with the right keys."""


class NotServed(Final):
    """The stream did not carry out a command within the time given."""

    exit_code = 75


FOR_A_PERSON: tuple[type[Final], ...] = (SettingsInvalid, ToolMissing, SignInRefused, CertificateRefused, FolderUnusable,
                                         InputUnreadable, OtherVersion, OffsetsLost)
"""What no restart mends: the supervisor does not try again when a program ends with the exit code of one of these."""


def meaning(exit_code: int) -> str:
    """What an exit code of one of FOR_A_PERSON says, as a clause; empty for any other."""
    said = (kind.__doc__ or "" for kind in FOR_A_PERSON if kind.exit_code == exit_code)
    return next((text.split(".")[0][:1].lower() + text.split(".")[0][1:] for text in said), "")
