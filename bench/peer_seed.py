"""Path A, the seed of this project, made again from a description of it: a program that takes one message at a time.

    python -m bench.peer_seed

It starts at the end of the topic, makes a Spark frame of each message, encrypts five fields in Python functions of Spark,
collects the row, writes it to Cassandra under the e-mail and the moment, and a document to MongoDB; what fails is printed and
lost. It says `{"ready": true}` when it listens; then, for each line with a number, how long it took until so many messages had
come.

The cipher is imported inside of the functions: as the seed has it, Spark cannot send them to its workers.
"""

import base64
import json
import os
import sys
import time
from datetime import UTC, datetime
from typing import Any

from kafka import TopicPartition
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql import types as T

from bench.peer_paths import REPLICATION, USERS, WHO, full_address, full_name, of, person
from bench.people import NICE
from engine.clients import cassandra_session, kafka_consumer, mongo_client
from engine.settings import Settings, load

NAME = "peer_a"
KEY = b"sixteen letters."
COLUMNS = ("gender", "complete_name", "complete_address", "timezone_offset", "timezone_description", "email", "dob_date",
           "dob_year", "dob_month", "dob_day", "dob_hours", "dob_minutes", "registration_date", "phone", "cell", "id_name",
           "id_value", "picture_thumbnail", "nat")
MOMENTS = ("dob_date", "registration_date")
PATTERN = "yyyy-MM-dd'T'HH:mm:ss.SSS'Z'"


def encrypted(text: str | None) -> bytes:
    """AES in ECB mode, as the seed does it: bytes, which Spark is told to be text, so that `[B@1f2e...` is stored."""
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
    from cryptography.hazmat.primitives.padding import PKCS7

    padder, cipher = PKCS7(128).padder(), Cipher(algorithms.AES(KEY), modes.ECB()).encryptor()  # noqa: S305 - it is theirs
    padded = padder.update((text or "").encode()) + padder.finalize()
    return base64.b64encode(cipher.update(padded) + cipher.finalize())


def row_of(spark: SparkSession, message: str) -> DataFrame:
    """One message as a frame of one row."""
    hidden: Any = F.udf(encrypted, T.StringType())
    nothing = F.lit(None).cast("string")
    frame = spark.createDataFrame([(message,)], ["value"]).select(F.from_json("value", person(T.StringType())).alias("p"))
    born = F.to_timestamp(of("dob.date"), PATTERN)
    pieces = {"dob_year": "yyyy", "dob_month": "MM", "dob_day": "dd", "dob_hours": "HH", "dob_minutes": "mm"}
    found = {
        "gender": of("gender"), "complete_name": hidden(full_name()), "complete_address": hidden(full_address()),
        "timezone_offset": nothing, "timezone_description": nothing, "email": hidden(of("email")), "dob_date": born,
        **{name: F.date_format(born, pattern) for name, pattern in pieces.items()},
        "registration_date": F.to_timestamp(of("registered.date"), PATTERN), "phone": hidden(of("phone")),
        "cell": hidden(nothing), "id_name": nothing, "id_value": nothing, "picture_thumbnail": nothing, "nat": of("nat")}
    return frame.select(*[found[name].alias(name) for name in COLUMNS])


class Consumer:
    """The whole program but its loop."""

    def __init__(self, settings: Settings, cassandra: Any, users: Any) -> None:
        os.environ["PYSPARK_PYTHON"] = sys.executable    # else its functions run in another Python, without the cipher
        self.spark = (SparkSession.builder.appName("peer-a").config("spark.driver.host", "127.0.0.1")
                      .config("spark.driver.bindAddress", "127.0.0.1").config("spark.ui.enabled", "false").getOrCreate())
        kinds = "".join(f"{name} {'timestamp' if name in MOMENTS else 'text'}, " for name in COLUMNS)
        cassandra.execute(f"DROP KEYSPACE IF EXISTS {NAME}", timeout=60)
        cassandra.execute(f"CREATE KEYSPACE {NAME} WITH replication = {REPLICATION}", timeout=60)
        cassandra.execute(f"CREATE TABLE {NAME}.{USERS} ({kinds} insertion_timestamp timestamp, PRIMARY KEY (email, "
                          "insertion_timestamp)) WITH CLUSTERING ORDER BY (insertion_timestamp DESC)", timeout=60)
        cassandra.execute(f"CREATE INDEX ON {NAME}.{USERS} (insertion_timestamp)", timeout=60)
        self.insert = cassandra.prepare(
            f"INSERT INTO {NAME}.{USERS} ({', '.join(COLUMNS)}, insertion_timestamp) "
            f"VALUES ({', '.join('?' * len(COLUMNS))}, toTimestamp(now()))")
        self.cassandra, self.users = cassandra, users

    def take(self, message: bytes) -> None:
        """One message into both stores."""
        text = message.decode()
        row = row_of(self.spark, text).rdd.map(list).collect()[0]
        self.cassandra.execute(self.insert, row)
        stored, said = dict(zip(COLUMNS, row, strict=True)), json.loads(text)
        name, place = said["name"], said["location"]
        age = datetime.now(UTC).year - int(stored["dob_year"])
        self.users.insert_one({
            **{key: value for key, value in stored.items() if key not in ("timezone_offset", "picture_thumbnail")}, "age": age,
            "complete_name": encrypted(f"{name['first']} {name['last']}"),
            "complete_address": encrypted(f"{place['street']['number']} {place['street']['name']} {place['city']}")})


def main() -> None:
    """Listens until nobody asks any more."""
    settings = load()
    report = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    os.nice(max(0, NICE - os.nice(0)))
    with cassandra_session(settings, WHO) as cassandra, mongo_client(settings, WHO) as client:
        client.drop_database(NAME)
        program = Consumer(settings, cassandra, client[NAME][USERS])
        consumer = kafka_consumer(settings, WHO)
        places = [TopicPartition(settings.kafka.topic, number) for number in range(settings.kafka.partitions)]
        consumer.assign(places)
        consumer.seek_to_end(*places)
        for place in places:
            consumer.position(place)    # now, not with the first message
        print(json.dumps({"ready": True}), file=report, flush=True)
        for line in sys.stdin:
            began = 0.0
            for took, message in enumerate(consumer, 1):
                began = began or time.monotonic()
                try:
                    program.take(message.value)
                except Exception as error:    # as they do
                    print(error)
                if took == int(line):
                    break
            print(json.dumps({"seconds": time.monotonic() - began}), file=report, flush=True)
        consumer.close()
        program.spark.stop()


if __name__ == "__main__":
    main()
