"""What is decided before any system is asked: addresses, whose account, what is fetched and run, what MongoDB would be told.

tests/services/test_elsewhere.py has the same on real servers.
"""

import json
import subprocess
from pathlib import Path
from typing import Any

import playwright
import pytest

from engine import secrets, stack
from engine.cli import stack as commands
from engine.errors import SettingsInvalid, SignInRefused
from engine.machine import memory
from engine.mongo import FERRETDB, MONGODB, kind_by
from engine.native import cassandra, fetch
from engine.processes import SERVERS, Supervisor
from engine.provision.cassandra import _copies
from engine.provision.changes import Changes
from engine.provision.mongo import privileges, role_commands, user_commands, wanted_roles
from engine.secrets import write_secret
from engine.settings import CLONE, Mongo, Settings, load
from engine.supervisord import configuration, native_servers
from engine.topics import all_topics
from tests.conftest import bare_home
from tests.mongo_roles import script

ALL = {"KAFKA_BOOTSTRAP": "k1:9092, k2:9092", "CASSANDRA_CONTACT_POINTS": "c1,c2:9043,[::1]:9044",
       "MONGODB_URI": "mongodb://m1,m2:27018/?replicaSet=rs0&w=majority"}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Of an installation with no setting but its folder, and of a machine without mongod."""
    return bare_home(tmp_path, monkeypatch)


def elsewhere(monkeypatch: pytest.MonkeyPatch, **addresses: str) -> Settings:
    """Settings with these in the environment."""
    for name, value in addresses.items():
        monkeypatch.setenv(name, value)
    return load()


def test_without_addresses_everything_is_ours(home: Path) -> None:
    settings = load()
    assert settings.elsewhere == {}
    assert (settings.kafka_address, settings.cassandra_address, settings.mongo_uri) == (
        "127.0.0.1:9092", "127.0.0.1:9042", "mongodb://127.0.0.1:27017/")
    assert list(native_servers(settings)) == ["kafka", "mongo", "cassandra"]


def test_the_plain_names_are_read(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = elsewhere(monkeypatch, **ALL)
    assert settings.elsewhere == {"kafka": "k1:9092,k2:9092", "cassandra": "c1:9042,c2:9043,[::1]:9044",
                                  "mongo": "m1:27017,m2:27018"}
    assert settings.mongo_uri == ALL["MONGODB_URI"]


def test_our_names_win_over_the_plain_ones_and_these_over_the_file(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / "settings.toml").write_text('kafka_bootstrap = "file:1"\n')
    assert load().kafka_bootstrap == "file:1"
    assert elsewhere(monkeypatch, KAFKA_BOOTSTRAP="plain:1").kafka_bootstrap == "plain:1"
    assert elsewhere(monkeypatch, ROLLCALL_KAFKA_BOOTSTRAP="ours:1").kafka_bootstrap == "ours:1"


@pytest.mark.parametrize(("name", "value"), [
    ("KAFKA_BOOTSTRAP", "k1"), ("KAFKA_BOOTSTRAP", "k1:9092,"), ("KAFKA_BOOTSTRAP", "k1:99999"), ("KAFKA_BOOTSTRAP", "a@b:1"),
    ("CASSANDRA_CONTACT_POINTS", "cql://c1"), ("CASSANDRA_CONTACT_POINTS", "c1:x"), ("MONGODB_URI", "m1:27017"),
    ("MONGODB_URI", "mongodb://"), ("MONGODB_URI", "mongodb://m1:x/")])
def test_what_is_no_address_is_said(home: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    with pytest.raises(SettingsInvalid, match=f"Setting ROLLCALL_{name} is wrong"):
        elsewhere(monkeypatch, **{name: value})


@pytest.mark.parametrize("uri", [
    "mongodb://ada:lovelace@m1/", "mongodb://ada:love/lace@m1/", "mongodb://ada:lovelace#x@m1/", "mongodb://ada:p?lovelace@m1",
    "ada:lovelace@m1:27017", "mongodb:/ada:lovelace@m1/", "mongodb://ada:lovelace%40m1/", "mongodb+srv://ada:lovelace@m1/",
    "mongodb://m1/?tls=true&tlsCertificateKeyFilePassword=lovelace", "mongodb://m1/?TLScertificatekeyfilepassword=lovelace",
    "mongodb://m1/?ssl_pem_passphrase=lovelace", "mongodb://m1/?tlsCertificateKeyFile%50assword=lovelace",
    "mongodb://m1/?authMechanismProperties=AWS_SESSION_TOKEN:lovelace"])
def test_a_password_in_the_uri_is_refused_and_not_shown(home: Path, monkeypatch: pytest.MonkeyPatch, uri: str) -> None:
    with pytest.raises(SettingsInvalid, match="MONGODB_URI holds a name or a password") as refused:
        elsewhere(monkeypatch, MONGODB_URI=uri)
    assert "love" not in str(refused.value)


@pytest.mark.parametrize("uri", ["mongodb://ada:lovelace/", "mongodb+srv://ada:lovelace/", "mongodb://[lovelace/", "lovelace",
                                 "mongodb://\u2100lovelace/", "mongodb:///lovelace"])
def test_a_uri_that_is_none_is_not_shown(home: Path, monkeypatch: pytest.MonkeyPatch, uri: str) -> None:
    with pytest.raises(SettingsInvalid, match="Setting ROLLCALL_MONGODB_URI is wrong") as refused:
        elsewhere(monkeypatch, MONGODB_URI=uri)
    assert "lovelace" not in str(refused.value)


@pytest.mark.parametrize("line", ['mongodb_uri = ["lovelace"]', 'mongo_uri = "mongodb://ada:lovelace@m1/"'])
def test_nor_is_one_of_the_file_that_is_no_setting(home: Path, line: str) -> None:
    (home / "settings.toml").write_text(f"{line}\n")
    with pytest.raises(SettingsInvalid, match=r"Setting ROLLCALL_MONGO\w+ is wrong") as refused:
        load()
    assert "lovelace" not in str(refused.value)


def test_what_runs_elsewhere_is_not_fetched_run_or_counted(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = elsewhere(monkeypatch, **ALL)
    assert [one.name for one in fetch.BUNDLES if one.needed(settings)] == ["spark-connectors"]
    assert native_servers(settings) == {}
    assert set(memory.heaps(settings)) == {"stream"}
    status = Supervisor(settings).status()
    assert {name: (one.state, one.note) for name, one in status.items() if one.state == "elsewhere"} == {
        name: ("elsewhere", address) for name, address in settings.elsewhere.items()}
    text = configuration(settings, home / "socket")
    assert [name for name in ("kafka", "cassandra", "mongo") if f"[program:{name}]" in text] == []
    assert "[program:stream]" in text


def test_of_two_that_are_elsewhere_the_third_is_still_ours(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = elsewhere(monkeypatch, KAFKA_BOOTSTRAP="k:1", MONGODB_URI="mongodb://m/")
    assert [one.name for one in fetch.BUNDLES if one.needed(settings)] == ["cassandra", "spark-connectors"]
    assert "[program:cassandra]" in configuration(settings, home / "socket")


def test_the_account_elsewhere_is_in_a_file_and_anybody_elses_is_their_own(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = elsewhere(monkeypatch, KAFKA_BOOTSTRAP="k:1")
    with pytest.raises(SettingsInvalid, match=r"Write name and password(.|\n)*kafka\.admin(.|\n)*provision\.password"):
        secrets.account(settings, "provision", "kafka")
    write_secret(settings.secrets / "provision.password", b"ours")
    assert secrets.account(settings, "provision", "kafka")[0] == "provision"
    write_secret(settings.secrets / "kafka.admin", b"root\nword\n")
    name, password = secrets.account(settings, "provision", "kafka")
    assert (name, password.get_secret_value()) == ("root", "word")
    assert secrets.account(settings, "provision", "cassandra")[1].get_secret_value() == "ours", "that one is ours"
    write_secret(settings.secrets / "stream.password", b"streams")
    assert secrets.account(settings, "stream", "kafka")[0] == "stream"


@pytest.mark.parametrize("content", [b"", b"root", b"root\n\n", b"a\nb\nc", b"\xff\n"])
def test_a_damaged_account_is_said(home: Path, monkeypatch: pytest.MonkeyPatch, content: bytes) -> None:
    settings = elsewhere(monkeypatch, KAFKA_BOOTSTRAP="k:1")
    write_secret(settings.secrets / "kafka.admin", content)
    with pytest.raises(SettingsInvalid, match="must hold two lines"):
        secrets.account(settings, "provision", "kafka")


def test_passwords_that_only_our_servers_know_are_made_for_these_alone(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert set(secrets.needed(load())) == set(secrets.PRINCIPALS)
    assert set(secrets.PRINCIPALS) - set(secrets.needed(elsewhere(monkeypatch, KAFKA_BOOTSTRAP="k:1"))) == {"broker"}
    assert set(secrets.PRINCIPALS) - set(secrets.needed(elsewhere(monkeypatch, **ALL))) == {"broker", "provision"}


def test_a_lost_key_ring_is_not_made_anew(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = elsewhere(monkeypatch, **ALL)
    write_secret(settings.secrets / "provision.password", b"word")
    stack.secrets_made(settings, print)
    (settings.secrets / "keys.json").unlink()
    with pytest.raises(SettingsInvalid, match=r"key ring .* is missing, and Cassandra at c1:9042.* holds data"):
        stack.secrets_made(settings, print)


@pytest.fixture
def provided(home: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """All three elsewhere and answering at once: what would be made in them is written down instead."""
    write_secret(elsewhere(monkeypatch, **ALL).secrets / "provision.password", b"word")
    made: list[str] = []

    def provision(settings: Settings, say: object, name: str, take_over: bool) -> int:
        made.append(name)
        return 0

    for server in SERVERS.values():
        monkeypatch.setattr(server, "probe", lambda settings: None)
    monkeypatch.setattr(cassandra, "secure", lambda settings, say: made.append("secured"))
    monkeypatch.setattr(stack, "LOOK_ELSEWHERE_EVERY_S", 0)
    monkeypatch.setattr(stack, "require_fitting_keys", lambda settings: made.append("keys"))
    monkeypatch.setattr(stack, "provision", provision)
    monkeypatch.setattr(stack, "require_current", lambda *_: None)
    monkeypatch.setattr(stack, "_first_register", lambda settings, say: None)
    return made


@pytest.mark.parametrize("new", [True, False])
def test_only_a_cassandra_that_is_said_to_be_new_loses_its_superuser(provided: list[str], new: bool) -> None:
    commands.provision(within=1, secrets_only=False, new_cassandra=new, take_over=False, rights=False)
    assert ("secured" in provided) is new
    assert set(provided) >= set(SERVERS)


def test_keys_that_do_not_fit_are_found_before_any_change(provided: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    commands.provision(within=1, secrets_only=False, new_cassandra=False, take_over=False, rights=False)
    assert provided[0] == "keys"
    provided.clear()

    def refuse(settings: Settings) -> None:
        raise SettingsInvalid("other keys")

    monkeypatch.setattr(stack, "require_fitting_keys", refuse)
    with pytest.raises(SettingsInvalid, match="other keys"):
        stack.provide(load(), print)
    assert provided == []


def test_a_user_that_may_be_somebody_elses_gets_no_password_of_ours() -> None:
    with pytest.raises(SignInRefused, match="--take-over"):
        Changes(print, {"kafka": "k:1"}).may_reset("kafka", "producer")
    Changes(print, {"kafka": "k:1"}).may_reset("mongo", "producer")
    Changes(print).may_reset("kafka", "producer")


def test_three_nodes_come_from_settings(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def in_sync() -> set[str]:
        return {topic.configs["min.insync.replicas"] for topic in all_topics(load().kafka)}

    assert in_sync() == {"1"}
    monkeypatch.setenv("ROLLCALL_KAFKA__REPLICATION", "3")
    assert in_sync() == {"2"}
    monkeypatch.setenv("ROLLCALL_KAFKA__MIN_INSYNC_REPLICAS", "3")
    assert in_sync() == {"3"}
    monkeypatch.setenv("ROLLCALL_KAFKA__MIN_INSYNC_REPLICAS", "4")
    with pytest.raises(SettingsInvalid, match=r"at most replication \(3\)"):
        load()


@pytest.mark.parametrize(("options", "copies"), [
    ({"class": "SimpleStrategy", "replication_factor": "1"}, 1), ({"class": "NetworkTopologyStrategy", "a": "3", "b": "2"}, 2),
    ({"class": "LocalStrategy"}, 1)])
def test_copies_are_those_of_the_data_centre_with_fewest(options: dict[str, str], copies: int) -> None:
    assert _copies(options) == copies


# --- what MongoDB and FerretDB are told

def test_they_are_told_apart_by_what_they_say_of_themselves() -> None:
    assert kind_by({"version": "7.0.42", "ferretdbVersion": "v1.24.2", "ok": 1.0}) == FERRETDB
    assert kind_by({"version": "8.0.13", "gitVersion": "x", "modules": [], "ok": 1.0}) == MONGODB
    assert (MONGODB.roles, FERRETDB.roles) == (True, False)


class MongoDB:
    """Answers rolesInfo and usersInfo after createRole, updateRole, createUser and updateUser as MongoDB's manual says."""

    def __init__(self) -> None:
        self.roles: dict[str, dict[str, Any]] = {}
        self.users: dict[str, dict[str, Any]] = {}

    def provisioned(self, settings: Settings) -> list[dict[str, Any]]:
        """Every command that provisioning sends, carried out."""
        sent = []
        for role, wanted in privileges(settings.mongo).items():
            for command, _ in role_commands(role, wanted, self.roles.get(role)):
                sent.append(command)
                self.roles[role] = {"roles": command["roles"], "privileges": command["privileges"]}
        for user, roles in wanted_roles(settings.mongo).items():
            for command, _ in user_commands(user, roles, self.users.get(user), "word", refused=False):
                sent.append(command)
                self.users[user] = {"roles": command["roles"]}
        return sent


