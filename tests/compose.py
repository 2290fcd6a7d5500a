"""infra/docker-compose.yml as data, the native stack as data, and where the two do not agree."""

import base64
import json
import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import yaml

from engine import secrets
from engine.addresses import addresses
from engine.health import PAGES
from engine.machine import memory
from engine.settings import CLONE, Settings
from engine.supervisord import PROGRAMS, SERVERS
from tests.compose_tables import (
    AS_ITSELF,
    AWAITED,
    COPIES,
    HOME,
    INWARD,
    JOINED,
    NETWORKS,
    NODES,
    OF_PROFILE,
    ONCE,
    PROFILES,
    PROXY,
    REFUSED,
    SECRETS,
    SPARK,
    TMPFS,
    URI_OPTIONS,
)
from tests.settings_page import page
from tests.test_house import pom_pins

COMPOSE = CLONE / "infra/docker-compose.yml"
PORT_NAMES = {"kafka.port": "PORT", "kafka.controller_port": "CONTROLLER_PORT", "cassandra.port": "PORT",
              "cassandra.storage_port": "STORAGE_PORT", "mongo.port": "PORT"}
"""Setting of a native server -> variable of its container."""

UNITS = {"m": 1, "g": 1024}

Service = dict[str, Any]


def read(text: str | None = None) -> dict[str, Any]:
    """The file with its anchors resolved, and each ${NAME:-default} at its default.

    YAML makes what an alias names one object at many places: written out, a change at one place is one at that place alone.
    """
    plain = re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", COMPOSE.read_text() if text is None else text)
    found: dict[str, Any] = json.loads(json.dumps(yaml.safe_load(plain)))
    return found


def of_profile(compose: dict[str, Any], profile: str) -> dict[str, Service]:
    """Service -> its definition, under the name without the profile's."""
    return {name.removesuffix(f"-{profile}"): service for name, service in compose["services"].items()
            if profile in service["profiles"]}


def _waits() -> dict[str, int]:
    """Program or server -> seconds that supervisord gives it to end (infra/supervisord.conf)."""
    text = (CLONE / "infra/supervisord.conf").read_text()
    return {name: int(seconds) for name, seconds in
            re.findall(r"^\[program:(\w+)\]$.*?^stopwaitsecs=(\d+)$", text, re.MULTILINE | re.DOTALL)}


@dataclass
class Native:
    """What the native stack says of itself; a test changes one of these to see it noticed."""

    settings: Settings
    ports: dict[str, int]
    programs: tuple[str, ...] = PROGRAMS
    pages: tuple[str, ...] = PAGES
    run: tuple[str, ...] = ("rollcall", "run")
    asked: tuple[str, ...] = ("rollcall", "status")
    asked_as_itself: tuple[str, ...] = ("python", "infra/containers/asked.py")
    principals: tuple[str, ...] = secrets.PRINCIPALS
    variables: frozenset[str] = frozenset(re.findall(r"^\| `(ROLLCALL_\w+)`", page(), re.MULTILINE))
    waits: dict[str, int] = field(default_factory=_waits)
    versions: dict[str, str] = field(default_factory=lambda: {
        "kafka": pom_pins("infra/native/kafka/pom.xml")["kafka_2.13"],
        "cassandra": pom_pins("infra/native/cassandra/pom.xml")["cassandra-all"],
        "app": tomllib.loads((CLONE / "pyproject.toml").read_text())["project"]["version"]})

    @classmethod
    def of(cls, settings: Settings) -> "Native":
        """With these settings."""
        return cls(settings, {name: port for server in SERVERS.values() for name, port in server.ports(settings).items()})

    def ports_of(self, server: str) -> dict[str, int]:
        """Variable of a container -> port."""
        return {PORT_NAMES[name]: port for name, port in self.ports.items() if name.startswith(f"{server}.")}


