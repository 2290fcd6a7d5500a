"""Small parts of the containers, each run as it stands: the image's user, the proxy, how a program is asked, a restore."""

import importlib.util
import json
import os
import re
import shutil
import subprocess
import threading
import tomllib
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from bench.installation import free_ports
from engine import health, secrets
from engine.native.cassandra import EXPORTS, OPENS
from engine.native.server import listening
from engine.processes import Supervisor
from engine.sealing import ensure_keys
from engine.settings import CLONE, Settings, load
from engine.tls import authority, trust
from tests.compose import read
from tests.compose_tables import AS_ITSELF
from tests.test_containers import JMX
from tests.test_health import Programs
from tests.test_house import requirements_pins
from tests.waiting import until

SERVICES = read()["services"]
GIVEN_AWAY = {"root:x:0:": 0, "dialout:x:20:": 20, "users:x:100:": 100, "backup:x:34:": 34}
"""Groups of the image that our programs' is made of."""


@pytest.mark.parametrize("group", [1000, *GIVEN_AWAY.values()])
def test_the_image_can_be_built_for_whoever_builds_it(group: int, tmp_path: Path) -> None:
    run = re.search(r"^RUN (groupadd .*?) \\\n +&& (useradd .*?) \\$", (CLONE / "infra/Dockerfile").read_text(), re.MULTILINE)
    assert run
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\nbackup:x:34:34:backup:/:/bin/sh\n")
    (tmp_path / "etc/group").write_text("".join(f"{line}\n" for line in GIVEN_AWAY))
    for command in run.groups():
        program, _, rest = command.partition(" ")
        ended = subprocess.run(
            ["bash", "-euc", f'{program} --prefix "$PLACE" {rest}'], check=False, capture_output=True, text=True,
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "PLACE": str(tmp_path), "ROLLCALL_GID": str(group),
                 "ROLLCALL_UID": "34" if group == 34 else "1000"})
        assert ended.returncode == 0, ended.stderr
    assert f":{group}::/var/lib/rollcall:" in (tmp_path / "etc/passwd").read_text()


def test_the_image_has_what_our_programs_import_and_nothing_that_only_tests_do() -> None:
    file = tomllib.loads((CLONE / "pyproject.toml").read_text())
    needed, tests = ({line.partition("==")[0] for line in lines}
                     for lines in (file["project"]["dependencies"], file["dependency-groups"]["test"]))
    inside, everything = requirements_pins("requirements-runtime.txt"), requirements_pins()
    assert needed <= inside.keys()
    assert tests & inside.keys() == {"jsonschema"}, "altair needs this one itself"
    assert {name: everything.get(name) for name in inside} == inside, "what was tested is what is inside"
    assert {one.partition("==")[0] for one in file["build-system"]["requires"]} <= inside.keys(), "it installs itself with that"
    text = (CLONE / "infra/Dockerfile").read_text()
    assert "--require-hashes -r requirements-runtime.txt" in text
    assert (CLONE / "requirements-runtime.txt").read_text().count("--hash=sha256:") > len(inside)


class View(BaseHTTPRequestHandler):
    """Answers with whom the proxy says that it asks for."""

    def do_GET(self) -> None:
        body = self.headers["X-Forwarded-For"].encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None: ...


def written(tmp_path: Path, name: str, *changes: tuple[str, str]) -> None:
    """A file of the proxy's, with its places moved to where a test may have them."""
    text = (CLONE / "infra/containers/proxy" / name).read_text()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    (tmp_path / name).write_text(text)


@contextmanager
def proxied(tmp_path: Path, believed: str, view: HTTPServer) -> Iterator[str]:
    """An nginx with our configuration, before a view that is played; it believes these addresses."""
    nginx = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
    assert nginx, "nginx is not on this machine: apt-get install -y --no-install-recommends nginx-light"
    threading.Thread(target=view.serve_forever, daemon=True).start()
    (port,) = free_ports(1)
    written(tmp_path, "nginx.conf", ("set_real_ip_from 172.30.83.0/24", f"set_real_ip_from {believed}"),
            ("listen 8080", f"listen 127.0.0.1:{port}"), ("view:8050", f"127.0.0.1:{view.server_port}"),
            ("/tmp/", f"{tmp_path}/"), ("/etc/nginx/", f"{tmp_path}/"))    # noqa: S108
    with subprocess.Popen([nginx, "-c", str(tmp_path / "nginx.conf"), "-e", "stderr", "-g", "daemon off;"]) as running:
        try:
            until("nginx answers", lambda: running.poll() is not None or listening(port), 30)
            assert running.poll() is None, "nginx has ended"
            yield f"http://127.0.0.1:{port}/"
        finally:
            running.terminate()
            view.shutdown()
            view.server_close()


