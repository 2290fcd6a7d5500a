"""The database in MongoDB as files of a backup: a file a collection, a document a line, in MongoDB's extended JSON (canonical,
so that a Long stays a Long and fields keep their order, by which `$max` compares)."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pymongo
from bson import json_util
from bson.errors import BSONError
from pymongo.database import Database

from engine.backup import manifest
from engine.backup.manifest import BackupDamaged
from engine.clients import mapped
from engine.migrations import versions
from engine.stores.aggregates import chunks
from engine.stores.schema import PIPELINE_STATUS

FORM = json_util.CANONICAL_JSON_OPTIONS.with_options(tz_aware=True)

LIMIT_S = 600.0
"""Seconds that reading or writing the database may take: all of a collection is one request."""

OF_THE_MOMENT = ("hold", "standing", "waiting")
"""Documents of `pipeline_status` that say what happens just now; the backup itself holds the stream: restored, that would
stand still for it again."""


def dump(database: Database[dict[str, Any]], folder: Path) -> dict[str, int]:
    """Writes every collection into a folder; returns how many documents each has. Raises StoreAway, SignInRefused."""
    counts = {}
    with mapped("reading the documents", "verify"), pymongo.timeout(LIMIT_S):
        names = sorted(name for name in database.list_collection_names() if not name.startswith("system."))
        for name in names:
            lines = list(_lines(database, name))
            manifest.write(folder / f"{name}.jsonl", "".join(f"{line}\n" for line in lines).encode())
            counts[name] = len(lines)
    return counts


def load(database: Database[dict[str, Any]], folder: Path, counts: Mapping[str, int], bulk: int) -> None:
    """Puts the documents of each collection back; what an interrupted load left of them goes first. bulk: most operations of
    one write. Raises StoreAway, SignInRefused, BackupDamaged where the store does not hold afterwards what the files do."""
    with mapped("writing the documents", "provision"), pymongo.timeout(LIMIT_S):
        for name in counts:
            collection, lines = database[name], (folder / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
            collection.delete_many({})
            for some in chunks(lines, bulk):
                collection.insert_many([_document(name, line) for line in some])
            if sorted(_lines(database, name)) != sorted(lines):
                raise BackupDamaged(f"MongoDB does not hold what {name}.jsonl of the backup does. Give the same command again.")


def found(database: Database[dict[str, Any]]) -> str:
    """A collection in which something stands; empty where none does, or only what provisioning says of versions. Raises
    StoreAway, SignInRefused."""
    with mapped("looking whether it is empty", "provision"):
        return next((name for name in database.list_collection_names() if not name.startswith("system.")
                     and database[name].find_one({"_id": {"$ne": versions.DOCUMENT}}) is not None), "")


def _lines(database: Database[dict[str, Any]], name: str) -> Iterator[str]:
    for document in database[name].find({}):
        if name != PIPELINE_STATUS or document["_id"] not in OF_THE_MOMENT:
            yield json_util.dumps(document, json_options=FORM)


def _document(name: str, line: str) -> dict[str, Any]:
    try:
        document: dict[str, Any] = json_util.loads(line, json_options=FORM)
        return document
    except (ValueError, TypeError, BSONError):
        raise BackupDamaged(f"{name}.jsonl of the backup holds a line that is no document.") from None