def disagreements(compose: dict[str, Any], native: Native) -> list[str]:
    """Every place where the containers are not as the native stack; a sentence for each."""
    of_profiles = [f"{profile}: {what}" for profile in PROFILES for what in (
        *_servers(of_profile(compose, profile), native, NODES[profile]),
        *_programs(of_profile(compose, profile), native),
        *_variables(of_profile(compose, profile), native, NODES[profile]))]
    return [*of_profiles, *_secrets(compose, native), *_logged(compose, native), *_reach(compose, native), *_kept(compose),
            *_begun(compose, native),
            *(f"{name} is started as {compose['services'][name]['command']}" for name, words in SPARK.items()
              if " ".join(compose["services"][name]["command"]) != words or "entrypoint" in compose["services"][name])]


def role(name: str) -> str:
    """A service's name without its number or profile."""
    return re.sub(r"-(three|\d)$", "", name)


def _reach(compose: dict[str, Any], native: Native) -> Iterator[str]:
    """What is published, who is with whom in a network, who holds which secrets: for every service, and nothing else."""
    page_port = native.settings.console.port    # the console's door believes the port it listens on, no other
    published = {"console": [f"127.0.0.1:{page_port}:{page_port}"], "proxy": ["127.0.0.1:8080:8080"]}
    exposed = {name: [str(getattr(native.settings.metrics, f"{name}_port"))] for name in AS_ITSELF}
    for name, service in compose["services"].items():
        if service.get("ports", []) != published.get(role(name), []):
            yield f"{name} is published at {service.get('ports')}"
        if service.get("expose", []) != exposed.get(role(name), []):
            yield f"{name} is asked by Prometheus at {service.get('expose')}"
        if set(service.get("networks", ())) != NETWORKS[role(name)]:
            yield f"{name} is in the networks {list(service.get('networks', ()))}"
        held = {(one["source"] if isinstance(one, dict) else one).removesuffix(".password").removesuffix(".json")
                for one in service.get("secrets", ())}
        if held != SECRETS.get(role(name), set()):
            yield f"{name} holds {sorted(held ^ SECRETS.get(role(name), set()))} too much or too little"
    outward = {name: network for name, network in compose["networks"].items() if network != INWARD.get(name)}
    if set(outward) != {"edge"} or set(compose["networks"]) != {*INWARD, "edge"}:
        yield f"these networks lead outside, or are others: {sorted(outward)}"
    text = (CLONE / "infra/containers/proxy/nginx.conf").read_text()
    trusted = re.findall(r"set_real_ip_from (\S+);", text)
    if trusted != [one["subnet"] for one in outward["edge"]["ipam"]["config"]] or "real_ip_header X-Forwarded-For;" not in text:
        yield f"the proxy believes {trusted} whom they name"


def _kept(compose: dict[str, Any]) -> Iterator[str]:
    """Volumes: a server's data where its start.sh puts them, our programs' folder, and nothing else."""
    for name, service in compose["services"].items():
        who, three = role(name), "-three" if name.endswith("-three") else ""
        match who:
            case "kafka" | "cassandra" | "mongo":
                wanted = [f"{name}:{default(who, 'DATA')}"]
                wanted += [f"denied{name.removeprefix('kafka')}:{default(who, 'LOGS')}"] if who == "kafka" else []
            case "view":
                wanted = [f"{name}:{HOME}"]    # of its own: in the other are the sockets that the others obey
            case "console":
                wanted = [f"home{three}:{HOME}", f"denied{'-1' if three else ''}:{REFUSED}:ro"]
            case "proxy":
                wanted = ["./containers/proxy/nginx.conf:/etc/nginx/nginx.conf:ro,z"]
            case "secrets":
                wanted = [f"../var/containers:{HOME}:z"]
            case "mongo-set" | "spark-master" | "spark-worker":
                wanted = []
            case _:
                wanted = [f"home{three}:{HOME}"]
        if service.get("volumes", []) != wanted:
            yield f"{name} keeps {service.get('volumes')}, not {wanted}"
        yield from (f"there is no volume {one}" for one in service.get("volumes", ())
                    if one[0] != "." and one.partition(":")[0] not in compose["volumes"])


