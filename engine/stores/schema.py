"""What Cassandra and MongoDB hold, as data: tables, columns, masks, indexes, collections.

engine/provision makes the stores equal to this; engine/stores reads and writes by these names.
"""

from collections.abc import Mapping
from dataclasses import dataclass

MASK = "mask_null"
"""The masking function of personal columns: a role without UNMASK reads null."""


@dataclass(frozen=True)
class Column:
    """One column; `kind` is its CQL type as system_schema spells it."""

    name: str
    kind: str
    masked: bool = False


@dataclass(frozen=True)
class Table:
    """One table; `key` is its partition key, `indexed` the columns with an SAI index named `<table>_<column>`, `within` the
    column that orders the rows of one partition, if it has several."""

    name: str
    key: str
    columns: tuple[Column, ...]
    indexed: tuple[str, ...]
    comment: str
    compaction: Mapping[str, str]
    within: str = ""

    @property
    def primary_key(self) -> tuple[str, ...]:
        """The columns of the primary key."""
        return (self.key, self.within) if self.within else (self.key,)

    @property
    def indexes(self) -> dict[str, str]:
        """Index name -> its column."""
        return {f"{self.name}_{column}": column for column in self.indexed}


_LEVELLED = {"class": "UnifiedCompactionStrategy", "scaling_parameters": "L4"}
"""Rows are rewritten often and read by key: few files a read matter more than few rewrites."""

_TIERED = {**_LEVELLED, "scaling_parameters": "T4"}
"""Where writing is what takes the time: with its indexes a row of `profiles` is merged a quarter as dearly
(docs/decisions/0016-speed.md), and a file that cannot hold a key is not opened for it."""

PROFILES = Table(
    "profiles", "uuid",
    (
        Column("uuid", "uuid"),
        Column("appended_at", "timestamp"), Column("source_partition", "int"), Column("source_offset", "bigint"),
        Column("first_seen", "timestamp"), Column("counted", "boolean"),
        Column("nat", "text"), Column("country", "text"), Column("gender", "text"),
        Column("age", "int"), Column("age_as_of", "date"), Column("birth_month", "text"),
        Column("registered_month", "text"), Column("email_domain", "text"),
        Column("city", "text"), Column("state", "text"), Column("postcode_area", "text"),
        Column("display_name", "text"), Column("email_token", "text"), Column("key_id", "text"),
        Column("full_name", "blob", masked=True), Column("full_address", "blob", masked=True),
        Column("email", "blob", masked=True), Column("phone", "blob", masked=True),
        Column("birth_date", "blob", masked=True),
        Column("pinned", "set<text>"), Column("rectified", "bigint"),
    ),
    ("nat", "birth_month", "email_domain", "email_token"),
    "one row a person: its newest record; written by the stream only",
    _TIERED,
)

SEALED = tuple(column.name for column in PROFILES.columns if column.masked)
"""Columns of a row that are sealed with the key ring."""

MARKERS = Table(
    "markers", "suppression",
    (
        Column("suppression", "text"), Column("erased", "boolean"), Column("restricted", "boolean"),
        Column("not_before", "timestamp"), Column("pins", "blob", masked=True), Column("last_command", "bigint"),
        Column("request", "text"), Column("rectified", "bigint"),
    ),
    (),
    "what commands said of a person, by suppression token; written by the stream only",
    _LEVELLED,
)

AUDIT = Table(
    "audit", "bucket",
    (
        Column("bucket", "int"), Column("n", "bigint"), Column("at", "timestamp"), Column("who", "text"),
        Column("act", "text"), Column("target", "text"), Column("result", "text"), Column("why", "text"),
        Column("previous", "text"), Column("seal", "text"),
    ),
    (),
    "who did what, when and why, as a chain; appended to, never changed",
    _LEVELLED,
    within="n",
)

ACCOUNTS = Table(
    "accounts", "name",
    (
        Column("name", "text"), Column("password", "text"), Column("roles", "set<text>"), Column("disabled", "boolean"),
        Column("made_at", "timestamp"), Column("changed_at", "timestamp"), Column("subject", "text"),
    ),
    (),
    "who may sign in to the console; passwords as argon2 hashes",
    _LEVELLED,
)

SESSIONS = Table(
    "sessions", "id",
    (
        Column("id", "text"), Column("account", "text"), Column("roles", "set<text>"), Column("began", "timestamp"),
        Column("address", "text"), Column("agent", "text"),
    ),
    ("account",),
    "who is signed in to the console; id is the hash of the cookie, rows expire",
    _LEVELLED,
)

RECORDS = Table(
    "records", "record",
    (
        Column("record", "text"), Column("n", "bigint"), Column("kind", "text"), Column("state", "text"),
        Column("body", "text"), Column("at", "timestamp"), Column("by", "text"), Column("why", "text"),
    ),
    ("kind",),
    "what the officer keeps, version by version: register, breaches, runs of retention; appended to, never changed",
    _LEVELLED,
    within="n",
)

PACKAGES = Table(
    "packages", "request",
    (
        Column("request", "text"), Column("person", "text"), Column("body", "blob"), Column("link", "text"),
        Column("made_at", "timestamp"), Column("taken_at", "timestamp"),
    ),
    ("person", "link"),
    "what is held of a person, sealed, until it is handed out once; rows expire",
    _LEVELLED,
)

TABLES = (PROFILES, MARKERS, AUDIT, ACCOUNTS, SESSIONS, RECORDS, PACKAGES)

BY_NATIONALITY = "users_by_nationality"
BY_EMAIL_DOMAIN = "users_by_email_domain"
ARRIVALS = "arrivals"
PIPELINE_STATUS = "pipeline_status"
BATCHES = "batches"
LOSSES = "losses"
DISCARDS = "discards"
SNAPSHOTS = "snapshots"

COLLECTIONS = (BY_NATIONALITY, BY_EMAIL_DOMAIN, ARRIVALS, PIPELINE_STATUS, BATCHES, LOSSES, DISCARDS, SNAPSHOTS)
"""Collections of the database of the aggregates."""

COLLECTION_INDEXES = {BATCHES: {"by_at": "at"}}
"""Collection -> index name -> field, ascending."""
