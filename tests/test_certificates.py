"""The private authority: what it makes and renews, what it leaves alone; who is not of it is refused, in real handshakes."""

import shutil
import socket
import ssl
import stat
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from cassandra.cluster import NoHostAvailable
from cryptography import x509
from kafka.errors import KafkaConnectionError
from prometheus_client import CollectorRegistry
from pydantic import ValidationError
from pymongo.errors import ServerSelectionTimeoutError

from bench.installation import free_ports
from engine import health
from engine.clients import translated
from engine.errors import CertificateRefused, SettingsInvalid
from engine.native import kafka, mongo, mongod
from engine.native.server import append, render
from engine.processes import Status, Supervisor
from engine.settings import CLONE, Settings
from engine.supervisord import configuration
from engine.tls import authority, served, trust
from engine.tls.pages import address, console_address, secure_cookie

NOW = datetime.now(UTC)


def made(home: Path, **more: Any) -> Settings:
    """Settings with TLS of an installation in this folder."""
    return Settings.model_validate({"home": home, "tls": {"on": True, **more.pop("tls", {})}, **more})


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """An installation whose certificates are made."""
    settings = made(tmp_path / "ours")
    authority.ensure(settings)
    return settings


def serial(settings: Settings, name: str) -> int:
    """Which certificate a file holds."""
    return x509.load_pem_x509_certificate(authority.pem_file(settings, name).read_bytes()).serial_number


def made_in_the_past(settings: Settings, name: str, left: timedelta) -> None:
    """Puts a certificate there that ends so long from now."""
    authority._sign(settings, name, datetime.now(UTC) + left - timedelta(days=settings.tls.days))


# ---- what is made


def test_all_are_made_once_and_are_their_owners_alone(settings: Settings) -> None:
    there = authority.folder(settings)
    assert {path.name for path in there.iterdir()} == {"ca.crt", "ca.key", *(f"{name}.pem" for name in authority.NAMES)}
    assert {stat.S_IMODE(path.stat().st_mode) for path in there.iterdir()} == {0o600}
    assert {stat.S_IMODE(path.stat().st_mode) for path in (there, settings.secrets)} == {0o700}
    before = {path: path.read_bytes() for path in there.iterdir()}
    assert authority.ensure(settings) == []
    assert {path: path.read_bytes() for path in there.iterdir()} == before


def test_openssl_finds_each_to_be_a_servers_of_the_authority(settings: Settings) -> None:
    for name in authority.NAMES:
        for host in ("-verify_ip", "127.0.0.1"), ("-verify_hostname", name):
            said = subprocess.run(["openssl", "verify", "-x509_strict", "-purpose", "sslserver", *host, "-CAfile",
                                   authority.trusted_file(settings), authority.pem_file(settings, name)],
                                  capture_output=True, text=True, check=False)
            assert said.returncode == 0, said.stderr


def test_a_certificate_is_for_where_people_reach_the_page(tmp_path: Path) -> None:
    settings = made(tmp_path, console={"host": "0.0.0.0", "origins": ["https://rollcall.example.org:8443"]},    # noqa: S104
                    tls={"names": ["Here.example.org", "192.0.2.7", "2001:db8::1"]})
    authority.ensure(settings)
    found = {one.name: one.hosts for one in authority.kept(settings)}
    shared = {"127.0.0.1", "::1", "localhost", "here.example.org", "192.0.2.7", "2001:db8::1"}
    assert found["console"] == {"console", "rollcall.example.org", *shared}
    assert found["kafka"] == {"kafka", *shared}


@pytest.mark.parametrize("name", ["", "a b", "https://example.org", "example.org:8443", "-a.example.org"])
def test_what_is_no_host_is_no_name(name: str) -> None:
    with pytest.raises(ValidationError, match="no host name"):
        Settings.model_validate({"tls": {"names": [name]}})


# ---- renewing


@pytest.mark.parametrize(("left", "renewed"), [
    (timedelta(days=31), False), (timedelta(days=29), True), (-timedelta(days=1), True)])