@pytest.fixture
def proxy(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[str]:
    """One that believes the addresses that the test names."""
    with proxied(tmp_path, request.param, HTTPServer(("127.0.0.1", 0), View)) as address:
        yield address


def test_with_tls_the_proxy_speaks_it_to_both_sides_and_nothing_else(tmp_path: Path) -> None:
    settings, other = (Settings.model_validate({"home": tmp_path / name, "tls": {"on": True}}) for name in ("ours", "other"))
    for one in (settings, other):
        authority.ensure(one)
    (port,) = free_ports(1)
    pem, trusted = authority.pem_file(settings, "view"), authority.trusted_file(settings)
    written(tmp_path, "tls.conf", ("listen 8443", f"listen 127.0.0.1:{port}"), ("/run/secrets/proxy.pem", str(pem)),
            ("/run/secrets/ca.crt", str(trusted)))
    for whose, status in ((settings, 200), (other, 502)):
        view, serving, asking = HTTPServer(("127.0.0.1", 0), View), trust.serving(whose, "view"), trust.context(settings)
        assert serving
        assert asking
        view.socket = serving.wrap_socket(view.socket, server_side=True)
        with proxied(tmp_path, "127.0.0.0/8", view) as plain:
            assert httpx.get(f"https://127.0.0.1:{port}/", verify=asking).status_code == status, "a view of another authority"
            assert httpx.get(plain).status_code == 426, "nothing is answered in clear"


def asked_for(address: str, *forwarded: str) -> list[str]:
    """Whom the proxy takes whoever comes with these headers for; refused: 429."""
    found = []
    for whom in forwarded:
        request = urllib.request.Request(address, headers={"X-Forwarded-For": whom})    # noqa: S310
        try:
            with urllib.request.urlopen(request, timeout=5) as answer:    # noqa: S310
                found.append(answer.read().decode())
        except urllib.error.HTTPError as error:
            error.close()
            found.append(str(error.code))
    return found


@pytest.mark.parametrize("proxy", ["127.0.0.0/8"], indirect=True)
def test_behind_tls_each_of_the_public_has_limits_of_its_own(proxy: str) -> None:
    assert asked_for(proxy, "198.51.100.7", "203.0.113.1, 198.51.100.8") == ["198.51.100.7", "198.51.100.8"], \
        "who the proxy with TLS says it is; what came before that anybody can write"
    crowd = [f"192.0.2.{number}" for number in range(120)]
    assert asked_for(proxy, *crowd) == crowd
    assert "429" in asked_for(proxy, *["198.51.100.7"] * 200)


@pytest.mark.parametrize("proxy", ["172.30.83.0/24"], indirect=True)
def test_who_comes_from_elsewhere_is_not_believed(proxy: str) -> None:
    assert asked_for(proxy, "198.51.100.7") == ["127.0.0.1"]


def test_nodetool_is_told_of_people_on_no_command_line_and_keeps_no_history(tmp_path: Path) -> None:
    (tmp_path / "java").write_text('#!/bin/sh\ncat "${1#@}"; echo "$@" >&2; ls -d "$(dirname "${1#@}")" > "$RUN/was"\n')
    (tmp_path / "java").chmod(0o755)
    run = tmp_path / "run"
    run.mkdir()
    for name in ("fill.sh", "cassandra/nodetool.sh", "cassandra/modules.args"):
        shutil.copy(CLONE / "infra/containers" / name, tmp_path)
    ended = subprocess.run(
        ["bash", str(tmp_path / "nodetool.sh"), "forcecompact", "rollcall", "profiles", "-"], input="one\ntwo\n",
        capture_output=True, text=True, check=True,
        env={"PATH": f"{tmp_path}:{os.environ['PATH']}", "HERE": str(tmp_path), "RUN": str(run), "LIBS": "/libs"})
    told = [json.loads(line) for line in ended.stdout.splitlines()]
    _, port = JMX.split("=")
    assert told[-9:] == ["-h", "127.0.0.1", "-p", port, "forcecompact", "rollcall", "profiles", "one", "two"]
    assert {f"--add-exports={name}=ALL-UNNAMED" for name in EXPORTS} <= set(told)
    assert {f"--add-opens={name}=ALL-UNNAMED" for name in OPENS} <= set(told)
    home = next(word for word in told if word.startswith("-Duser.home=")).partition("=")[2]
    assert home.startswith(f"{run}/"), "it wants to write there"
    assert (run / "was").read_text().strip() == home
    assert not Path(home).exists()
    assert "one" not in ended.stderr


def asked() -> Any:
    """infra/containers/asked.py as a module."""
    spec = importlib.util.spec_from_file_location("asked", CLONE / "infra/containers/asked.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.long
@pytest.mark.parametrize("name", ["producer", "stream", "keeper"])
def test_a_program_is_asked_with_the_passwords_its_container_has(name: str, tmp_path: Path,
                                                                 monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing answers at these addresses; a password that is missing would be said before that is found out."""
    monkeypatch.setenv("ROLLCALL_HOME", str(tmp_path))
    for variable in ("KAFKA_BOOTSTRAP", "CASSANDRA_CONTACT_POINTS"):
        monkeypatch.setenv(variable, "127.0.0.1:1")
    monkeypatch.setenv("MONGODB_URI", "mongodb://127.0.0.1:1/?serverSelectionTimeoutMS=200")
    settings = load()
    held = [one["source"] for one in SERVICES[name]["secrets"]]
    secrets.ensure_passwords(settings, tuple(one.removesuffix(".password") for one in held if one != "keys.json"))
    ensure_keys(settings)
    stores = asked().Own(name) if name in AS_ITSELF else health.Opened(settings)
    said = health.look(stores, Programs([]), name)[0].says
    assert "There is no password" not in said


def test_it_says_that_a_program_does_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                                             capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("ROLLCALL_HOME", str(tmp_path))
    assert asked().main("producer") == 1
    assert "stopped" in capsys.readouterr().out


def test_a_view_in_a_container_of_its_own_is_asked_for_its_health(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The supervisor that keeps it is in a folder that nobody else has; natively there is one for all."""
    monkeypatch.setenv("ROLLCALL_HOME", str(tmp_path))
    assert Supervisor(load()).status()["view"].state == "stopped"
    monkeypatch.setenv("ROLLCALL_VIEW__HOST", SERVICES["console"]["environment"]["ROLLCALL_VIEW__HOST"])
    status = Supervisor(load()).status()["view"]
    assert (status.state, status.note) == ("elsewhere", "view:8050")


@pytest.mark.parametrize("code", [0, 75])
def test_after_a_restore_nothing_is_left_and_what_it_said_counts(code: int, tmp_path: Path) -> None:
    played = tmp_path / "rollcall"
    played.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/kept\n[ "$1" = restore-check ] && exit {code}\nexit 0\n')
    played.chmod(0o755)
    words = SERVICES["restore-check"]["entrypoint"]
    ended = subprocess.run([*words, "--commands", "a file"], cwd=CLONE, check=False,
                           env={"PATH": f"{tmp_path}:{os.environ['PATH']}"})
    assert ended.returncode == code
    assert (tmp_path / "kept").read_text() == "restore-check --commands a file\ndown\n"


def test_a_restore_that_is_stopped_ends_its_stream_first(tmp_path: Path) -> None:
    kept, played = tmp_path / "kept", tmp_path / "rollcall"
    played.write_text(f"""#!/bin/sh
[ "$1" = restore-check ] || {{ echo down >> {kept}; sleep 1; echo all is down >> {kept}; exit 0; }}
trap 'echo told >> {kept}; exit 75' TERM
echo restore-check >> {kept}
while :; do sleep 0.1; done
""")
    played.chmod(0o755)
    with subprocess.Popen(SERVICES["restore-check"]["entrypoint"], cwd=CLONE,
                          env={"PATH": f"{tmp_path}:{os.environ['PATH']}"}) as running:
        until("the check runs", lambda: kept.exists() and kept.read_text() == "restore-check\n", 30)
        running.terminate()
        until("all is being ended", lambda: kept.read_text().endswith("down\n"), 30)
        running.terminate()    # whoever is impatient
        code = running.wait(30)
    assert (kept.read_text(), code) == ("restore-check\ntold\ndown\nall is down\n", 75)
