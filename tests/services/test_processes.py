"""The supervisor over real programs: it starts, stops, restarts and tells, and a killed one leaves nothing astray."""

import os
import signal
import stat

import psutil
import pytest

from engine import stack as stacks
from engine.clients import cassandra_session, mapped, mongo_client
from engine.errors import PortTaken, ServerFailed
from engine.processes import PROGRAMS, SERVERS, Supervisor, left_over
from engine.settings import Settings
from engine.stores.audit import AuditLog
from engine.tls import trust
from engine.tls.pages import address
from tests.waiting import answers, until

pytestmark = pytest.mark.services


def written(settings: Settings, word: str) -> None:
    """Leaves a word in MongoDB and in Cassandra."""
    with mapped("writing"), mongo_client(settings, "provision") as client:
        client["trial"]["words"].replace_one({"_id": 1}, {"word": word}, upsert=True)
    with cassandra_session(settings, "provision") as session:
        session.execute("CREATE KEYSPACE IF NOT EXISTS trial "
                        "WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}")
        session.execute("CREATE TABLE IF NOT EXISTS trial.words (id int PRIMARY KEY, word text)")
        session.execute("INSERT INTO trial.words (id, word) VALUES (1, %s)", (word,))


def read(settings: Settings) -> set[str]:
    """The words that both hold."""
    with mapped("reading"), mongo_client(settings, "provision") as client:
        document = client["trial"]["words"].find_one({"_id": 1})
    with cassandra_session(settings, "provision") as session:
        row = session.execute("SELECT word FROM trial.words WHERE id = 1").one()
    return {document["word"] if document else "", row.word}


def test_the_servers_run_and_our_programs_wait_to_be_started(stack: Settings) -> None:
    status = Supervisor(stack).status()
    assert {name: status[name].state for name in SERVERS} == dict.fromkeys(SERVERS, "running")
    assert {name: status[name].state for name in PROGRAMS} == dict.fromkeys(PROGRAMS, "stopped")
    assert all(psutil.pid_exists(status[name].pid or 0) and status[name].since for name in SERVERS)


def test_only_the_owner_can_talk_to_the_supervisor(stack: Settings) -> None:
    assert stat.S_IMODE(Supervisor(stack).socket().stat().st_mode) == 0o600


def test_a_program_stops_and_starts_again_with_its_data(stack: Settings) -> None:
    processes = Supervisor(stack)
    written(stack, "kept")
    before = processes.status()["mongo"].pid
    assert before
    processes.stop("mongo")
    assert processes.status()["mongo"].state == "stopped"
    assert not psutil.pid_exists(before)
    processes.start("mongo")
    processes.start("mongo")    # a second time is no error
    processes.wait_running("mongo")
    assert processes.status()["mongo"].pid != before
    assert read(stack) == {"kept"}


def test_a_killed_server_is_started_again(stack: Settings) -> None:
    processes = Supervisor(stack)
    before = processes.status()["mongo"].pid
    assert before
    os.kill(before, signal.SIGKILL)
    until("another one runs", lambda: processes.status()["mongo"].pid not in (None, before), 30)
    processes.wait_running("mongo")


def test_the_tail_is_the_end_of_the_log(stack: Settings) -> None:
    processes = Supervisor(stack)
    assert any("Kafka Server started" in line for line in processes.tail("kafka", 50))
    assert len(processes.tail("cassandra", 3)) == 3
    assert processes.tail("never ran") == []


def test_a_port_in_use_is_named_with_its_owner_and_its_setting(stack: Settings) -> None:
    view_at_kafka = stack.model_copy(update={"view": stack.view.model_copy(update={"port": stack.kafka.port})})
    with pytest.raises(PortTaken, match=rf"Port {stack.kafka.port} \(view.port\) is taken by java \(process \d+\)"
                                        r"(.|\n)*ROLLCALL_VIEW__PORT"):
        stacks.up(view_at_kafka, lambda line: None)


def test_a_program_that_fails_is_reported_with_the_end_of_its_log(stack: Settings) -> None:
    processes = Supervisor(stack)
    view_at_kafka = stack.model_copy(update={"view": stack.view.model_copy(update={"port": stack.kafka.port})})
    try:
        Supervisor(view_at_kafka).open()    # the running supervisor takes the changed configuration over
        servers = {name: processes.status()[name].pid for name in SERVERS}
        processes.start("view")
        with pytest.raises(ServerFailed, match=r"view does not run(.|\n)*ends:(.|\n)*[Aa]ddress already in use"):
            processes.wait_running("view")
        assert {name: processes.status()[name].pid for name in SERVERS} == servers, "the servers ran on"
    finally:
        processes.stop("view")
        processes.open()


def test_servers_come_back_with_their_data_after_the_supervisor_was_killed(
        stack: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    written(stack, "survives")
    processes = Supervisor(stack)
    processes.start("view")
    processes.wait_running("view")
    until("the view has all its processes", lambda: answers(address(stack, "view"), trust.context(stack)))
    pid = int((stack.run / "supervisord.pid").read_text())
    os.kill(pid, signal.SIGKILL)
    until("the supervisor is gone", lambda: not processes.alive(), 30)
    orphans = {process.pid for process in left_over(stack)}
    assert len(orphans) > len(SERVERS)
    said: list[str] = []
    monkeypatch.setattr(stacks, "PROGRAMS", ())    # what runs beside the servers is not wanted here
    stacks.up(stack, said.append)
    assert said[0].startswith(f"Ending {len(orphans)} processes")
    with AuditLog.opened(stack) as audit:
        assert any((entry.act, entry.result) == ("installation.up", "done") for entry in audit.entries())
    assert not orphans & {process.pid for process in left_over(stack)}
    assert read(stack) == {"survives"}