def test_what_ends_within_a_month_is_renewed(settings: Settings, left: timedelta, renewed: bool) -> None:
    made_in_the_past(settings, "kafka", left)
    (before,) = [one for one in authority.kept(settings) if one.name == "kafka"]
    assert before.ends_soon(datetime.now(UTC)) == renewed
    assert authority.ensure(settings) == (["kafka"] if renewed else [])
    assert not any(one.ends_soon(datetime.now(UTC)) for one in authority.kept(settings))


def test_only_those_asked_for_are_renewed(settings: Settings) -> None:
    for name in ("kafka", "mongo"):
        made_in_the_past(settings, name, timedelta(days=3))
    assert authority.ensure(settings, ["mongo", "view"]) == ["mongo"], "Kafka runs, and would not show the new one"


def test_all_can_be_renewed_at_any_time(settings: Settings) -> None:
    before = {name: serial(settings, name) for name in authority.NAMES}
    assert authority.ensure(settings, anew=True) == list(authority.NAMES)
    assert all(serial(settings, name) != before[name] for name in authority.NAMES)


def test_a_new_name_of_the_settings_renews_and_one_that_goes_does_not(settings: Settings) -> None:
    more = made(settings.home, tls={"names": ["here.example.org"]})
    assert authority.ensure(more) == list(authority.NAMES)
    assert authority.ensure(settings) == []


