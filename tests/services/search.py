"""Looks for words in everything the servers have written: files as bytes, and what is compressed in them decompressed.

Cassandra's Data.db: chunks of LZ4, each behind its length (little-endian) and before its checksum; CompressionInfo.db says
where they begin. Kafka's segments: record batches of version 2, packed as their attributes say.
"""

import struct
from collections.abc import Iterable, Iterator
from itertools import pairwise
from pathlib import Path
from uuid import UUID

import lz4.block  # type: ignore[import-untyped]
import lz4.frame  # type: ignore[import-untyped]

from engine.settings import Settings

CODEC = {0: lambda packed: packed, 3: lz4.frame.decompress}
"""Of Kafka's batches: none and LZ4 are what our programs send."""

BATCH_HEADER = 61
CHUNK = 64 * 1024


def found(stack: Settings, flow: Settings, words: Iterable[bytes]) -> dict[str, set[bytes]]:
    """Place -> those of the words that stand there: files of the flow's keyspace, topics and folder, and of the log and the
    documents that all flows share."""
    wanted, seen = list(words), dict[str, set[bytes]]()
    for path, text in _texts(stack, flow):
        if held := {word for word in wanted if word in text}:
            seen[path] = seen.get(path, set()) | held
    return seen


def forms(uuid: str) -> tuple[bytes, ...]:
    """A number as it is written, and as Cassandra keeps it."""
    return uuid.encode(), uuid.upper().encode(), UUID(uuid).bytes


def _texts(stack: Settings, flow: Settings) -> Iterator[tuple[str, bytes]]:
    cassandra = stack.data / "cassandra"
    for folder in (cassandra / "data" / flow.cassandra.keyspace, cassandra / "data" / "system", cassandra / "commitlog",
                   cassandra / "hints", cassandra / "saved_caches"):
        for path in _files(folder):
            yield from _read(path, _sstable)
    for topic in stack.data.glob(f"kafka/{flow.kafka.topic}*-*"):
        for path in _files(topic):
            yield from _read(path, _segment)
    for folder in (stack.data / "mongo", flow.home, stack.logs_dir):
        for path in _files(folder):
            if "secrets" not in path.parts:
                yield from _read(path, None)


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file()) if folder.exists() else []


def _read(path: Path, unpacked: object) -> Iterator[tuple[str, bytes]]:
    try:
        text = path.read_bytes()
        yield str(path), text
        if unpacked is _sstable and path.name.endswith("-Data.db"):
            yield str(path), _sstable(path, text)
        if unpacked is _segment and path.name.endswith(".log"):
            yield str(path), _segment(path, text)
    except FileNotFoundError:    # compacted away, or ended, while it was read
        return


def _sstable(path: Path, text: bytes) -> bytes:
    info = path.with_name(path.name.replace("-Data.db", "-CompressionInfo.db"))
    if not info.exists():
        return b""
    told = info.read_bytes()
    (length,) = struct.unpack_from(">H", told)
    name, at = told[2:2 + length], 2 + length
    (options,) = struct.unpack_from(">i", told, at)
    at += 4
    for _ in range(2 * options):
        (size,) = struct.unpack_from(">H", told, at)
        at += 2 + size
    assert name == b"LZ4Compressor", name
    chunk, longest, whole, count = struct.unpack_from(">iiqi", told, at)
    starts = [*struct.unpack_from(f">{count}q", told, at + 20), len(text)]
    parts = []
    for begin, end in pairwise(starts):
        packed = text[begin:end - 4]
        if len(packed) >= longest:    # it did not become smaller, and stands as it is
            parts.append(packed)
        else:
            parts.append(lz4.block.decompress(packed[4:], uncompressed_size=int.from_bytes(packed[:4], "little")))
    clear = b"".join(parts)
    assert len(clear) == whole, (path, len(clear), whole, chunk)
    return clear


def _segment(path: Path, text: bytes) -> bytes:
    parts, at = [], 0
    while at + BATCH_HEADER <= len(text):
        (size,) = struct.unpack_from(">i", text, at + 8)
        (attributes,) = struct.unpack_from(">h", text, at + 21)
        if size <= 0:
            break
        parts.append(CODEC[attributes & 7](text[at + BATCH_HEADER:at + 12 + size]))
        at += 12 + size
    return b"".join(parts)
