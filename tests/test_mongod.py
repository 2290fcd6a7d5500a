"""A mongod of this machine, instead of FerretDB. None can be run here: its command and configuration are looked at as they are,
and a stand-in says which version it is.
"""

import threading
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
import yaml

from engine import stack
from engine.errors import SignInRefused, ToolMissing
from engine.native import fetch, mongo, mongod
from engine.processes import Supervisor
from engine.secrets import write_secret
from engine.settings import Settings, load
from engine.supervisord import configuration, native_servers
from tests.conftest import bare_home


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Of an installation with no setting but its folder, and of a machine without mongod."""
    return bare_home(tmp_path, monkeypatch)


def on_the_path(home: Path, version: str) -> None:
    """Something that is called mongod and says this version."""
    (home / "bin").mkdir(exist_ok=True)
    program = home / "bin" / "mongod"
    program.write_text(f"#!/bin/sh\necho 'db version v{version}'\n")
    program.chmod(0o755)


@pytest.fixture
def with_mongod(home: Path) -> Settings:
    """A machine with something on the PATH that is called mongod."""
    on_the_path(home, "8.0.13")
    return load()


def test_a_mongod_on_the_path_is_run_instead_of_ferretdb(with_mongod: Settings) -> None:
    assert native_servers(with_mongod)["mongo"] is mongod
    assert "ferretdb" not in [one.name for one in fetch.BUNDLES if one.needed(with_mongod)]
    mongod.configure(with_mongod, print)
    program, *arguments = mongod.command(with_mongod)
    assert Path(program) == with_mongod.home / "bin" / "mongod"
    assert arguments == ["--config", str(with_mongod.run / "mongod" / "mongod.yaml"), "--quiet"]
    made = yaml.safe_load((with_mongod.run / "mongod" / "mongod.yaml").read_text())
    assert made["security"] == {"authorization": "enabled"}
    assert made["net"] == {"bindIp": "127.0.0.1", "port": 27017, "unixDomainSocket": {"enabled": False}}
    assert made["storage"]["dbPath"] == str(with_mongod.data / "mongod")
    assert "systemLog" not in made, "supervisord keeps what it prints"
    assert f"{program} --config" in configuration(with_mongod, with_mongod.home / "socket")


def test_an_installation_whose_data_are_ferretdbs_keeps_ferretdb(with_mongod: Settings) -> None:
    (with_mongod.data / "mongo").mkdir(parents=True)
    (with_mongod.data / "mongo" / "administrator-made").touch()
    assert native_servers(with_mongod)["mongo"] is mongo
    assert fetch.FERRETDB.needed(with_mongod)


@pytest.mark.parametrize("version", ["", "4.4.30"])
def test_one_whose_data_are_a_mongods_never_becomes_an_empty_ferretdb(with_mongod: Settings, version: str) -> None:
    mongod.configure(with_mongod, print)
    if version:
        on_the_path(with_mongod.home, version)
    else:
        (with_mongod.home / "bin" / "mongod").unlink()
    assert native_servers(with_mongod)["mongo"] is mongod, "it can be looked at and stopped"
    assert not fetch.FERRETDB.needed(with_mongod)
    says = r"is version 4\.4 and must be 6\.0 or newer" if version else "is not on the PATH"
    said = f"mongod {says}, and {with_mongod.data}/mongod holds this installation's data"
    with pytest.raises(ToolMissing, match=said):
        mongod.configure(with_mongod, print)
    with pytest.raises(ToolMissing, match=said):
        Supervisor(with_mongod).open()
    assert "[program:stream]" in configuration(with_mongod, with_mongod.home / "socket", "stream")


@pytest.mark.parametrize(("version", "run"), [("6.0.0", mongod), ("8.2.1", mongod), ("5.0.31", mongo), ("x", mongo)])
def test_one_that_is_too_old_is_not_run(home: Path, version: str, run: ModuleType) -> None:
    on_the_path(home, version)
    assert native_servers(load())["mongo"] is run


def test_and_that_is_said(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    on_the_path(home, "4.4.30")
    monkeypatch.setattr(mongo, "_make_administrator", lambda settings: None)
    said: list[str] = []
    for _ in range(2):
        mongo.configure(load(), said.append)
    assert said == [f"mongo: {home}/bin/mongod is version 4.4 and must be 6.0 or newer; FerretDB is run instead",
                    "mongo: making its administrator"]


def test_the_folder_of_data_made_with_other_secrets_is_named(with_mongod: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(settings: Settings, say: Callable[[str], None]) -> bool:
        raise SignInRefused("refused")

    monkeypatch.setattr(mongod, "secure", refuse)
    monkeypatch.setattr(stack, "listening", lambda port: True)
    monkeypatch.setattr(stack, "REFUSED_FOR_S", 0)
    with pytest.raises(SignInRefused, match=f"its data in {with_mongod.data}/mongod were made with other secrets"):
        stack._ready(with_mongod, Supervisor(with_mongod), "mongo", print, threading.Event(), 1, new_cassandra=False)


def test_its_first_user_is_provision_who_may_do_everything(with_mongod: Settings) -> None:
    write_secret(with_mongod.secrets / "provision.password", b"word")
    assert mongod.first_user(with_mongod) == {
        "createUser": "provision", "pwd": "word", "roles": [{"role": "root", "db": "admin"}], "mechanisms": ["SCRAM-SHA-256"]}
