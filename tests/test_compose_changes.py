"""A change of infra/docker-compose.yml alone, or of the native stack alone, is noticed; what is not compared is named."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest

from tests.compose import Native, disagreements, read
from tests.test_compose import FILE, SERVICES, native

THREE = [name for name in SERVICES if name.endswith("-three") and "environment" in SERVICES[name]]
BESIDE = {
    # tests/test_compose.py looks at these in every service
    "user", "read_only", "cap_drop.0", "security_opt.0", "init", "pull_policy", "network_mode",
    # measured nowhere yet: what an engine allows them, and how long it waits
    "mem_limit", "cpus", "pids_limit", "ulimits.nofile", "stop_grace_period",
    "healthcheck.interval", "healthcheck.timeout", "healthcheck.retries", "healthcheck.start_period", "healthcheck.disable",
    # whoever starts it says these
    "environment.ROLLCALL_CONSOLE__ORIGINS", "environment.ROLLCALL_CONSOLE__TRUSTED_PROXIES",
    "environment.ROLLCALL_CONSOLE__SECURE_COOKIE"}
"""Places in a service whose change `disagreements` does not notice in each service that has them."""


def at(*path: str, to: Any) -> Callable[[dict[str, Any]], None]:
    """A change of the file at one place of its services."""
    def change(compose: dict[str, Any]) -> None:
        place = compose["services"]
        for name in path[:-1]:
            place = place[name]
        place[path[-1]] = to
    return change


def every(*services: str, name: str, old: str, new: str) -> Callable[[dict[str, Any]], None]:
    """A change of a variable in all of these services, as one of what their anchor names."""
    def change(compose: dict[str, Any]) -> None:
        for service in services:
            variables = compose["services"][service]["environment"]
            assert old in variables[name]
            variables[name] = variables[name].replace(old, new)
    return change


@pytest.mark.parametrize("change", [
    at("kafka", "environment", "PORT", to="9192"),
    at("kafka-2", "environment", "CONTROLLER_PORT", to="9193"),
    at("kafka", "environment", "LOG_BACKUPS", to="9"),
    at("kafka", "mem_limit", to="512m"),
    at("cassandra-3", "environment", "STORAGE_PORT", to="7001"),
    at("cassandra", "environment", "HEAP", to="2g"),
    at("cassandra", "environment", "COMMITLOG_SYNC", to="periodic"),
    at("cassandra", "image", to="rollcall/cassandra:5.0.7"),
    at("cassandra", "command", to=["cassandra", "-f"]),
    at("mongo", "environment", "PORT", to="27018"),
    at("mongo", "healthcheck", "test", to=["CMD-SHELL", "true"]),
    at("kafka-1", "healthcheck", "test", to=["CMD-SHELL", '/opt/rollcall/listening.sh "$$HOST" 9092']),
    at("kafka", "stop_grace_period", to="10s"),
    at("stream", "command", to=["rollcall", "stream", "run"]),
    at("stream", "stop_grace_period", to="60s"),
    at("stream-three", "environment", "KAFKA_BOOTSTRAP", to="kafka-1:9092"),
    at("stream-three", "environment", "ROLLCALL_KAFKA__REPLICATION", to="1"),
    at("producer", "environment", "KAFKA_BOOTSTRAP", to="kafka:9192"),
    at("producer", "environment", "ROLLCALL_PRODUCER__RATES", to="5"),
    at("keeper", "healthcheck", "test", to=["CMD", "rollcall", "status"]),
    at("keeper", "environment", "MONGODB_URI", to="mongodb://mongo-1:27017/"),
    at("console", "ports", to=["8501:8501"]),
    at("console", "environment", "ROLLCALL_CONSOLE__HOST", to="console"),
    at("console", "environment", "CASSANDRA_CONTACT_POINTS", to="cassandra:9142"),
    at("view", "healthcheck", "test", to=["CMD", "python3", "-c", "'http://127.0.0.1:8051/healthz'"]),
    at("view", "secrets", to=[{"source": "view.password", "target": "/run/secrets/view.password"}]),
    at("proxy", "ports", to=["0.0.0.0:80:8080"]),
    at("proxy", "logging", "options", to={"max-size": "1"}),
    at("proxy", "ports", to=["127.0.0.1:8081:8080"]),
    at("proxy", "healthcheck", "test", to=["CMD", "true"]),
    at("proxy", "volumes", to=["./containers/proxy:/etc/nginx:ro"]),
    at("proxy", "volumes", to=["./containers/proxy/nginx.conf:/etc/nginx/nginx.conf:ro"]),
    at("secrets", "volumes", to=["../var/containers:/var/lib/rollcall"]),
    at("kafka", "ports", to=["0.0.0.0:9092:9092"]),
    at("cassandra-2", "ports", to=["127.0.0.1:9042:9042"]),
    at("view", "ports", to=["8050:8050"]),
    at("view", "volumes", to=["home:/var/lib/rollcall"]),
    at("view-three", "volumes", to=["home-three:/var/lib/rollcall"]),
    at("mongo", "networks", to=["stores", "figures", "edge"]),
    at("stream", "networks", to=["stores", "edge"]),
    at("stream", "networks", to=["stores"]),
    at("stream", "expose", to=["9465"]),
    at("producer", "ports", to=["9465:9465"]),
    at("producer-three", "networks", "metrics", to={}),
    at("keeper", "expose", to=["9466"]),
    at("stream-three", "environment", "ROLLCALL_METRICS__HOST", to="127.0.0.1"),
    at("console", "environment", "ROLLCALL_METRICS__HOST", to="0.0.0.0"),    # noqa: S104
    at("view", "networks", to=["figures", "public", "stores"]),
    at("producer", "secrets", to=SERVICES["console"]["secrets"]),
    at("producer", "secrets", to=[*SERVICES["producer"]["secrets"], {"source": "verify.password", "target":
                                                                    "/var/lib/rollcall/secrets/verify.password"}]),
    at("provision", "secrets", to=[*SERVICES["provision"]["secrets"], "broker.password"]),
    at("stream", "secrets", to=[]),
    at("spark-worker", "secrets", to=["keys.json"]),
    at("keeper", "secrets", to=[one for one in SERVICES["keeper"]["secrets"] if one["source"] != "redrive.password"]),
    at("kafka", "volumes", to=["denied:/var/log/kafka"]),
    at("cassandra", "volumes", to=["cassandra:/var/lib/cassandra"]),
    at("mongo-2", "volumes", to=["mongo-1:/srv/mongo"]),
    at("stream", "volumes", to=[]),
    at("spark-master", "command", to=["/opt/rollcall/spark.sh"]),
    at("spark-worker", "command", to=[*SERVICES["spark-worker"]["command"][:-1], "spark://elsewhere:7077"]),
    at("mongo-set", "environment", "MEMBERS", to="mongo-1:27017,mongo-2:27017"),
    at("mongo-set", "environment", "SET", to="another"),
    at("mongo-3", "environment", "SET", to="another"),
    at("stream", "environment", "ROLLCALL_SPARK__MASTER", to="local[64]"),
    at("stream-three", "environment", "ROLLCALL_SPARK__DRIVER_HOST", to="stream"),
    at("producer", "healthcheck", "test", to=["CMD", "rollcall", "status", "producer"]),
    at("provision", "depends_on", "kafka", "condition", to="service_started"),
    at("cassandra-2", "depends_on", to={}),
    at("cassandra-3", "depends_on", "cassandra-2", "condition", to="service_started"),
    at("mongo-set", "depends_on", "mongo-2", "condition", to="service_started"),
    at("provision-three", "depends_on", "mongo-set", "condition", to="service_started"),
    at("view", "depends_on", to={"kafka": {"condition": "service_healthy"}}),
    at("kafka-3", "environment", "NODE_ID", to="2"),
    every("kafka-1", "kafka-2", "kafka-3", name="CONTROLLERS", old="kafka-2:9093", new="kafka-4:9093"),
    every("kafka-1", "kafka-2", "kafka-3", name="CONTROLLERS", old="3@kafka-3", new="4@kafka-3"),
    at("cassandra-3", "environment", "SEED", to="cassandra-3"),
    at("cassandra", "environment", "SEED", to="cassandra"),
    at("stream", "tmpfs", to=SERVICES["stream"]["tmpfs"][:1]),
    at("kafka", "tmpfs", to=["/tmp:exec,mode=1777,size=512m"]),    # noqa: S108
    at("stream-three", "networks", to=["stores"]),
    at("console-three", "networks", to=["stores", "figures", "edge"]),
    at("view-three", "networks", "public", to={}),
    at("cassandra-2", "networks", to=["stores"]),
    at("cassandra-2", "networks", "stores", "ipv4_address", to="172.30.84.13"),
    lambda compose: compose["networks"]["stores"]["ipam"]["config"][0].pop("ip_range"),
    lambda compose: compose["networks"]["stores"].pop("internal"),
    at("mongo", "environment", "MONGO_INITDB_ROOT_USERNAME", to="root"),
    at("mongo-2", "environment", "MONGO_INITDB_ROOT_USERNAME", to="provision"),
    every(*THREE, name="ROLLCALL_KAFKA__MIN_INSYNC_REPLICAS", old="2", new="1"),
    every(*THREE, name="ROLLCALL_CASSANDRA__CONSISTENCY", old="LOCAL_QUORUM", new="ONE"),
    every(*THREE, name="MONGODB_URI", old="&w=majority", new=""),
    at("stream", "environment", "ROLLCALL_KAFKA__REPLICATION", to="3"),
    at("restore-check", "entrypoint", to=["true"]),
    at("restore-check", "environment", "KAFKA_BOOTSTRAP", to="elsewhere:9092"),
    at("restore-check-three", "stop_grace_period", to="60s"),
    at("secrets", "command", to=["rollcall", "provision"]),
    at("mongo-set", "entrypoint", to=["mongosh"]),
    at("provision", "restart", to="unless-stopped"),
    at("keeper", "restart", to="no"),
    at("keeper", "entrypoint", to=["true"]),
    at("spark-master", "entrypoint", to=["true"]),
    at("spark-worker", "image", to="rollcall/app:0.0.9"),
    at("cassandra", "build", "dockerfile", to="infra/Dockerfile"),
    lambda compose: compose["networks"].update(public={}),
    lambda compose: compose["networks"].update(metrics={}),
    lambda compose: compose["networks"]["edge"]["ipam"].update(config=[{"subnet": "172.30.84.0/24"}]),
    lambda compose: compose["volumes"].pop("mongo"),
])
def test_a_change_of_the_file_is_noticed(change: Callable[[dict[str, Any]], None]) -> None:
    compose = read()
    change(compose)
    assert disagreements(compose, native())


def leaves(part: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where each word and number of a part of the file stands."""
    if not part or not isinstance(part, dict | list):
        yield path
        return
    for name in part if isinstance(part, dict) else range(len(part)):
        yield from leaves(part[name], (*path, name))