def test_on_mongodb_roles_come_first_and_the_second_time_nothing_is_sent(home: Path) -> None:
    settings, server = load(), MongoDB()
    sent = server.provisioned(settings)
    assert [next(iter(command)) for command in sent] == ["createRole"] * 4 + ["createUser"] * 8
    assert sent[0] == {"createRole": "status_writer", "roles": [], "privileges": [
        {"resource": {"db": "rollcall", "collection": "pipeline_status"}, "actions": ["find", "insert", "update"]}]}
    assert {one["createUser"]: [role["role"] for role in one["roles"]] for one in sent if "createUser" in one} == {
        "stream": ["readWrite"], "producer": ["status_writer"], "verify": ["read", "status_writer"],
        "redrive": ["read", "discarder"], "view": ["snapshot_reader"], "console": ["read"],
        "governance": ["status_writer", "publisher"], "inspector": ["read"]}
    assert server.provisioned(settings) == []


def test_on_mongodb_what_was_changed_by_hand_is_mended(home: Path) -> None:
    settings, server = load(), MongoDB()
    server.provisioned(settings)
    server.roles["snapshot_reader"]["privileges"] = [
        {"resource": {"db": "rollcall", "collection": ""}, "actions": ["find"]}]
    server.users["view"]["roles"] = [{"role": "root", "db": "admin"}]
    assert server.provisioned(settings) == [
        {"updateRole": "snapshot_reader", "roles": [], "privileges": privileges(settings.mongo)["snapshot_reader"]},
        {"updateUser": "view", "roles": wanted_roles(settings.mongo)["view"]}]
    assert server.provisioned(settings) == []


