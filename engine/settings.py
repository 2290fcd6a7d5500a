"""Every setting, by section, frozen and described; the only module that reads the environment.

A setting comes from, in this order: the environment (`ROLLCALL_KAFKA__PORT=9192`), the file `settings.toml` in the
installation's folder (`[kafka]` / `port = 9192`), the default below. The installation's folder is `ROLLCALL_HOME`,
by default `var/` of the clone. docs/settings.md lists them all (a test compares).
"""

import os
from functools import cached_property
from pathlib import Path
from typing import Literal, Self
from zoneinfo import available_timezones

from pydantic import AliasChoices, Field, ValidationError, field_validator, model_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

from engine.addresses import CQL_PORT, HERE, addresses, mongo_address, written
from engine.alerts.section import Alerts
from engine.errors import SettingsInvalid
from engine.log_lines import Form
from engine.migrations.settings_form import SettingsFile
from engine.section import Section
from engine.tls.section import Tls

CLONE = Path(__file__).resolve().parent.parent


def _also_plain(name: str) -> AliasChoices:
    """A setting that is also read under the name that everybody gives it, without our prefix."""
    return AliasChoices(f"rollcall_{name}", name)


class Kafka(Section):
    """Kafka: the broker and the three topics."""

    port: int = Field(9092, description="Port of the SASL listener for clients (native broker only).")
    controller_port: int = Field(9093, description="Port of the controller listener (native broker only).")
    heap: str = Field("512m", description="Java heap of the native broker.")
    topic: str = Field("user_profiles", description="Topic of people; `.control` and `.dead` are appended for the others.")
    partitions: int = Field(4, description="Partitions of the people topic.")
    replication: int = Field(1, description="Replication factor of all three topics.")
    min_insync_replicas: int | None = Field(
        None, description="Replicas that must have a record before it counts as written; none: one fewer than all.")
    retention_hours: int = Field(168, description="Hours a person's record stays in the topic.")
    dead_retention_hours: int = Field(720, description="Hours a dead letter stays.")
    segment_minutes: int = Field(60, description="Age at which a segment is rolled, so that compaction can reach it.")
    max_compaction_lag_minutes: int = Field(120, description="Longest time before a superseded record is compacted away.")
    request_timeout_s: int = Field(10, description="Seconds after which a request of ours is given up.")

    @model_validator(mode="after")
    def _letters_outlive_records(self) -> Self:
        """A record whose letter has gone would look lost to `rollcall verify`."""
        if self.dead_retention_hours < self.retention_hours:
            raise ValueError(f"dead_retention_hours must be at least retention_hours ({self.retention_hours})")
        return self

    @model_validator(mode="after")
    def _replicas_can_be_in_sync(self) -> Self:
        """With more of them asked for than there are, nothing could be written."""
        if self.min_insync_replicas is not None and self.min_insync_replicas > self.replication:
            raise ValueError(f"min_insync_replicas must be at most replication ({self.replication})")
        return self

    @property
    def control_topic(self) -> str:
        """Topic of the commands."""
        return f"{self.topic}.control"

    @property
    def dead_topic(self) -> str:
        """Topic of the dead letters."""
        return f"{self.topic}.dead"


class Cassandra(Section):
    """Cassandra: rows and markers."""

    port: int = Field(9042, description="CQL port (native node only).")
    storage_port: int = Field(7000, description="Port between nodes (native node only).")
    heap: str = Field("1g", description="Java heap of the native node.")
    keyspace: str = Field("rollcall", description="Keyspace of profiles and markers.")
    datacenter: str = Field("datacenter1", description="Local data centre of the contact point.")
    replication: str = Field(
        "{'class': 'SimpleStrategy', 'replication_factor': 1}",
        description="CQL replication map of the keyspace; NetworkTopologyStrategy on a cluster.")
    consistency: Literal["LOCAL_ONE", "LOCAL_QUORUM", "ONE", "QUORUM"] = Field(
        "LOCAL_QUORUM", description="Consistency of every read and write.")
    commitlog_sync: Literal["periodic", "group", "batch"] = Field(
        "group", description="When the native node forces its log to disk: `periodic` can lose 10 s in a power cut.")
    request_timeout_s: int = Field(10, description="Seconds after which a request of ours is given up.")


