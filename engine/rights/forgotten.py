"""Whom closed requests were about: deleted with the close, and in Cassandra's files, sealed, until those are compacted."""

from datetime import datetime

from engine.native import nodetool
from engine.settings import Settings
from engine.stores.records import REQUEST, SUBJECT, Records
from engine.stores.schema import RECORDS
from governance.requests.request import State


class Forgotten:
    """Looks after the files of the node of this machine; those of another cluster are compacted by who runs it."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._upto: datetime | None = None

    def look(self) -> bool | None:
        """Compacts the table of records, if a request was closed since the last look: whether nothing of before is left; None
        where there is nothing to do. Raises NodetoolFailed, StoreAway, SignInRefused."""
        node = nodetool.local(self._settings)
        if node is None:
            return None
        with Records.opened(self._settings) as records:
            closed = {one.name: one.at for one in records.newest(REQUEST) if one.state == State.CLOSED}
            subjects = {one.name for one in records.newest(SUBJECT)}
        newest = max(closed.values(), default=None)
        if newest is None or (self._upto and newest <= self._upto):
            return None
        if closed.keys() & subjects:    # one is being closed just now, or its close was broken off: closed once more it goes
            return False
        if nodetool.purge(self._settings, node, {}, [RECORDS.name]):
            return False
        self._upto = newest
        return True
