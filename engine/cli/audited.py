"""Acts of commands, in the audit: before they are done and how they ended, by the account of the system."""

from collections.abc import Iterator
from contextlib import contextmanager

from engine.machine.user import whoami
from engine.settings import Settings
from engine.stores.audit import AuditLog
from governance.permissions import UNAUDITED_TOO


def acting_as() -> str:
    """Who acts when a command does: told apart from the accounts of the console."""
    return f"system {whoami()}"


@contextmanager
def audited(settings: Settings, act: str, target: str, why: str = "") -> Iterator[None]:
    """Does what stands in the block only if the audit has it; starts and stops also when it has to wait in the file.

    Raises NotAudited, StoreAway, SignInRefused, and then nothing was done.
    """
    opened = AuditLog.opened_or_kept if act in UNAUDITED_TOO else AuditLog.opened
    with opened(settings) as audit, audit.acting(acting_as(), act, target, why):
        yield