@cache
def default(server: str, variable: str) -> str:
    """Where a server's start.sh puts its data (DATA) or what it refused (LOGS)."""
    match = re.search(rf"\$\{{{variable}:-([^}}]+)\}}", (CLONE / f"infra/containers/{server}/start.sh").read_text())
    assert match
    return match[1]


def builders(compose: dict[str, Any], *profiles: str) -> dict[str, list[str]]:
    """Image of ours -> the services of these profiles that build it."""
    found: dict[str, list[str]] = {}
    for name, service in compose["services"].items():
        if set(profiles) & set(service["profiles"]) and service["image"].startswith("rollcall/"):
            found.setdefault(service["image"], []).extend([name] if "build" in service else [])
    return found


def _logged(compose: dict[str, Any], native: Native) -> Iterator[str]:
    logs = native.settings.logs
    wanted = {"driver": "json-file", "options": {"max-size": str(logs.max_bytes), "max-file": str(logs.backups + 1)}}
    yield from (f"{name} logs otherwise" for name, one in compose["services"].items() if one["logging"] != wanted)


def _servers(services: dict[str, Service], native: Native, count: int) -> Iterator[str]:
    settings = native.settings
    for server in SERVERS:
        nodes = {name: service for name, service in services.items() if re.fullmatch(rf"{server}(-\d)?", name)}
        if len(nodes) != count:
            yield f"{server} has {len(nodes)} nodes, not {count}"
        for name, service in nodes.items():
            ports, own = native.ports_of(server), service["environment"]
            wanted: dict[str, object] = {"HOST": name, **ports, **_as_one_of(name, [*nodes], ports)}
            if server != "mongo":
                wanted["HEAP"] = getattr(settings, server).heap
                limit = int(service["mem_limit"][:-1]) * UNITS[service["mem_limit"][-1]]
                if memory.heaps(settings)[server][1] > limit:
                    yield f"{name} may use {limit} MB, less than its heap and what Java needs"
            if server == "kafka":
                wanted |= {"LOG_BYTES": settings.logs.max_bytes, "LOG_BACKUPS": settings.logs.backups}
            if server == "cassandra":
                wanted["COMMITLOG_SYNC"] = settings.cassandra.commitlog_sync
            for variable in wanted.keys() | own.keys():
                if own.get(variable) != (str(wanted[variable]) if variable in wanted else None):
                    yield f"{name} has {variable}={own.get(variable)}, not {wanted.get(variable)}"
            probe = " ".join(("/opt/rollcall/listening.sh", '"$$HOST"', *map(str, ports.values())))
            if service["healthcheck"]["test"] != ["CMD-SHELL", probe]:
                yield f"{name} is not asked at each of its ports: {service['healthcheck']['test']}"
            if {"command", "entrypoint"} & service.keys():
                yield f"{name} is not started by its image's start.sh"
            if _seconds(service) < native.waits[server]:
                yield f"{name} is killed before it has ended"
            version = native.versions.get(server)
            if version and service["image"] != f"rollcall/{server}:{version}":
                yield f"{name} is {service['image']}, not {version}"
            if service["image"].rpartition(":")[2] != base(f"infra/Dockerfile.{server}").rpartition(":")[2]:
                yield f"{name}'s image is called otherwise than what it is made of"


def _as_one_of(name: str, nodes: list[str], ports: dict[str, int]) -> dict[str, object]:
    """Variables of a node that only the cluster needs, and of a MongoDB that makes the administrator."""
    server, _, number = name.partition("-")
    found: dict[str, object] = {}
    if server == "mongo" and number in ("", "1"):
        found = {"MONGO_INITDB_ROOT_USERNAME": "provision",
                 "MONGO_INITDB_ROOT_PASSWORD_FILE": "/run/secrets/provision.password"}
    if not number:
        return found
    if server == "kafka":
        found["NODE_ID"] = number
        found["CONTROLLERS"] = ",".join(
            f"{one[-1]}@{one}:{ports['CONTROLLER_PORT']}:{base64.urlsafe_b64encode(f'rollcall-{one}'.encode()).decode().rstrip('=')}"
            for one in nodes)
    return found | ({"SEED": nodes[0]} if server == "cassandra" else {"SET": "rollcall"} if server == "mongo" else {})


