"""The stream's own state in MongoDB: one document a purpose, one writer a document.

`writer`: the turn (engine/writer/write_order.py). `figures`: what the last turn did and totals since the first. `batches`:
a trimmed history of figures. `waiting`: the store the stream waits for. `hold`: a verify asks it to stand still.
`versions`: of which version documents are (engine/migrations/versions.py).
"""

from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from pymongo.database import Database
from pymongo.errors import DuplicateKeyError

from engine.clients import mapped
from engine.errors import LeaseLost
from engine.writer.write_order import Figures, OpenTurn, Sealing, WriterState

COLLECTION = "pipeline_status"
HISTORY = "batches"
HISTORY_KEPT = 7200    # an hour, even of turns of half a second
TOOK_OVER = "Another stream took over while this one stood still; it writes nothing any more."

Document = dict[str, Any]


class Status:
    """Reads and writes the documents of `pipeline_status`."""

    def __init__(self, database: Database[Document]) -> None:
        self.documents, self.history = database[COLLECTION], database[HISTORY]

    def read(self, name: str) -> Document | None:
        """One document, or None."""
        with mapped("reading or writing the status"):
            return self.documents.find_one({"_id": name})

    def write(self, name: str, fields: Document) -> None:
        """Sets one document whole."""
        with mapped("reading or writing the status"):
            self.documents.replace_one({"_id": name}, {"_id": name, **fields}, upsert=True)

    def lease(self) -> Document | None:
        """The newest lease (engine/writer/lease.py), held or released."""
        with mapped("reading or writing the status"):
            found = list(self.documents.find({"n": {"$gt": 0}}).sort("n", -1).limit(1))
        return found[0] if found else None

    def writer(self) -> WriterState:
        """The writer's state; that of a first start if there is none."""
        kept = self.read("writer")
        if kept is None:
            return WriterState()
        fields = {name: value for name, value in kept.items() if name not in ("_id", "lease", "open", "sealing")}
        return WriterState(**fields, open=OpenTurn(**kept["open"]) if kept["open"] else None,
                           sealing=Sealing(**kept["sealing"]) if kept.get("sealing") else None)

    def save_writer(self, state: WriterState, lease: int) -> None:
        """Sets the writer's state by one write; LeaseLost if a holder of a later lease has set it."""
        document = {"_id": "writer", "lease": lease, **asdict(state)}
        with mapped("reading or writing the status"):
            try:
                self.documents.replace_one({"_id": "writer", "lease": {"$lte": lease}}, document, upsert=True)
            except DuplicateKeyError:
                raise LeaseLost(TOOK_OVER) from None

    def closed(self, figures: Figures, checkpoint: str, ends: dict[str, int],
               behind: Callable[[dict[str, int]], int], synthetic: bool, lease: int) -> Document:
        """Adds a turn to the totals and the history. ends: of the turn's records by partition; `offsets` in the
        document are those of all that was read under this checkpoint. behind: how many records lie after such ends.
        lease: number of that under which the turn was closed; `read` in the document is that of the last turn that had
        records, and when it was: an idle turn says nothing of what was read."""
        now = datetime.now(UTC).replace(microsecond=0)
        before = self.read("figures") or {}
        fresh = before.get("turn") != figures.turn    # after an outage in the middle of this it is called again
        totals: dict[str, int] = dict(before.get("totals", {}))    # an idle turn counts less than a batch
        totals |= {name: totals.get(name, 0) + n * fresh for name, n in figures.counts.items()}
        earlier = before["offsets"] if before.get("checkpoint") == checkpoint else {}
        offsets = {**earlier, **ends}
        read = {"lease": lease, "at": now} if ends else before.get("read") if earlier else None
        entry = {"turn": figures.turn, "batch": figures.batch, "at": now, "counts": figures.counts,
                 "behind": behind(offsets),
                 "seconds": {name: round(taken, 3) for name, taken in figures.seconds.items()}}
        document = {**entry, "checkpoint": checkpoint, "read": read, "offsets": offsets, "totals": totals,
                    "synthetic": synthetic or before.get("synthetic", False)}
        with mapped("reading or writing the status"):
            try:
                self.documents.replace_one({"_id": "figures", "turn": {"$lte": figures.turn}},
                                           {"_id": "figures", **document}, upsert=True)
            except DuplicateKeyError:    # this one stood still after its turn, and another has closed later ones
                raise LeaseLost(TOOK_OVER) from None
            self.history.replace_one({"_id": figures.turn}, {"_id": figures.turn, **entry}, upsert=True)
        return document

    def trim(self) -> None:
        """Keeps the newest of the history."""
        with mapped("reading or writing the status"):
            oldest = list(self.history.find({}, {"_id": 1}).sort("_id", -1).skip(HISTORY_KEPT).limit(1))
            if oldest:
                self.history.delete_many({"_id": {"$lte": oldest[0]["_id"]}})
