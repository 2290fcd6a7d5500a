"""A few rows of the driver as a frame, made in the JVM.

`createDataFrame` of PySpark sends even one row through a Python worker; the JVM's own makes a local relation at once,
whose plan shows the names of its columns and never their values.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import types as T


def local_frame(spark: SparkSession, rows: Iterable[Sequence[Any]], schema: T.StructType) -> DataFrame:
    """Rows of text, truth values, bytes and maps of text to bytes. No whole numbers: they would lose their width."""
    jvm: Any = spark.sparkContext._jvm
    made = jvm.java.util.ArrayList()
    for row in rows:
        values = spark.sparkContext._gateway.new_array(jvm.java.lang.Object, len(row))    # type: ignore[union-attr]
        for number, value in enumerate(row):
            values[number] = _java(value, jvm)
        made.add(jvm.org.apache.spark.sql.RowFactory.create(values))
    as_java = jvm.org.apache.spark.sql.types.DataType.fromJson(schema.json())
    return DataFrame(spark._jsparkSession.createDataFrame(made, as_java), spark)


def _java(value: Any, jvm: Any) -> Any:
    if isinstance(value, dict):
        kept = jvm.java.util.HashMap()
        for key, inner in value.items():
            kept.put(key, bytearray(inner))
        return kept
    return bytearray(value) if isinstance(value, bytes) else value