class Mongo(Section):
    """MongoDB (or the embedded FerretDB): aggregates and the stream's own state."""

    port: int = Field(27017, description="Port of the wire protocol (native server only).")
    database: str = Field("rollcall", description="Database of the aggregates and of the stream's state.")
    auth_source: str = Field("admin", description="Database the users live in.")
    bulk: int = Field(40, description="Operations in one bulk write; FerretDB hangs for good at about 100.", le=60)
    request_timeout_s: int = Field(10, description="Seconds after which a request of ours is given up.")


class Spark(Section):
    """Spark: where the stream's batches run."""

    master: str = Field("local[2]", description="Spark master: local[N], spark://..., yarn or k8s://...")
    driver_host: str = Field("127.0.0.1", description="Address the driver listens on, and workers of a cluster reach it at.")
    driver_memory: str = Field("1500m", description="Java heap of the driver.")
    executor_memory: str = Field("1g", description="Java heap of each executor of a cluster.")
    cores_max: int | None = Field(
        None, ge=1, description="Cores of a standalone cluster that the stream takes at most, and a verify beside it as many; "
                                "none: all, and then a verify waits until the stream ends.")
    shuffle_partitions: int = Field(2, description="Partitions after a shuffle: about the number of cores.")
    ui: bool = Field(False, description="Whether Spark's own web page is served (on 127.0.0.1).")


class Stream(Section):
    """The stream: Kafka to the stores."""

    max_offsets_per_trigger: int = Field(24_000, description="Most records in one batch.")
    trigger_ms: int = Field(500, description="Shortest time between two batches, in milliseconds.")
    idle_turn_s: float = Field(1.0, description="Seconds between two looks at the control topic when no people flow.")
    checkpoint: str = Field("", description="URL of Spark's checkpoint; empty: `checkpoint` in the installation's folder.")
    lease_s: float = Field(15.0, description="Seconds without a heartbeat after which a stream counts as dead.")
    hold_s: int = Field(300, description="Longest time a `verify` may hold the stream still.")


class Producer(Section):
    """The producer: people to Kafka."""

    source: Literal["auto", "randomuser", "synthetic", "replay"] = Field(
        "auto", description="Where people come from: `auto` tries randomuser once and else takes synthetic.")
    rate: float = Field(50.0, description="People a second at most; 0: as fast as it goes.", ge=0)
    page: int = Field(500, description="People in one page of the source.", ge=1, le=5000)
    seed: str = Field("", description="Seed of randomuser or synthetic; empty: one is drawn once per installation.")
    skip_erased: bool = Field(True, description=(
        "Whether erased people are left out before they reach Kafka. Of what is set aside they are left out in any case, so "
        "the producer waits for Cassandra."))
    markers_refresh_s: float = Field(10.0, description="Seconds between two readings of who is erased.")
    file: str = Field("", description="File of the replay source.")


class Randomuser(Section):
    """The randomuser API."""

    base_url: str = Field("https://randomuser.me/api/1.4/", description="Address of the API; ends in a slash.")
    timeout_s: float = Field(15.0, description="Seconds to wait for an answer.")
    wait_first_s: float = Field(1.0, description="First pause after a failed page; it doubles, with jitter.")
    wait_most_s: float = Field(60.0, description="Longest pause after a failed page.")


class Synthetic(Section):
    """People made here."""

    repeats: float = Field(0.05, description="Share of records that repeat an earlier person unchanged.", ge=0, le=1)
    updates: float = Field(0.05, description="Share of records that change an earlier person.", ge=0, le=1)


class View(Section):
    """The Dash view."""

    host: str = Field("127.0.0.1", description="Address the view listens on.")
    port: int = Field(8050, description="Port of the view.")
    refresh_s: int = Field(30, description="Seconds between two looks of an open page for newer figures.", ge=1)
    stale_s: int = Field(600, description="Seconds after a release was due from which the view calls it late.", ge=1)


