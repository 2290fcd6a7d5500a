"""What a session on a cluster is told beside, and that no secret of it stands on a command line."""

import os
import stat
from pathlib import Path

import pytest

from engine.settings import Settings, Spark, Stream
from engine.spark.session import NO_ROWS_IN_LOGS, checkpoint_options, cluster_options, sign_in


def on(settings: Settings, **spark: object) -> Settings:
    """Settings with another Spark section."""
    return settings.model_copy(update={"spark": Spark.model_validate(spark)})


def test_a_session_of_one_machine_is_told_nothing(settings: Settings) -> None:
    assert cluster_options(on(settings, master="local[4]", cores_max=2, executor_memory="3g")) == {}


def test_executors_have_the_memory_and_the_cores_of_the_settings(settings: Settings) -> None:
    told = cluster_options(on(settings, master="spark://m:7077", cores_max=6, executor_memory="3g"))
    assert (told["spark.executor.memory"], told["spark.cores.max"]) == ("3g", "6")
    assert NO_ROWS_IN_LOGS in told["spark.executor.extraJavaOptions"], "make proof-cluster found rows in an executor's log"
    assert "spark.cores.max" not in cluster_options(on(settings, master="spark://m:7077"))


def test_a_checkpoint_of_this_machine_is_written_without_programs_and_another_as_spark_does(settings: Settings) -> None:
    elsewhere = settings.model_copy(update={"stream": Stream(checkpoint="hdfs://there/checkpoint")})
    assert checkpoint_options(elsewhere) == {}
    assert "FileSystemBased" in str(checkpoint_options(settings))


def test_the_secret_of_a_cluster_stands_in_a_file_of_its_owner(
        settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SPARK_CONF_DIR", raising=False)
    cluster, work = on(settings, master="spark://m:7077"), tmp_path / "work"
    settings.secrets.mkdir(parents=True, exist_ok=True)
    sign_in(cluster, work)
    assert "SPARK_CONF_DIR" not in os.environ, "none is asked for"
    (settings.secrets / "spark.secret").write_text("between us\n")
    sign_in(cluster, work)
    told = Path(os.environ["SPARK_CONF_DIR"]) / "spark-defaults.conf"
    assert "spark.authenticate.secret between us\n" in told.read_text()
    assert "spark.network.crypto.enabled true\n" in told.read_text()
    assert stat.S_IMODE(told.stat().st_mode) == 0o600
    assert "between us" not in " ".join(cluster_options(cluster).values())


def test_another_master_forgets_the_secret(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPARK_CONF_DIR", "")
    settings.secrets.mkdir(parents=True, exist_ok=True)
    (settings.secrets / "spark.secret").write_text("between us")
    sign_in(on(settings, master="spark://m:7077"), tmp_path)
    sign_in(on(settings, master="local[2]"), tmp_path)
    assert not (tmp_path / "conf" / "spark-defaults.conf").exists()
