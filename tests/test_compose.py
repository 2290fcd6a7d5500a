"""infra/docker-compose.yml: valid by the specification and by docker-compose, careful, and as the native stack is.

No container engine runs here, so nothing of it was ever started; docs/containers.md says what that leaves open.
"""

import copy
import json
import os
import re
import shutil
import subprocess
import sys
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator
from typer.main import get_command

from engine.cli import app
from engine.settings import CLONE, Settings, load
from engine.tls import authority
from engine.tls.pages import console_address
from tests.compose import COMPOSE, Native, builders, default, disagreements, of_profile, read
from tests.compose_tables import ONCE, PROFILES, SECRETS
from tests.written_commands import in_container, written

SCHEMA = CLONE / "tests/data/compose/compose-spec.json"
DOCKERFILES = sorted((CLONE / "infra").glob("Dockerfile*"))
FILE = read()
SERVICES = FILE["services"]
KEYS = {
    "user", "read_only", "cap_drop", "security_opt", "init", "mem_limit", "cpus", "pids_limit", "ulimits", "logging", "tmpfs",
    "image", "build", "pull_policy", "profiles", "entrypoint", "command", "environment", "secrets", "volumes", "networks",
    "network_mode", "ports", "expose", "healthcheck", "depends_on", "restart", "stop_grace_period"}
"""What a service of ours says of itself: each is looked at here or compared in tests/compose.py."""


def native() -> Native:
    """The native stack with its defaults, whatever the environment says."""
    return Native.of(Settings.model_construct())