def _programs(services: dict[str, Service], native: Native) -> Iterator[str]:
    for name, one in services.items():
        if one.get("command", [])[:-1] == [*native.run] and name not in native.programs:
            yield f"{name} is no program"
    for name in native.programs:
        service = services.get(name)
        if service is None:
            yield f"{name} has no service"
            continue
        if service["command"] != [*native.run, name] or "entrypoint" in service:
            yield f"{name} is started as {service.get('entrypoint', '')} {service['command']}"
        asked = [*(native.asked_as_itself if name in AS_ITSELF else native.asked), name]
        if name in native.pages:
            where = f"http://127.0.0.1:{getattr(native.settings, name).port}/healthz"
            asked = ["python3", "-c", f"import urllib.request; urllib.request.urlopen('{where}', timeout=5)"]
        if service["healthcheck"]["test"] != ["CMD", *asked]:
            yield f"{name} is asked how it is by {service['healthcheck']['test']}"
        if _seconds(service) <= native.waits[name]:
            yield f"{name} is killed before its supervisord has ended it"
    if f"set $view view:{native.settings.view.port};" not in (CLONE / "infra/containers/proxy/nginx.conf").read_text():
        yield "the proxy asks another port than the view's"
    proxy, stream = services["proxy"], services.get("stream", {"environment": {}})["environment"]
    if {"image": proxy["image"], "entrypoint": proxy["entrypoint"], "test": proxy["healthcheck"]["test"]} != PROXY:
        yield "the proxy is another, started otherwise or asked otherwise"
    for variable, wanted in (("MASTER", native.settings.spark.master), ("DRIVER_HOST", native.settings.spark.driver_host)):
        if stream.get(f"ROLLCALL_SPARK__{variable}", wanted) != wanted:
            yield f"the stream's Spark has another {variable}: {stream[f'ROLLCALL_SPARK__{variable}']}"
    if several := services.get("mongo-set"):
        nodes = {name: one for name, one in services.items() if re.fullmatch(r"mongo-\d", name)}
        members = ",".join(f"{name}:{one['environment']['PORT']}" for name, one in nodes.items())
        names = {several["environment"]["SET"], *(one["environment"].get("SET") for one in nodes.values()),
                 *re.findall(r"replicaSet=(\w+)", services["provision"]["environment"]["MONGODB_URI"])}
        if several["environment"]["MEMBERS"] != members or len(names) != 1:
            yield f"the replica set is made of {several['environment']['MEMBERS']}, and called {names}"


def _variables(services: dict[str, Service], native: Native, count: int) -> Iterator[str]:
    for name in ("provision", *native.programs):
        given: dict[str, str] = services[name]["environment"] if name in services else {}
        for variable in given:
            if variable.startswith("ROLLCALL_") and variable not in native.variables:
                yield f"{name} has {variable}, which is no setting"
        asked = {"kafka": given.get("KAFKA_BOOTSTRAP", ""), "cassandra": given.get("CASSANDRA_CONTACT_POINTS", ""),
                 "mongo": re.sub(r"^mongodb://([^/]*)/.*", r"\1", given.get("MONGODB_URI", ""))}
        for server, text in asked.items():
            there = {(one["environment"]["HOST"], native.ports_of(server)["PORT"]) for service, one in services.items()
                     if re.fullmatch(rf"{server}(-\d)?", service)}
            if given and (not text or set(addresses(text)) != there):
                yield f"{name} looks for {server} at {text}"
        copies = {variable: value for variable, value in given.items() if re.match("ROLLCALL_(KAFKA|CASSANDRA)__", variable)}
        if given and (copies, given["MONGODB_URI"].rpartition("/")[2]) != (COPIES[count], URI_OPTIONS[count]):
            yield f"{name} does not keep {count} copies: {copies}, {given['MONGODB_URI']}"
        if given.get("ROLLCALL_METRICS__HOST") != ("0.0.0.0" if given and name in AS_ITSELF else None):    # noqa: S104
            yield f"{name} answers Prometheus at {given.get('ROLLCALL_METRICS__HOST')}"
        for one in native.pages if given else ():
            if given.get(f"ROLLCALL_{one.upper()}__HOST") != ("0.0.0.0" if one == name else one):    # noqa: S104
                yield f"{name} has another address for {one}"


