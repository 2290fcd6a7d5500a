#!/bin/bash
# Runs Spark's own master or worker in the foreground, from the Spark that the stream's driver is of; each binds to its own name.
#
#     spark.sh org.apache.spark.deploy.worker.Worker --cores 2 spark://spark-master:7077
set -euo pipefail
SPARK_HOME="$(python -c 'import pathlib, pyspark; print(pathlib.Path(pyspark.__file__).parent)')"
SPARK_LOCAL_IP="$(hostname -i | cut -d' ' -f1)"
export SPARK_HOME SPARK_LOCAL_IP
exec "$SPARK_HOME/bin/spark-class" "$@"
