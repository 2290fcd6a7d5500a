"""What several files of this folder share."""

from collections.abc import Iterator

import pytest
from pyspark.sql import SparkSession

from engine.spark.session import spark_session
from engine.writer import fence
from tests.services.flow import Flow


@pytest.fixture(scope="module")
def spark(flow: Flow) -> Iterator[SparkSession]:
    """The stream's session in this process, for the flow of the file."""
    session = spark_session(flow.settings, "stream", "test", fence.raised(flow.settings, 1))
    yield session
    session.stop()