def config(text: str, folder: Path, *options: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Debian's docker-compose over a file of ours."""
    program = shutil.which("docker-compose")
    assert program, "apt-get install -y --no-install-recommends docker-compose"
    file = folder / "docker-compose.yml"
    file.write_text(text)
    return subprocess.run([program, "-f", str(file), *options, "config"], capture_output=True, text=True, check=False,
                          env={"PATH": "/usr/bin:/bin", **environment})


def wrong_by_schema(compose: dict[str, Any]) -> list[str]:
    """What the specification does not allow."""
    return [error.message for error in Draft202012Validator(json.loads(SCHEMA.read_text())).iter_errors(compose)]


def test_the_specification_allows_it() -> None:
    assert wrong_by_schema(yaml.safe_load(COMPOSE.read_text())) == []


def test_the_specification_is_looked_at() -> None:
    spoilt = copy.deepcopy(FILE)
    spoilt["services"]["kafka"]["helthcheck"] = {}
    assert wrong_by_schema(spoilt)


@pytest.mark.parametrize("profile", PROFILES)
def test_docker_compose_takes_it(profile: str, tmp_path: Path) -> None:
    ended = config(COMPOSE.read_text(), tmp_path, "--profile", profile)
    assert (ended.returncode, ended.stderr) == (0, "")
    resolved = yaml.safe_load(ended.stdout)["services"]
    assert {name: service["environment"] for name, service in of_profile({"services": resolved}, profile).items()
            if "environment" in service} == {
        name: service["environment"] for name, service in of_profile(FILE, profile).items() if "environment" in service}, \
        "what tests compare is what docker-compose makes of it"


def test_docker_compose_refuses_what_is_wrong(tmp_path: Path) -> None:
    text = COMPOSE.read_text()
    assert config(text.replace("provision: {condition: service_completed_successfully}",
                               "provisoin: {condition: service_completed_successfully}"),
                  tmp_path, "--profile", "laptop").returncode != 0


@pytest.mark.parametrize("path", DOCKERFILES, ids=lambda path: path.name)
def test_dockerfiles_are_without_a_complaint(path: Path) -> None:
    ended = subprocess.run([Path(sys.executable).parent / "hadolint", path], capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout) == (0, "")


def test_hadolint_complains(tmp_path: Path) -> None:
    careless = tmp_path / "Dockerfile"
    careless.write_text("FROM cassandra:latest\nRUN cd /tmp && sudo ls\n")
    ended = subprocess.run([Path(sys.executable).parent / "hadolint", careless], capture_output=True, text=True, check=False)
    assert ended.returncode != 0
    assert {"DL3007", "DL3004"} <= set(re.findall(r"DL\d+", ended.stdout))


@pytest.mark.parametrize("path", DOCKERFILES, ids=lambda path: path.name)
def test_images_are_pinned_and_end_as_nobody(path: Path) -> None:
    text = path.read_text()
    stages = set(re.findall(r"^FROM \S+ AS (\S+)", text, re.MULTILINE))
    bases = [name for name in re.findall(r"^FROM (\S+)", text, re.MULTILINE) if name not in stages]
    assert [name for name in bases if not re.search(r":\d+\.\d+\.\d+", name)] == []
    assert re.findall(r"^USER (.*)", text, re.MULTILINE)[-1] == "$ROLLCALL_UID:$ROLLCALL_GID"
    for word in (word for line in re.findall(r"^COPY (?!--from)(?:--chmod=0755 )?(.+) \S+$", text, re.MULTILINE)
                 for word in line.split()):
        assert (CLONE / word).exists(), f"{path.name} copies {word}, which is not there"


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_is_careful(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["user"] == "1000:1000"
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["init"] is True, "what a start script has begun gets its SIGTERM"
    assert {"mem_limit", "cpus", "pids_limit", "logging", "tmpfs"} <= service.keys()
    assert re.search(r":\d+\.\d+\.\d+", service["image"])
    assert not service.keys() - KEYS, "privileged, cap_add, devices, env_file, extra_hosts and what else there may be"
    assert service.get("network_mode", "none") == "none"
    if not name.startswith((*ONCE, "spark")):
        assert service["healthcheck"]["test"]
    for volume in service.get("volumes", ()):
        source = volume.partition(":")[0]
        assert source in FILE["volumes"] or volume.endswith((":ro", ":ro,z")) or name == "secrets", f"{name} writes to {source}"


@pytest.mark.parametrize("name", [name for name, one in SERVICES.items() if (one.get("command") or [""])[0] == "rollcall"])
def test_commands_and_settings_are_what_our_programs_take(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    words = SERVICES[name]["command"][1:]
    command: Any = get_command(app)
    while words and words[0] in getattr(command, "commands", ()):
        command = command.commands[words.pop(0)]
    options = {option for parameter in command.params for option in parameter.opts}
    assert not getattr(command, "commands", None), f"rollcall has no command {words}"
    assert {word for word in words if word.startswith("-")} <= options
    for variable in [name for name in os.environ if name.startswith("ROLLCALL_")]:
        monkeypatch.delenv(variable)
    for variable, value in SERVICES[name]["environment"].items():
        monkeypatch.setenv(variable, value)
    settings = load()
    assert settings.home == Path("/var/lib/rollcall")
    assert set(settings.elsewhere) == {"kafka", "cassandra", "mongo"}


@pytest.mark.parametrize("profile", PROFILES)
def test_the_programs_begin_when_everything_is_made(profile: str) -> None:
    services = of_profile(FILE, profile)
    suffix = "" if profile == "laptop" else f"-{profile}"
    for name in native().programs:
        assert services[name]["depends_on"] == {f"provision{suffix}": {"condition": "service_completed_successfully"}}
    assert services["provision"]["command"] == ["rollcall", "provision", "--new-cassandra"]
    assert services["provision"]["restart"] == "no"
    awaited = services["provision"]["depends_on"]
    servers = {name for name in services if re.match(r"kafka|cassandra|mongo(-\d)?$", name)}
    while new := {after for name in awaited for after in SERVICES[name].get("depends_on", {})} - set(awaited):
        awaited = {**awaited, **{name: {} for name in new}}
    assert servers <= set(awaited), "provision waits for every node, or for one that does"


def test_no_secret_stands_in_the_file() -> None:
    for name, service in SERVICES.items():
        for variable, value in (service.get("environment") or {}).items():
            secret = re.search(r"PASSWORD|SECRET|TOKEN|KEY", variable)
            assert not secret or value.startswith("/run/secrets/"), f"{name} has {variable}"
    assert "oidc.secret" not in COMPOSE.read_text()
    naming = {name for name, service in SERVICES.items() if any("PASSWORD" in one for one in service.get("environment") or ())}
    assert naming == {"mongo", "mongo-1"}
    assert "with one exception: the entrypoint of MongoDB's image" in part_of_the_page("Who reaches what")


def test_a_provider_of_sign_ins_needs_one_file_more(tmp_path: Path) -> None:
    (tmp_path / "oidc.yml").write_text((CLONE / "infra/oidc.yml").read_text())
    named = {"ROLLCALL_CONSOLE__OIDC_ISSUER": "https://id.example.org", "ROLLCALL_CONSOLE__OIDC_CLIENT_ID": "rollcall"}
    for name, profile in (("console", "laptop"), ("console-three", "three")):
        ended = config(COMPOSE.read_text(), tmp_path, "-f", str(tmp_path / "oidc.yml"), "--profile", profile, **named)
        assert (ended.returncode, ended.stderr) == (0, "")
        console = yaml.safe_load(ended.stdout)["services"][name]
        assert console["environment"] == {**SERVICES[name]["environment"], **named,
                                          "ROLLCALL_CONSOLE__OIDC_CLAIM": "preferred_username"}
        assert {one["target"] for one in console["secrets"]} == {
            "/var/lib/rollcall/secrets/oidc.secret", *(one["target"] for one in SERVICES[name]["secrets"])}
        assert {*named, "ROLLCALL_CONSOLE__OIDC_CLAIM"} <= native().variables
        assert "edge" in console["networks"], "the provider is outside"
    unsaid = config(COMPOSE.read_text(), tmp_path, "-f", str(tmp_path / "oidc.yml"))
    assert unsaid.returncode != 0, "who the provider is must be said"
    assert wrong_by_schema(yaml.safe_load((CLONE / "infra/oidc.yml").read_text())) == []


def test_tls_needs_one_file_more(tmp_path: Path) -> None:
    (tmp_path / "tls.yml").write_text((CLONE / "infra/tls.yml").read_text())
    ended = config(COMPOSE.read_text(), tmp_path, "-f", str(tmp_path / "tls.yml"), "--profile", "laptop",
                   "--profile", "secrets", "--profile", "restore")
    assert (ended.returncode, ended.stderr) == (0, "")
    every = yaml.safe_load(ended.stdout)["services"]
    with_tls = {name: one for name, one in every.items() if set(one["profiles"]) & {"laptop", "secrets", "restore"}}
    home = "/var/lib/rollcall/secrets/tls"
    own = {"stream": "metrics", "producer": "metrics", "view": "view", "console": "console"}
    for name, service in with_tls.items():
        before, given = SERVICES[name], {(one["source"], one.get("target", "")) for one in service.get("secrets", ())}
        told = {key: value for key, value in service.get("environment", {}).items() if key not in before.get("environment", {})}
        had = before.get("secrets", ())
        more = given - {(one, "") if isinstance(one, str) else (one["source"], one["target"]) for one in had}
        if name in ("kafka", "cassandra", "mongo"):
            assert (told, more) == ({"TLS": "yes"}, {(f"{name}.pem", ""), ("ca.crt", "")})
        elif name == "proxy":
            assert more == {("view.pem", "proxy.pem"), ("ca.crt", "")}
        elif name == "secrets":
            assert (told, more) == ({"ROLLCALL_TLS__ON": "true"}, set())
        else:
            pem = f"{own[name]}.pem" if name in own else ""
            assert told == {"ROLLCALL_TLS__ON": "true"}
            assert more == {("ca.crt", f"{home}/ca.crt"), *([(pem, f"{home}/{pem}")] if pem else [])}
        asked = str(service.get("healthcheck", {}).get("test", ""))
        assert "http://" not in asked, f"{name} would be asked plainly how it is"
    assert with_tls["console"]["environment"]["ROLLCALL_CONSOLE__ORIGINS"] == '["https://127.0.0.1:8501"]'
    overlay = yaml.safe_load((CLONE / "infra/tls.yml").read_text())
    assert set(overlay["secrets"]) == {"ca.crt", *(f"{name}.pem" for name in authority.NAMES)}, "and not ca.key"
    assert wrong_by_schema(overlay) == []


def held_by_the_page() -> dict[str, set[str]]:
    """Role -> principals, as docs/containers.md lists them."""
    everybody = set(native().principals)
    found: dict[str, set[str]] = {}
    for roles, said in re.findall(r"^\| ([a-z, -]+) \| ([^|]*`.*) \|$", part_of_the_page("Who reaches what"), re.MULTILINE):
        named = set(re.findall(r"`(\w+)`", said.partition(":")[0] if said.startswith("everybody") else said))
        found |= dict.fromkeys(roles.split(", "), everybody - named if said.startswith("everybody") else named)
    return found


def part_of_the_page(title: str) -> str:
    """A part of docs/containers.md."""
    return re.split(r"^## ", (CLONE / "docs/containers.md").read_text().partition(f"## {title}\n")[2], flags=re.MULTILINE)[0]


def test_the_page_says_who_signs_in_as_whom() -> None:
    assert held_by_the_page() == {name: held - {"keys"} for name, held in SECRETS.items()}
    assert {name for name, held in SECRETS.items() if "keys" not in held} == {"kafka", "mongo", "mongo-set", "view"}


@pytest.mark.parametrize("line", [one.text for one in written(CLONE / "docs/containers.md")
                                  if re.match(r"docker compose (?!version)\w+ ", one.text)])
def test_the_recipes_name_services_that_are_there(line: str) -> None:
    verb, *words = (word.partition(":")[0] for word in line.split()[2:] if not word.startswith("-"))
    named = {in_container(line)[0]} if verb in ("exec", "run") else set(words[:1] if verb == "cp" else words)
    assert named <= SERVICES.keys()


def test_the_view_can_sign_in_as_itself_alone_and_reaches_mongodb_alone() -> None:
    for suffix in ("", "-three"):
        view = SERVICES[f"view{suffix}"]
        assert [one["source"] for one in view["secrets"]] == ["view.password"]
        folder = view["volumes"][0].partition(":")[0]
        sharing = [name for name, one in SERVICES.items() if any(f"{folder}:" in volume for volume in one.get("volumes", ()))]
        assert sharing == [f"view{suffix}"], "who takes the view over reaches no socket that other programs obey"
        theirs = {name for name, service in SERVICES.items() if set(view["networks"]) & set(service.get("networks", ()))}
        assert not {name for name in theirs if re.match("kafka|cassandra|stream|producer", name)}
    assert all(network["internal"] is True for name, network in FILE["networks"].items() if name != "edge")


def test_cassandras_nodes_have_addresses_that_nobody_else_gets() -> None:
    (stores,) = FILE["networks"]["stores"]["ipam"]["config"]
    (edge,) = FILE["networks"]["edge"]["ipam"]["config"]
    whole, chosen = IPv4Network(stores["subnet"]), IPv4Network(stores["ip_range"])
    fixed = {SERVICES[f"cassandra-{number}"]["networks"]["stores"]["ipv4_address"] for number in (1, 2, 3)}
    assert len(fixed) == 3
    assert all(IPv4Address(one) in whole and IPv4Address(one) not in chosen for one in fixed)
    assert str(whole[1]) not in fixed, "the engine's own, as a gateway"
    assert chosen.subnet_of(whole)
    assert not whole.overlaps(IPv4Network(edge["subnet"]))
    assert all(f"{one['subnet']}" in part_of_the_page("Change something") for one in (stores, edge))


def test_containers_are_as_the_native_stack() -> None:
    assert disagreements(FILE, native()) == []


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("more", [(), ("workers",), ("secrets", "restore", "restore-three")], ids="+".join)
def test_one_service_builds_each_image(profile: str, more: tuple[str, ...]) -> None:
    assert {image: len(names) for image, names in builders(FILE, profile, *more).items()} == dict.fromkeys(
        builders(FILE, profile), 1)
    assert all("build" in one or one["pull_policy"] == "never" for one in SERVICES.values() if "rollcall/" in one["image"]), \
        "an image of our names that somebody else published is not fetched"


@pytest.mark.parametrize("server", ["kafka", "cassandra", "mongo"])
def test_an_image_has_the_folder_that_its_volume_is_mounted_at(server: str) -> None:
    text = (CLONE / f"infra/Dockerfile.{server}").read_text()
    made = re.search(r"^RUN mkdir -p (.*) && chown (\S+) ([^\\&]*)", text, re.MULTILINE)
    assert made
    assert default(server, "DATA") in made[1].split()
    assert made[1].split() == made[3].split()


def test_links_and_the_door_know_where_people_reach_the_console(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("console", "console-three", "keeper"):
        for variable, value in SERVICES[name]["environment"].items():
            monkeypatch.setenv(variable, value)
        assert console_address(load()) == "http://127.0.0.1:8501"


@pytest.mark.parametrize("name", ["ORIGINS", "TRUSTED_PROXIES", "SECURE_COOKIE"])
def test_what_a_proxy_before_the_console_needs_is_passed_on(name: str) -> None:
    assert f"${{ROLLCALL_CONSOLE__{name}:-" in COMPOSE.read_text()