class Console(Section):
    """The console."""

    host: str = Field("127.0.0.1", description="Address the console listens on.")
    port: int = Field(8501, description="Port of the console.")
    session_hours: int = Field(12, description="Hours after which a sign-in ends by itself.", ge=1, le=168)
    tries_a_minute: int = Field(5, description="Sign-ins tried a minute, by account and by address; more wait.")
    believed_minutes: int = Field(
        15, description="Minutes a session is believed while Cassandra is away: for Flow and for starting and stopping only.")
    secure_cookie: bool = Field(False, description="Whether the cookie is sent over https only; true behind a TLS proxy.")
    origins: list[str] = Field(
        [], description="Addresses people type when a proxy stands before it, as https://rollcall.example.org.")
    trusted_proxies: list[str] = Field(
        [], description="Addresses of proxies whose X-Forwarded-For is believed; nobody else's is.")
    oidc_issuer: str = Field("", description="Address of an OpenID Connect provider; empty: local accounts only.")
    oidc_client_id: str = Field("", description="Our client there; its secret is the file `oidc.secret` of the secrets folder.")
    oidc_claim: str = Field("preferred_username", description="Claim that is the account's name here.")


class Governance(Section):
    """The law and the register."""

    country: str = Field("FR", pattern="^[A-Z]{2}$", description="Country whose public holidays count for clocks of the law.")
    zone: str = Field("Europe/Paris", description="Time zone in which a day of the clocks of the law begins and ends.")
    notify_hours: int = Field(72, description="Hours to notify a breach in (Art. 33(1) GDPR).")
    retention_hours: int = Field(24, description="Hours between two runs of the job that makes an end to what is due.")
    package_hours: int = Field(168, le=720, description="Hours a package of what is held of a person waits to be handed out.")

    @field_validator("zone")
    @classmethod
    def _known(cls, name: str) -> str:
        """A zone of the time zone database."""
        if name not in available_timezones():
            raise ValueError(f"{name!r} is no time zone; one is written as Europe/Paris")
        return name


class Publishing(Section):
    """The public figures."""

    every_hours: int = Field(
        1, le=24 * 31,
        description="Hours between two releases by the keeper; the first follow faster, after 1, 2, 4 minutes and so on.")


class Metrics(Section):
    """Figures of stream and producer for Prometheus."""

    serve: bool = Field(True, description="Whether stream and producer answer at their ports.")
    host: str = Field(HERE, description="Address they listen on; nobody signs in there.")
    stream_port: int = Field(9464, description="Port of the stream's figures.")
    producer_port: int = Field(9465, description="Port of the producer's figures.")


class Logs(Section):
    """Logs of every program."""

    form: Form = Field("text", description="How our programs write: lines of text, or one JSON object a line.")
    max_bytes: int = Field(10_000_000, description="Size at which a log file is rotated.")
    backups: int = Field(3, description="Rotated files kept.")


