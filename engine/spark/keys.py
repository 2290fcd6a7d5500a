"""Keys inside Spark: a column `ring` joined from one in-memory row, so that no plan, event log or page ever shows a key.

A literal would be shown: `explain()` can be redacted, but the event log and the UI print each node of a plan as it is.
A scan of an in-memory row prints only the names of its columns.
"""

import hashlib

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T

from engine.sealing import KEY_ID_BYTES, KeyRing, column_place
from engine.spark.rows import local_frame

SHA256_BLOCK = 64
LONGEST = 1_000_000    # more bytes than a sealed value has

_binary = T.BinaryType()
RING = T.StructType([
    T.StructField("current", T.StringType()), T.StructField("columns", T.MapType(T.StringType(), _binary)),
    *[T.StructField(f"{key}_{part}", _binary) for key in ("email", "suppression") for part in ("inner", "outer")]])


def with_ring(frame: DataFrame, keys: KeyRing) -> DataFrame:
    """The frame with a column `ring`; select it away before anything is persisted."""
    padded = [part for key in (keys.email, keys.suppression) for part in _padded(key)]
    row = local_frame(frame.sparkSession, [(keys.current, keys.columns, *padded)], RING)
    return frame.crossJoin(F.broadcast(row.select(F.struct("*").alias("ring"))))


def sealed(value: Column, uuid: Column, column: str, ring: Column) -> Column:
    """`KeyRing.seal_column` as a native expression: key id, nonce, ciphertext and tag; null stays null."""
    box = F.aes_encrypt(value.cast("binary"), F.element_at(ring["columns"], ring["current"]), F.lit("GCM"),
                        F.lit("DEFAULT"), F.lit("").cast("binary"), _place(uuid, column))
    return F.concat(ring["current"].cast("binary"), box)


def opened(blob: Column, uuid: Column, column: str, ring: Column) -> Column:
    """`KeyRing.open_column` as a native expression; null where it cannot be opened."""
    key = ring["columns"][F.substring(blob, 1, KEY_ID_BYTES).cast("string")]
    box = F.substring(blob, KEY_ID_BYTES + 1, LONGEST)
    return F.try_aes_decrypt(box, key, F.lit("GCM"), F.lit("DEFAULT"), _place(uuid, column)).cast("string")


def token(value: Column, ring: Column, key: str) -> Column:
    """HMAC-SHA256 in hex, as `engine.sealing.token`: two nested hashes over padded keys (RFC 2104)."""
    inner = F.unhex(F.sha2(F.concat(ring[f"{key}_inner"], value.cast("binary")), 256))
    return F.sha2(F.concat(ring[f"{key}_outer"], inner), 256)


def _place(uuid: Column, column: str) -> Column:
    return F.concat(uuid, F.lit(column_place("", column))).cast("binary")


def _padded(key: bytes) -> tuple[bytes, bytes]:
    block = (key if len(key) <= SHA256_BLOCK else hashlib.sha256(key).digest()).ljust(SHA256_BLOCK, b"\0")
    return bytes(byte ^ 0x36 for byte in block), bytes(byte ^ 0x5C for byte in block)
