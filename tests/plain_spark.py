"""Spark without the connectors, for tests that read no store."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType

from pyspark import SparkContext
from pyspark.sql import SparkSession


@contextmanager
def plain_spark(name: str, cores: int = 2, options: Mapping[str, str] = MappingProxyType({})) -> Iterator[SparkSession]:
    """A session whose Java ends with it: a Java keeps the classes it was started with, and others need the connectors."""
    builder = (SparkSession.builder.master(f"local[{cores}]").appName(name).config("spark.ui.enabled", "false")
               .config("spark.driver.host", "127.0.0.1"))
    for key, value in options.items():
        builder = builder.config(key, value)
    session = builder.getOrCreate()
    try:
        yield session
    finally:
        session.stop()
        end_java()


def end_java() -> None:
    """Ends Spark's Java of this process, if there is one; the next session starts another."""
    gateway = SparkContext._gateway
    if gateway is None:
        return
    gateway.shutdown()
    gateway.proc.stdin.close()    # what Spark's Java waits on
    gateway.proc.wait(60)
    SparkContext._gateway = SparkContext._jvm = None
