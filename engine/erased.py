"""Who is erased, as the producer knows it: the tokens of the markers, read again and again beside the flow.

A person in between two readings reaches Kafka once more; the stream bars it there. This spares the topic the rest.
"""

import threading
from typing import Any

from engine.clients import cassandra_session, mapped
from engine.errors import RollcallError
from engine.settings import Settings


class Erased:
    """The suppression tokens of erased people. The first reading is the caller's, the later ones a thread's."""

    def __init__(self, settings: Settings, principal: str) -> None:
        self._settings = settings
        self._principal = principal
        self._tokens: frozenset[str] = frozenset()
        self._failure = ""
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._keep_reading, name="erased", daemon=True)

    def __contains__(self, token: str) -> bool:
        return token in self._tokens

    @property
    def failure(self) -> str:
        """Why the last reading failed; empty when it did not. The tokens are then those of the last that did not."""
        return self._failure

    def start(self) -> None:
        """Reads once, then keeps reading in the background. Raises StoreAway, SignInRefused; may be called again."""
        with cassandra_session(self._settings, self._principal) as session:
            self._read(session)
        self._thread.start()

    def close(self) -> None:
        """Ends the thread, after its reading if it is in one."""
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join(self._settings.cassandra.request_timeout_s)

    def _keep_reading(self) -> None:
        every_s = self._settings.producer.markers_refresh_s
        while not self._ended.wait(every_s):
            try:
                with cassandra_session(self._settings, self._principal) as session:
                    self._read(session)
                    self._failure = ""
                    while not self._ended.wait(every_s):
                        self._read(session)
            except RollcallError as error:
                self._failure = str(error)

    def _read(self, session: Any) -> None:
        with mapped("reading who is erased", self._principal):
            rows = session.execute(f"SELECT suppression, erased FROM {self._settings.cassandra.keyspace}.markers")
            self._tokens = frozenset(row.suppression for row in rows if row.erased)
