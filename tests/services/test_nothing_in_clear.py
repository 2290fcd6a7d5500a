"""No person in clear and no secret where it must not be; each search also finds a canary that was planted for it."""

import json
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from bench.installation import free_ports
from engine.clients import mongo_client
from engine.metrics import StreamMetrics
from engine.secrets import PRINCIPALS, password
from engine.settings import CLONE, Settings
from engine.stores import dead_letters
from engine.tls import trust
from tests import command_lines
from tests.people import captured
from tests.services.flow import Flow
from tests.test_metrics import parsed, scraped
from tests.waiting import until

pytestmark = [pytest.mark.services, pytest.mark.timeout(600)]

UUIDS = ("11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222")
CITY = "Canarytown"    # kept in clear by the catalogue: what the search must find
PERSONAL = ("Zanzibarina", "Quetzalkova", "canary.person@example.com", "Canary Birdcage Lane", "0479-000-777", "1971-02-03")
LOGIN = ("canary-password", "canary-salt", "canary-md5", "canary-username")


def person(uuid: str, **changes: Any) -> bytes:
    made = {**captured("1.4")[0], "email": PERSONAL[2], "phone": PERSONAL[4],
            "name": {"first": PERSONAL[0], "last": PERSONAL[1]},
            "dob": {"date": "1971-02-03T00:00:00.000Z", "age": 55}, "nat": "AU",
            "login": {"uuid": uuid, "password": LOGIN[0], "salt": LOGIN[1], "md5": LOGIN[2], "username": LOGIN[3]}}
    made["location"] = {**made["location"], "city": CITY, "street": {"number": 1, "name": PERSONAL[3]}}
    return json.dumps({**made, **changes}).encode()


@pytest.fixture(scope="module")
def flow(stack: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flow]:
    """A flow through which the canary went: as a row, as a dead letter, as one erased, with errors on the way."""
    good, bad = UUIDS
    shown = {"metrics": {"serve": True, "stream_port": free_ports(1)[0]}}
    with Flow(stack, tmp_path_factory.mktemp("clear"), "clear", shown) as made:
        made.start()
        made.send(good.encode(), person(good))
        made.send(bad.encode(), person(bad, email="no address of " + PERSONAL[2].replace("@", " ")))
        made.send(bad.encode(), person(bad)[:300])
        made.quiet()
        file = made.settings.home / "canary.jsonl"
        file.write_bytes(person(good, name=[PERSONAL[0]]) + b"\n" + person(good)[:300] + b"\n" + person(good) + b"\n")
        made.produce(file)
        file.unlink()
        made.quiet()
        made.rollcall("verify", "--json")
        yield made


def holds(parts: Iterable[bytes], words: Iterable[str]) -> set[str]:
    """Those of the words that stand in any part."""
    text = b"\n".join(parts)
    return {word for word in words if word.encode() in text}


def files(folder: Path) -> list[bytes]:
    return [path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()]


def test_rows_at_rest_hold_no_person_in_clear(flow: Flow) -> None:
    rows = flow.sealed_rows()
    assert len(rows) == 1
    blobs = [value for row in rows for value in row.values() if isinstance(value, bytes)]
    at_rest = [repr(row).encode() for row in rows] + blobs
    assert holds(at_rest, [*PERSONAL, *LOGIN]) == set()
    assert holds(at_rest, [CITY]) == {CITY}


def test_the_servers_own_files_hold_no_person_in_clear(flow: Flow, stack: Settings) -> None:
    commit_log = files(stack.data / "cassandra" / "commitlog")    # uncompressed: whatever was written is here
    assert holds(commit_log, [CITY]) == {CITY}
    assert holds(commit_log, [*PERSONAL, *LOGIN]) == set()
    documents = files(stack.data / "mongo")
    assert holds(documents, ["users_by_nationality"]) == {"users_by_nationality"}
    assert holds(documents, [*PERSONAL, *LOGIN]) == set()


def test_documents_hold_no_person(flow: Flow) -> None:
    with mongo_client(flow.settings, "provision") as client:
        database = client[flow.settings.mongo.database]
        everything = [repr(list(database[name].find({}))).encode() for name in database.list_collection_names()]
    assert holds(everything, ["example.com"]) == {"example.com"}
    assert holds(everything, [*PERSONAL, *LOGIN]) == set()