def _begun(compose: dict[str, Any], native: Native) -> Iterator[str]:
    """Which image, who waits for whom, what each may write, by which names it is found, and what ends when it is done."""
    versions = {"rollcall/app": native.versions["app"], "rollcall/mongo": base("infra/Dockerfile.mongo").rpartition(":")[2]}
    for name, service in compose["services"].items():
        image, _, version = service["image"].partition(":")
        if role(name) not in ("kafka", "cassandra", "mongo", "proxy") and (
                image != ("rollcall/mongo" if name == "mongo-set" else "rollcall/app") or version != versions[image]):
            yield f"{name} is {service['image']}"
        suffix = "" if image == "rollcall/app" else f".{image.removeprefix('rollcall/')}"
        built = {"context": "..", "dockerfile": f"infra/Dockerfile{suffix}",
                 "args": {"ROLLCALL_UID": "1000", "ROLLCALL_GID": "1000"}}
        if service.get("build", built) != built:
            yield f"{name} is built as {service['build']}"
        if service["profiles"] != [OF_PROFILE.get(name) or ("three" if re.search(r"-(three|\d)$", name) else "laptop")]:
            yield f"{name} is of {service['profiles']}"
        if role(name) == "restore-check" and _seconds(service) <= native.waits["stream"]:
            yield f"{name} is killed before it has ended its stream"
        if {one: how.get("condition") for one, how in service.get("depends_on", {}).items()} != AWAITED.get(name, {}):
            yield f"{name} waits for {service.get('depends_on')}"
        if service.get("tmpfs") != TMPFS[role(name)]:
            yield f"{name} may write {service.get('tmpfs')}"
        networks = service.get("networks", ())
        how = {one: networks[one] for one in networks if networks[one]} if isinstance(networks, dict) else {}
        if how != JOINED.get(name, {}):
            yield f"{name} is in its networks as {how}"
        ends = ONCE.get(role(name))
        if service["restart"] != ("unless-stopped" if ends is None else "no"):
            yield f"{name} is started again {service['restart']}"
        if ends is not None and {what: service[what] for what in ("command", "entrypoint") if what in service} != ends:
            yield f"{name} does something else: {service.get('entrypoint')}, {service.get('command')}"
    for name, like in (("secrets", "provision"), ("restore-check", "provision"), ("restore-check-three", "provision-three")):
        if compose["services"][name]["environment"] != compose["services"][like]["environment"]:
            yield f"{name} has other variables than {like}"


def _secrets(compose: dict[str, Any], native: Native) -> Iterator[str]:
    wanted = {*(f"{name}.password" for name in native.principals), "keys.json"}
    if set(compose["secrets"]) != wanted:
        yield f"secrets that only one side has: {set(compose['secrets']) ^ wanted}"
    for name, secret in compose["secrets"].items():
        if secret != {"file": f"../var/containers/secrets/{name}"}:
            yield f"secret {name} is not its file: {secret}"
    for name, service in compose["services"].items():
        for one in service.get("secrets", ()):
            if isinstance(one, dict) and one["target"] != f"{service['environment']['ROLLCALL_HOME']}/secrets/{one['source']}":
                yield f"{name} finds {one['source']} at {one['target']}"


@cache
def base(dockerfile: str) -> str:
    """The image that a Dockerfile begins with."""
    match = re.search(r"^FROM (\S+)", (CLONE / dockerfile).read_text(), re.MULTILINE)
    assert match
    return match[1]


def _seconds(service: Service) -> int:
    return int(service["stop_grace_period"].removesuffix("s"))