class Settings(BaseSettings):
    """All settings of one installation. Make it with `load()`."""

    model_config = SettingsConfigDict(
        env_prefix="ROLLCALL_", env_nested_delimiter="__", frozen=True, extra="forbid")

    home: Path = Field(CLONE / "var", description="Folder of this installation's data, logs and secrets.")
    cache: Path = Field(
        Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "rollcall",
        description="Folder of what is fetched once per machine.")
    kafka_bootstrap: str = Field(
        "", validation_alias=_also_plain("kafka_bootstrap"),
        description="`host:port` of brokers of a Kafka that runs elsewhere, commas between; none: ours.")
    cassandra_contact_points: str = Field(
        "", validation_alias=_also_plain("cassandra_contact_points"),
        description="`host` or `host:port` of nodes of a Cassandra that runs elsewhere, commas between; none: ours.")
    mongodb_uri: str = Field(
        "", validation_alias=_also_plain("mongodb_uri"),
        description="`mongodb://` address of a MongoDB that runs elsewhere, with its options and no password; none: ours.")
    kafka: Kafka = Kafka()
    cassandra: Cassandra = Cassandra()
    mongo: Mongo = Mongo()
    spark: Spark = Spark()
    stream: Stream = Stream()
    producer: Producer = Producer()
    randomuser: Randomuser = Randomuser()
    synthetic: Synthetic = Synthetic()
    view: View = View()
    console: Console = Console()
    governance: Governance = Governance()
    publishing: Publishing = Publishing()
    metrics: Metrics = Metrics()
    alerts: Alerts = Alerts()
    logs: Logs = Logs()
    tls: Tls = Tls()

    @classmethod
    def settings_customise_sources(
        cls, settings_cls: type[BaseSettings], init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource, dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Environment before file before default; nothing else is read."""
        return init_settings, env_settings, SettingsFile(settings_cls, _file())

    @field_validator("home", mode="before")
    @classmethod
    def _not_here(cls, folder: object) -> object:
        """An empty ROLLCALL_HOME is none, as `_file` has it; pydantic would take it for the folder one stands in."""
        return folder or CLONE / "var"

    @field_validator("kafka_bootstrap")
    @classmethod
    def _brokers(cls, text: str) -> str:
        """As Kafka's clients take it: each broker with its port."""
        return written(addresses(text))

    @field_validator("cassandra_contact_points")
    @classmethod
    def _nodes(cls, text: str) -> str:
        """Each node with its port."""
        return written(addresses(text, CQL_PORT))

    @field_validator("mongodb_uri")
    @classmethod
    def _without_password(cls, uri: str) -> str:
        """An address and options; passwords stand in files."""
        return mongo_address(uri) and uri

    @field_validator("home", "cache")
    @classmethod
    def _absolute(cls, folder: Path) -> Path:
        """Programs of one installation run in different folders."""
        return folder.expanduser().resolve()

    @property
    def elsewhere(self) -> dict[str, str]:
        """Server (kafka, cassandra, mongo) -> its address; those that are ours to run are not in it."""
        given = {"kafka": self.kafka_bootstrap, "cassandra": self.cassandra_contact_points,
                 "mongo": mongo_address(self.mongodb_uri)}
        return {name: address for name, address in given.items() if address}

    @property
    def kafka_address(self) -> str:
        """`host:port`, with commas between several, for Kafka's clients."""
        return self.kafka_bootstrap or f"{HERE}:{self.kafka.port}"

    @property
    def cassandra_address(self) -> str:
        """The same for Cassandra's."""
        return self.cassandra_contact_points or f"{HERE}:{self.cassandra.port}"

    @property
    def mongo_uri(self) -> str:
        """Where MongoDB is, without name and password."""
        return self.mongodb_uri or f"mongodb://{HERE}:{self.mongo.port}/"

    @property
    def data(self) -> Path:
        """What the servers keep."""
        return self.home / "data"

    @property
    def logs_dir(self) -> Path:
        """Log files."""
        return self.home / "logs"

    @property
    def run(self) -> Path:
        """Generated configurations, sockets and pid files."""
        return self.home / "run"

    @property
    def secrets(self) -> Path:
        """Passwords and keys, 0600 each."""
        return self.home / "secrets"

    @property
    def state(self) -> Path:
        """Where the producer keeps its place."""
        return self.home / "state"

    @cached_property
    def checkpoint_url(self) -> str:
        """Spark's checkpoint."""
        return self.stream.checkpoint or (self.home / "checkpoint").as_uri()

    @property
    def longest_client_timeout_s(self) -> float:
        """Seconds after which nothing a dead writer sent can still land (flow.md, hop 3.0)."""
        return float(max(self.kafka.request_timeout_s, self.cassandra.request_timeout_s, self.mongo.request_timeout_s))


def outer_environment() -> dict[str, str]:
    """The environment we were started in, to pass on to programs that we start."""
    return dict(os.environ)


def load() -> Settings:
    """Reads the settings; a wrong one is a SettingsInvalid that names it and what is allowed."""
    if _file().is_dir():    # pydantic-settings would pass it over
        raise SettingsInvalid(f"{_file()} cannot be read: it is a folder. docs/settings.md shows the form of the file.")
    try:
        return Settings()
    except ValidationError as error:
        first = error.errors()[0]
        name = "ROLLCALL_" + "__".join(str(part) for part in first["loc"]).removeprefix("rollcall_").upper()
        # a URI may hold a password, and so may what is no setting: of these the name must do
        hidden = name.startswith(("ROLLCALL_MONGODB_URI", "ROLLCALL_ALERTS")) or first["type"] == "extra_forbidden"
        received = "" if hidden else f" (received {first['input']!r})"
        raise SettingsInvalid(
            f"Setting {name} is wrong: {first['msg']}{received}. It stands in the environment or in "
            f"{_file()}; docs/settings.md says what is allowed.") from None
    except SettingsError as error:
        raise SettingsInvalid(f"The environment is wrong: {error}. One setting is written as ROLLCALL_KAFKA__PORT=9192; "
                              "docs/settings.md lists them.") from None
    except (OSError, ValueError) as error:
        raise SettingsInvalid(f"{_file()} cannot be read: {error}. docs/settings.md shows its form.") from None


def _file() -> Path:
    return Path(os.environ.get("ROLLCALL_HOME") or CLONE / "var") / "settings.toml"