def test_a_certificate_never_outlives_its_authority(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.rmtree(authority.folder(settings))
    monkeypatch.setattr(authority, "AUTHORITY_DAYS", 100)
    authority.ensure(settings)
    assert {one.ends for one in authority.kept(settings)} == {authority.trusted(settings)[0].not_valid_after_utc}


# ---- files that are not as they were made


def test_a_lost_key_of_the_authority_stops_only_what_needs_it(settings: Settings) -> None:
    key = authority.folder(settings) / "ca.key"
    key.unlink()
    assert authority.ensure(settings) == []
    with pytest.raises(SettingsInvalid, match=r"ca\.key is missing"):
        authority.ensure(settings, anew=True)


def test_a_lost_authority_is_not_made_anew_beside_its_certificates(settings: Settings) -> None:
    authority.trusted_file(settings).unlink()
    with pytest.raises(SettingsInvalid, match=r"ca\.crt is missing, and cassandra\.pem, console\.pem"):
        authority.ensure(settings)


def test_a_key_of_another_authority_is_refused(settings: Settings, tmp_path: Path) -> None:
    other = made(tmp_path / "other")
    authority.ensure(other)
    shutil.copy(authority.folder(other) / "ca.key", authority.folder(settings) / "ca.key")
    with pytest.raises(SettingsInvalid, match="not the key of the first authority"):
        authority.ensure(settings, anew=True)


@pytest.mark.parametrize("name", ["ca.crt", "kafka.pem"])
def test_a_damaged_file_is_named(settings: Settings, name: str) -> None:
    (authority.folder(settings) / name).write_text("nothing that could be read")
    with pytest.raises(SettingsInvalid, match=rf"{name} is damaged"):
        authority.kept(settings)


def test_the_certificate_of_another_installation_is_named(settings: Settings, tmp_path: Path) -> None:
    other = made(tmp_path / "other")
    authority.ensure(other)
    shutil.copy(authority.pem_file(other, "kafka"), authority.pem_file(settings, "kafka"))
    with pytest.raises(SettingsInvalid, match=r"kafka\.pem was signed by no authority"):
        authority.ensure(settings)
    with authority.trusted_file(settings).open("ab") as file:
        file.write(authority.trusted_file(other).read_bytes())
    before = serial(settings, "kafka")
    assert "kafka" not in authority.ensure(settings, anew=True), "somebody else's is for them to renew"
    assert serial(settings, "kafka") == before
    assert [one.name for one in authority.kept(settings) if not one.ours] == ["kafka"]


def test_what_is_missing_says_which_command_makes_it(tmp_path: Path) -> None:
    settings = made(tmp_path)
    for ask in (trust.context, trust.mongo, trust.kafka_java, lambda some: trust.serving(some, "metrics")):
        with pytest.raises(SettingsInvalid, match="`rollcall certs` makes"):
            ask(settings)


# ---- handshakes


@contextmanager
def listening(context: ssl.SSLContext) -> Iterator[int]:
    """A port that speaks TLS."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        def answer() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:    # it was closed
                    return
                try:
                    with context.wrap_socket(connection, server_side=True) as wrapped:
                        wrapped.sendall(b"hello")
                except OSError:
                    connection.close()

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)
    thread.join(10)


def heard(context: ssl.SSLContext | None, port: int, host: str = "127.0.0.1") -> bytes:
    """What a client that trusts so is told."""
    assert context is not None
    with socket.create_connection(("127.0.0.1", port), timeout=5) as plain, \
            context.wrap_socket(plain, server_hostname=host) as wrapped:
        return wrapped.recv(5)


def refusal(settings: Settings, server: Settings, host: str = "127.0.0.1") -> str:
    """Why a client of `settings` does not speak to a server of `server`, in our words."""
    context = trust.serving(server, "kafka")
    assert context is not None
    with listening(context) as port, pytest.raises(ssl.SSLError) as error:
        heard(trust.context(settings), port, host)
    return trust.refused(str(error.value))


def test_who_trusts_the_authority_gets_in_by_name_and_by_address(settings: Settings) -> None:
    context = trust.serving(settings, "kafka")
    assert context is not None
    with listening(context) as port:
        for host in ("127.0.0.1", "localhost", "kafka"):
            assert heard(trust.context(settings), port, host) == b"hello"


def test_each_certificate_that_is_not_good_is_told_by_what_is_wrong(settings: Settings, tmp_path: Path) -> None:
    other = made(tmp_path / "other")
    authority.ensure(other)
    assert "signed by nobody who is trusted here" in refusal(other, settings)
    assert "for another host" in refusal(settings, settings, "192.0.2.1")
    assert "for another host" in refusal(settings, settings, "elsewhere.example.org")
    made_in_the_past(settings, "kafka", -timedelta(days=1))
    assert "has ended" in refusal(settings, settings)


def test_the_drivers_errors_become_one_of_ours() -> None:
    text = "[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: certificate has expired (_ssl.c:1006)"
    for store, met in (("Kafka", KafkaConnectionError(f"Handshake failed: {text}")),
                       ("MongoDB", ServerSelectionTimeoutError(f"127.0.0.1:1: {text}")),
                       ("Cassandra", NoHostAvailable("no host", {"127.0.0.1": OSError(1, f"Last error: {text}")}))):
        ours = translated(met, "asking", "verify")
        assert isinstance(ours, CertificateRefused)
        assert ours.store == store
        assert str(ours).startswith(f"{store} cannot be trusted while asking as verify: its certificate has ended.")


# ---- what is told of the end


def test_the_end_is_that_of_what_is_served_and_not_of_the_file(settings: Settings) -> None:
    made_in_the_past(settings, "kafka", timedelta(days=12, hours=1))
    context = trust.serving(settings, "kafka")
    assert context is not None
    authority.ensure(settings)    # renewed, and not started again
    with listening(context) as port:
        there = made(settings.home, kafka={"port": port})
        now = datetime.now(UTC)
        end = served.ending(there, "kafka", now)
        assert end is not None
        assert served.says(end, now) == (
            f"its certificate ends in 12 days, on {end:%Y-%m-%d}: `rollcall down` and `rollcall up` renew it")
        assert served.ends(there.model_copy(update={"tls": Settings().tls}), "kafka") is None
        registry = CollectorRegistry()
        registry.register(served.Served(there))
        name = "rollcall_certificate_ends_timestamp_seconds"
        assert registry.get_sample_value(name, {"server": "kafka"}) == end.timestamp()


def test_an_end_that_is_past_is_seen_too(settings: Settings) -> None:
    made_in_the_past(settings, "kafka", -timedelta(days=2))
    context = trust.serving(settings, "kafka")
    assert context is not None
    with listening(context) as port:
        end = served.ending(made(settings.home, kafka={"port": port}), "kafka", NOW)
    assert end is not None
    assert "has ended on" in served.says(end, datetime.now(UTC))


def test_who_does_not_answer_or_speaks_no_tls_has_no_end(settings: Settings) -> None:
    assert served.ends(made(settings.home, kafka={"port": free_ports(1)[0]}), "kafka") is None


def test_the_hop_says_it_and_stays_well(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    end = datetime.now(UTC) + timedelta(days=5, hours=1)
    monkeypatch.setattr(served, "ends", lambda *_: end)
    stores = health.Opened(settings)
    hop = health._hop("view", Status("view", "running"), lambda _: (True, "it answers", {}), stores, Supervisor(settings))
    assert hop.ok
    assert hop.says.startswith("it answers; its certificate ends in 5 days")
    assert hop.facts["certificate_ends"] == end
    monkeypatch.setattr(served, "ends", lambda *_: NOW + timedelta(days=200))
    hop = health._hop("view", Status("view", "running"), lambda _: (True, "it answers", {}), stores, Supervisor(settings))
    assert hop.says == "it answers"


def test_the_alert_begins_when_a_start_would_renew() -> None:
    rules = yaml.safe_load((CLONE / "infra/metrics/rules.yml").read_text())["groups"][0]["rules"]
    (rule,) = [rule for rule in rules if rule["alert"] == "RollcallCertificateEnds"]
    assert rule["expr"].endswith(f"< {authority.RENEWED_BEFORE.total_seconds():.0f}")


# ---- what is started


def test_without_tls_nothing_is_otherwise(tmp_path: Path) -> None:
    plain = Settings(home=tmp_path)
    assert (trust.context(plain), trust.serving(plain, "metrics"), trust.mongo(plain), trust.kafka_java(plain)) == (
        None, None, {}, {})
    assert trust.kafka_protocol(plain) == "SASL_PLAINTEXT"
    assert address(plain, "console") == console_address(plain) == "http://127.0.0.1:8501"
    assert not secure_cookie(plain)
    assert not any(part.startswith("--listen-tls") for part in mongo.command(plain))
    text = configuration(plain, tmp_path / "socket")
    assert not [word for word in ("ssl", "certfile", ".pem") if word in text]


def test_with_tls_each_server_has_one_listener_and_no_plain_one(settings: Settings) -> None:
    command = mongo.command(settings)
    assert "--listen-addr=" in command
    assert f"--listen-tls=127.0.0.1:{settings.mongo.port}" in command
    render("kafka/server.properties", settings.run / "server.properties", host="127.0.0.1", port=1, controller_port=2,
           data="/d", broker_password="word", protocol=trust.kafka_protocol(settings))
    append("kafka/tls.properties", settings.run / "server.properties", certificate="/c.pem", authorities="/ca.crt")
    lines = dict(line.partition("=")[::2] for line in (settings.run / "server.properties").read_text().splitlines())
    assert lines["listener.security.protocol.map"] == "CLIENTS:SASL_SSL,CONTROLLER:SASL_SSL"
    assert lines["listeners"] == "CLIENTS://127.0.0.1:1,CONTROLLER://127.0.0.1:2"
    assert lines["ssl.keystore.location"] == "/c.pem"
    told = yaml.safe_load((CLONE / "infra/native/cassandra/tls.yaml").read_text())
    assert not told["client_encryption_options"]["optional"]
    assert not told["server_encryption_options"]["optional"]
    assert told["server_encryption_options"]["internode_encryption"] == "all"
    assert kafka.ports(settings).keys() == {"kafka.port", "kafka.controller_port"}


def test_a_mongod_is_told_to_require_it(settings: Settings) -> None:
    told = mongod._tls(settings)
    assert told[:2] == ["--tlsMode", "requireTLS"]
    assert all(Path(word).exists() for word in told if word.startswith("/"))
    assert mongod._tls(Settings()) == []


def test_the_pages_are_started_with_it_and_their_cookie_is_for_https(settings: Settings) -> None:
    text = configuration(settings, settings.run / "socket")
    for name, words in (("view", ("--certfile", "--keyfile")), ("console", ("--server.sslCertFile", "--server.sslKeyFile"))):
        for word in words:
            assert f"{word} {authority.pem_file(settings, name)}" in text
    assert console_address(settings) == "https://127.0.0.1:8501"
    assert secure_cookie(settings)