def test_whatever_a_service_says_is_compared_or_named_here() -> None:
    compose, stack, unseen = read(), native(), set()
    for path in leaves(compose["services"]):
        place = compose["services"]
        for name in path[:-1]:
            place = place[name]
        said, place[path[-1]] = place[path[-1]], "another"
        with suppress(KeyError, AttributeError, ValueError):    # so far from what it was that it cannot be compared
            unseen |= set() if disagreements(compose, stack) else {".".join(map(str, path[1:]))}
        place[path[-1]] = said
    assert unseen == BESIDE
    assert disagreements(compose, stack) == [], "all was put back"


@pytest.mark.parametrize("change", [
    lambda one: replace(one, ports={**one.ports, "kafka.port": 9192}),
    lambda one: replace(one, ports={**one.ports, "kafka.controller_port": 9193}),
    lambda one: replace(one, ports={**one.ports, "cassandra.port": 9142}),
    lambda one: replace(one, ports={**one.ports, "cassandra.storage_port": 7001}),
    lambda one: replace(one, ports={**one.ports, "mongo.port": 27018}),
    lambda one: replace(one, programs=(*one.programs, "archiver")),
    lambda one: replace(one, programs=one.programs[1:]),
    lambda one: replace(one, pages=("view",)),
    lambda one: replace(one, run=("rollcall", "start")),
    lambda one: replace(one, asked=("rollcall", "ask")),
    lambda one: replace(one, asked_as_itself=("rollcall", "status")),
    lambda one: replace(one, principals=(*one.principals, "archiver")),
    lambda one: replace(one, variables=one.variables - {"ROLLCALL_VIEW__HOST"}),
    lambda one: replace(one, variables=one.variables - {"ROLLCALL_SPARK__DRIVER_HOST"}),
    lambda one: replace(one, waits={**one.waits, "stream": 1800}),
    lambda one: replace(one, waits={**one.waits, "kafka": 120}),
    lambda one: replace(one, versions={**one.versions, "kafka": "4.4.0"}),
    lambda one: replace(one, versions={**one.versions, "app": "0.2.0"}),
])
def test_a_change_of_the_native_stack_is_noticed(change: Callable[[Native], Native]) -> None:
    assert disagreements(FILE, change(native()))


@pytest.mark.parametrize(("section", "name", "value"), [
    ("kafka", "heap", "2g"), ("cassandra", "heap", "512m"), ("cassandra", "commitlog_sync", "batch"), ("logs", "backups", 5),
    ("logs", "max_bytes", 1_000_000), ("view", "port", 8051), ("console", "port", 8502), ("kafka", "port", 9192),
    ("mongo", "port", 27018), ("metrics", "stream_port", 9564), ("metrics", "producer_port", 9565)])
def test_a_change_of_a_setting_is_noticed(section: str, name: str, value: Any) -> None:
    settings = native().settings
    changed = getattr(settings, section).model_copy(update={name: value})
    assert disagreements(FILE, Native.of(settings.model_copy(update={section: changed})))