def test_metrics_are_the_figures_of_the_status_and_hold_no_person(flow: Flow) -> None:
    there = flow.settings.metrics.stream_port, trust.context(flow.settings)
    flow.send(UUIDS[0].encode(), person(UUIDS[0]))
    until("the turn that runs", lambda: parsed(scraped(*there))["rollcall_stream_running_turn_seconds"] > 0, every_s=0.02)
    flow.quiet()
    until("its end", lambda: parsed(scraped(*there))["rollcall_stream_running_turn_seconds"] == 0)
    text = scraped(*there)
    assert holds([text.encode()], ["rollcall_stream_rows_new_total"]) == {"rollcall_stream_rows_new_total"}
    assert holds([text.encode()], [*PERSONAL, *LOGIN, *UUIDS, CITY, "canary", *secrets(flow)]) == set()
    found, figures = parsed(text), flow.documents("pipeline_status")["figures"]
    assert {key: found[f"rollcall_stream_{name}_total"] for key, (name, _) in StreamMetrics.COUNTERS.items()} == {
        **dict.fromkeys(StreamMetrics.COUNTERS, 0), **figures["totals"]}
    assert (figures["totals"]["new"], found["rollcall_stream_lag_records"]) == (1, 0)
    assert {name.partition("=")[2] for name in found if "step_seconds_count" in name} >= set(figures["seconds"])


def test_dead_letters_are_sealed_and_hold_no_login_when_opened(flow: Flow, stack: Settings) -> None:
    letters = dead_letters.read(flow.settings, "verify", flow.keys).standing
    assert len(letters) == 4
    opened = [letter.value for letter in letters]
    assert holds(opened, PERSONAL[:1]) == {PERSONAL[0]}    # they were sealed whole, and can be read back by the officer
    parsed = [value for value in opened if value.endswith(b"}")]
    assert len(parsed) == 2
    assert holds(parsed, LOGIN) == set()
    assert holds([letter.reason.encode() + letter.place.encode() for letter in letters], [*PERSONAL, *LOGIN]) == set()
    raw = files(next(stack.data.rglob(f"{flow.settings.kafka.dead_topic}-0")))    # the broker's own files
    assert holds(raw, ["reason"]) == {"reason"}
    assert holds(raw, [*PERSONAL, *LOGIN]) == set()


def test_logs_hold_neither_a_person_nor_a_secret(flow: Flow, stack: Settings) -> None:
    canary = stack.logs_dir / "canary.log"
    canary.write_text(f"{PERSONAL[0]} {secrets(flow)[0]}\n")
    logs = [*files(stack.logs_dir), flow.log.read_bytes()]
    assert holds(logs, [PERSONAL[0], secrets(flow)[0]]) == {PERSONAL[0], secrets(flow)[0]}
    canary.unlink()
    logs = [*files(stack.logs_dir), flow.log.read_bytes()]
    assert holds(logs, [*PERSONAL, *LOGIN, *secrets(flow)]) == set()


def test_no_secret_is_on_a_command_line(flow: Flow) -> None:
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)", secrets(flow)[0]]) as planted:
        try:
            until("the planted one is seen", lambda: holds(    # its line stands a moment after it has begun
                [line.encode() for line in command_lines.now()], secrets(flow)) == {secrets(flow)[0]}, 10)
        finally:
            planted.kill()
    assert holds([line.encode() for line in command_lines.now()], secrets(flow)) == set()


def test_no_secret_is_in_git(flow: Flow) -> None:
    tracked = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=CLONE, capture_output=True, text=True,
                             check=True).stdout.splitlines()
    held = [(CLONE / name).read_bytes() for name in tracked if (CLONE / name).is_file()]
    assert holds(held, ["allow.everyone.if.no.acl.found"]) == {"allow.everyone.if.no.acl.found"}
    assert holds(held, secrets(flow)) == set()


def secrets(flow: Flow) -> list[str]:
    """Every password and key of this flow, keys as hex."""
    keys = flow.keys
    return [*(password(flow.settings, principal).get_secret_value() for principal in PRINCIPALS),
            *(key.hex() for key in (*keys.columns.values(), keys.email, keys.suppression, keys.control, keys.dead))]