def test_a_user_who_does_not_know_our_password_gets_it() -> None:
    there: dict[str, Any] = {"roles": []}
    assert user_commands("view", [], there, "word", refused=True) == [
        ({"updateUser": "view", "pwd": "word"}, "password set again")]
    assert user_commands("view", [], there, "word", refused=False) == []


def test_of_one_that_runs_apart_only_this_one_is_kept(home: Path) -> None:
    text = configuration(load(), home / "socket", "stream")
    assert [line for line in text.splitlines() if line.startswith("[program:")] == ["[program:stream]"]
    assert "autostart=true" in text
    assert f"{home}/logs/supervisord-stream.log" in text
    assert f"{home}/run/supervisord-stream.pid" in text
    assert "autostart=true" not in configuration(load(), home / "socket").partition("[program:stream]")[2]


# --- the same as a script for an administrator

NODE = Path(playwright.__file__).parent / "driver" / "node"
MONGOSH = """
const sent = [], known = JSON.parse(process.argv[2]);
const database = (name) => ({
  getSiblingDB: database, getRole: (role) => known.includes(role) ? {} : null,
  getUser: (user) => known.includes(user) ? {} : null,
  runCommand: (command) => { sent.push(command); }});
global.db = database("test");
global.require = require;
require("vm").runInThisContext(require("fs").readFileSync("infra/mongo/roles.js", "utf8"));
console.log(JSON.stringify(sent));
"""


def given_to_mongosh(folder: Path, known: list[str]) -> list[dict[str, Any]]:
    """The commands that the script sends to a MongoDB that has these roles and users."""
    (folder / "mongosh.js").write_text(MONGOSH)
    done = subprocess.run([NODE, folder / "mongosh.js", json.dumps(known)], cwd=CLONE, capture_output=True, text=True,
                          check=True, env={"ROLLCALL_SECRETS": str(folder)})
    sent: list[dict[str, Any]] = json.loads(done.stdout)
    return sent


def test_the_script_is_made_from_the_rights() -> None:
    assert (CLONE / "infra/mongo/roles.js").read_text() == script(Mongo()), "python -m tests.mongo_roles > infra/mongo/roles.js"


def test_the_script_sends_what_provisioning_sends(home: Path) -> None:
    for user in wanted_roles(Mongo()):
        (home / f"{user}.password").write_text("word")
    server = MongoDB()
    assert given_to_mongosh(home, []) == server.provisioned(load())
    again = given_to_mongosh(home, [*server.roles, *server.users])
    assert {next(iter(command)) for command in again} == {"updateRole", "updateUser"}
    assert not any("pwd" in command for command in again)
