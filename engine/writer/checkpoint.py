"""Spark's checkpoint as far as we look into it: how far the topic was read, and setting it aside for a new one.

It is a URL (file, hdfs, s3a), so everything goes through Hadoop's file systems in a Spark session.
"""

import json
from typing import Any

from pyspark.sql import SparkSession

from engine.spark.failures import mapped


class Checkpoint:
    """The checkpoint at a URL. Raises FolderUnusable where it cannot be read or moved."""

    def __init__(self, spark: SparkSession, url: str) -> None:
        self.url = url
        jvm: Any = spark._jvm
        self._jvm, self._path = jvm, jvm.org.apache.hadoop.fs.Path
        with mapped("looking for the checkpoint"):
            self._files = self._path(url).getFileSystem(spark._jsc.hadoopConfiguration())

    def id(self) -> str:
        """Its id, which the writer's state belongs to; empty when there is no checkpoint."""
        kept = self._read("metadata")
        return str(json.loads(kept)["id"]) if kept else ""

    def next_offsets(self, topic: str) -> dict[int, int]:
        """Partition -> the offset that is to be read next; empty when nothing was planned yet."""
        committed = max(self._numbers("commits"), default=None)
        kept = self._read("sources/0/0") if committed is None else self._read(f"offsets/{committed}")
        ends = json.loads(kept.splitlines()[-1]) if kept else {}
        return {int(number): int(offset) for number, offset in ends.get(topic, {}).items()}

    def set_aside(self, suffix: str) -> str:
        """Renames it, so that the next start makes a new one; returns the new URL."""
        aside = f"{self.url.rstrip('/')}.{suffix}"
        with mapped("setting the checkpoint aside"):
            if self._files.exists(self._path(self.url)):
                self._files.rename(self._path(self.url), self._path(aside))
        return aside

    def _numbers(self, folder: str) -> list[int]:
        with mapped("reading the checkpoint"):
            place = self._path(f"{self.url}/{folder}")
            names = [status.getPath().getName() for status in self._files.listStatus(place)] if \
                self._files.exists(place) else []
        return [int(name) for name in names if name.isdigit()]

    def _read(self, name: str) -> str:
        with mapped("reading the checkpoint"):
            place = self._path(f"{self.url}/{name}")
            if not self._files.exists(place):
                return ""
            stream = self._files.open(place)
            try:
                return str(self._jvm.org.apache.commons.io.IOUtils.toString(stream, "UTF-8"))
            finally:
                stream.close()
