"""The register against the running systems: fresh they agree, and whatever is altered on either side is named."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from kafka.admin import (
    ACL,
    ACLFilter,
    ACLOperation,
    ACLPermissionType,
    ConfigResource,
    ConfigResourceType,
    ResourcePattern,
    ResourcePatternFilter,
    ResourceType,
)

from engine.clients import cassandra_session, kafka_admin, mongo_client
from engine.compliance import retention, sheets
from engine.compliance.checks import MEASUREMENT, checked, well
from engine.compliance.register import Register, RegisterRefused, StaleEdit
from engine.provision.changes import settled
from engine.settings import Settings
from engine.stores.records import REGISTER, Record, Records, Stale
from governance.register import CONTENT, Derived, Entry, State, entries, entry
from governance.register_checks import Level
from tests.governance.test_register import BY_HAND
from tests.people import GENERATED, generated
from tests.services.flow import Flow

pytestmark = [pytest.mark.services, pytest.mark.timeout(600)]

ENTRY = "people-stream"


@pytest.fixture(scope="module")
def flow(stack: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flow]:
    """A flow with people in its topic and the first content in its register."""
    with Flow(stack, tmp_path_factory.mktemp("register"), "register") as made:
        with Records.opened(made.settings) as records:
            assert Register(records).seed("system test") == [one.ref for one in entries(CONTENT.read_text())]
            assert Register(records).seed("system test") == [], "it is published once"
        made.produce(GENERATED, "--limit", "200")
        yield made


@pytest.fixture
def register(flow: Flow) -> Iterator[Register]:
    with Records.opened(flow.settings) as records:
        yield Register(records)


def test_what_is_set_up_agrees_with_what_is_published(flow: Flow) -> None:
    found = json.loads(flow.rollcall("register", "check", "--json").stdout)
    assert found["ok"]
    assert {finding["where"] for finding in found["findings"]} == {"Art. 30(1)(a)", *BY_HAND, MEASUREMENT}
    with Records.opened(flow.settings) as records:
        assert sheets.derived(flow.settings, Register(records).in_force())[ENTRY].adheres is None, "nothing was measured yet"
        retention.measure(flow.settings, "ada")
        assert sheets.derived(flow.settings, Register(records).in_force())[ENTRY] == Derived((), True, "")
    found = json.loads(flow.rollcall("register", "check", "--json").stdout)
    assert {finding["where"] for finding in found["findings"]} == {"Art. 30(1)(a)", *BY_HAND}, "and now it was"


def cql(flow: Flow, statement: str) -> None:
    with cassandra_session(flow.settings, "provision") as session:
        session.execute(statement.format(ks=flow.settings.cassandra.keyspace), timeout=60)


def snoop(flow: Flow) -> None:
    """A role that may read the whole keyspace."""
    cql(flow, "CREATE ROLE IF NOT EXISTS snoop WITH LOGIN = true")
    cql(flow, "GRANT SELECT ON KEYSPACE {ks} TO snoop")


def keep_people_for(flow: Flow, hours: int) -> None:
    admin = kafka_admin(flow.settings, "provision")
    topic = flow.settings.kafka.topic
    admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, {"retention.ms": str(hours * 3_600_000)})])
    resource = ConfigResource(ConfigResourceType.TOPIC, topic)
    settled(lambda: admin.describe_configs([resource], config_filter="all")["topic"][topic]["retention.ms"]["value"]
            == str(hours * 3_600_000), "Kafka does not show the retention")
    admin.close()


def marketing(flow: Flow, may: bool) -> None:
    """Lets a principal that nobody knows read the topic, or no more."""
    admin = kafka_admin(flow.settings, "provision")
    pattern = ResourcePattern(ResourceType.TOPIC, flow.settings.kafka.topic)
    rule = ACL("User:marketing", "*", ACLOperation.READ, ACLPermissionType.ALLOW, pattern)
    one = ACLFilter("User:marketing", None, ACLOperation.ANY, ACLPermissionType.ANY,
                    ResourcePatternFilter(ResourceType.TOPIC, flow.settings.kafka.topic, pattern.pattern_type))
    if may:
        assert not admin.create_acls([rule])["failed"]
    else:
        admin.delete_acls([one])
    settled(lambda: bool(admin.describe_acls(one)[0]) is may, "Kafka does not show the rule")
    admin.close()


def aggregate(flow: Flow, change: dict[str, Any]) -> None:
    with mongo_client(flow.settings, "provision") as client:
        client[flow.settings.mongo.database]["users_by_nationality"].update_one({"_id": "FR"}, change, upsert=True)


def without_aggregate(flow: Flow) -> None:
    with mongo_client(flow.settings, "provision") as client:
        client[flow.settings.mongo.database]["users_by_nationality"].delete_one({"_id": "FR"})


Sabotage = tuple[str, str, Callable[[Flow], None], Callable[[Flow], None]]
SABOTAGE: dict[str, Sabotage] = {
    "a column added to Cassandra": (
        "cassandra:profiles.hobby", "no entry of the register speaks of it",
        lambda flow: cql(flow, "ALTER TABLE {ks}.profiles ADD hobby text"),
        lambda flow: cql(flow, "ALTER TABLE {ks}.profiles DROP hobby")),
    "a table added to Cassandra": (
        "cassandra:hobbies.who", "no entry of the register speaks of it",
        lambda flow: cql(flow, "CREATE TABLE {ks}.hobbies (who text PRIMARY KEY)"),
        lambda flow: cql(flow, "DROP TABLE {ks}.hobbies")),
    "a mask dropped": (
        "cassandra:profiles.email", "should be masked",
        lambda flow: cql(flow, "ALTER TABLE {ks}.profiles ALTER email DROP MASKED"),
        lambda flow: cql(flow, "ALTER TABLE {ks}.profiles ALTER email MASKED WITH mask_null()")),
    "a mask of pins dropped": (
        "cassandra:markers.pins", "should be masked",
        lambda flow: cql(flow, "ALTER TABLE {ks}.markers ALTER pins DROP MASKED"),
        lambda flow: cql(flow, "ALTER TABLE {ks}.markers ALTER pins MASKED WITH mask_null()")),
    "a TTL changed": (
        "cassandra:sessions", "the table's TTL is 1 h",
        lambda flow: cql(flow, "ALTER TABLE {ks}.sessions WITH default_time_to_live = 3600"),
        lambda flow: cql(flow, "ALTER TABLE {ks}.sessions WITH default_time_to_live = 43200")),
    "a TTL where none is stated": (
        "cassandra:profiles", "the table's TTL is 1 h",
        lambda flow: cql(flow, "ALTER TABLE {ks}.profiles WITH default_time_to_live = 3600"),
        lambda flow: cql(flow, "ALTER TABLE {ks}.profiles WITH default_time_to_live = 0")),
    "topic retention changed": (
        "kafka:people", "the topic keeps 240 h",
        lambda flow: keep_people_for(flow, 240), lambda flow: keep_people_for(flow, 168)),
    "READ on the topic granted to a principal that is no recipient": (
        "kafka:people", "marketing may read it",
        lambda flow: marketing(flow, True), lambda flow: marketing(flow, False)),
    "UNMASK granted to the console's role": (
        "cassandra:profiles", "role console sees its columns unmasked",
        lambda flow: cql(flow, "GRANT UNMASK ON {ks}.profiles TO console"),
        lambda flow: cql(flow, "REVOKE UNMASK ON {ks}.profiles FROM console")),
    "a role that nobody knows": (
        "cassandra:profiles", "role snoop may read it",
        snoop,
        lambda flow: cql(flow, "DROP ROLE snoop")),
    "a field added to an aggregate": (
        "mongo:users_by_nationality.names", "no entry of the register speaks of it",
        lambda flow: aggregate(flow, {"$set": {"names": 1, "users": 0, "stamp": 0, "births": {}, "by_gender": {}}}),
        without_aggregate),
    "a field added to the counts of an aggregate": (
        "mongo:users_by_nationality.by_gender.name", "no entry of the register speaks of it",
        lambda flow: aggregate(flow, {"$set": {"births": {}, "counts": {
            "stamp": 0, "users": 0, "births": {}, "by_gender": {"female": {"name": "Ada"}}}}}),
        without_aggregate),
    "a text that counts nobody in an aggregate": (
        "mongo:users_by_nationality.births.(unknown)", "no entry of the register speaks of it",
        lambda flow: aggregate(flow, {"$set": {"counts": {
            "stamp": 0, "users": 0, "by_gender": {}, "births": {"female": {"1992": "Ada 0 0 0 0 0 0 0 0 0 0 0"}}}}}),
        without_aggregate),
    "a field added deep in an aggregate": (
        "mongo:users_by_nationality.births.(unknown)", "no entry of the register speaks of it",
        lambda flow: aggregate(flow, {"$set": {"users": 0, "stamp": 0, "by_gender": {}, "births": {"female": {"Ada": 1}}}}),
        without_aggregate),
}


@pytest.mark.parametrize("what", SABOTAGE)
def test_what_is_altered_in_the_systems_is_named(flow: Flow, what: str) -> None:
    place, said, alter, mend = SABOTAGE[what]
    alter(flow)
    try:
        told = json.loads(flow.rollcall("register", "check", "--json", code=1).stdout)
    finally:
        mend(flow)
    assert not told["ok"]
    found = [(one["where"], one["what"]) for one in told["findings"] if one["level"] == Level.DRIFT]
    assert any(where == place and said in what for where, what in found), found
    assert all(where.startswith(place) or place.startswith(where) or said in what for where, what in found), found
    settled(lambda: well(checked(flow.settings)), f"it is not well again after: {what}")


def test_an_item_whose_column_is_gone_is_named(flow: Flow, register: Register) -> None:
    there = register.get(ENTRY).newest
    fields = there.entry.model_dump(mode="json")
    fields["items"][0]["places"].append("cassandra:profiles.shoe_size")
    register.save(entry(fields), there.n, "ada", "a wish")
    assert well(checked(flow.settings)), "a draft is not in force"
    register.publish(ENTRY, there.n + 1, "ada", "a wish come true")
    done = flow.rollcall("register", "check", code=1)
    assert f"drift: {ENTRY}: cassandra:profiles.shoe_size: " in done.stdout
    register.save(there.entry, there.n + 2, "ada", "as it was")
    register.publish(ENTRY, there.n + 3, "ada", "as it was")
    assert well(checked(flow.settings))


def test_two_officers_edit_the_same_entry_and_nothing_is_lost(register: Register) -> None:
    base = register.get(ENTRY).newest
    ada = base.entry.model_copy(update={"department": "Ada's department", "purpose": "Ada's purpose"})
    eve = base.entry.model_copy(update={"locations": ("Eve's cellar",), "purpose": "Eve's purpose"})
    first = register.save(ada, base.n, "ada", "moved")
    with pytest.raises(StaleEdit, match="ada saved version") as refused:
        register.save(eve, base.n, "eve", "cellar")
    stale = refused.value
    assert stale.theirs == {"department": (base.entry.department, "Ada's department"),
                            "purpose": (base.entry.purpose, "Ada's purpose")}
    assert stale.mine == {"locations": (list(base.entry.locations), ["Eve's cellar"]),
                          "purpose": (base.entry.purpose, "Eve's purpose")}
    assert stale.conflicts == ["purpose"]
    assert (stale.merged.department, stale.merged.locations, stale.merged.purpose) == (
        "Ada's department", ("Eve's cellar",), "Eve's purpose")
    second = register.save(stale.merged, stale.newest_n, "eve", "cellar, on top of Ada's")
    kept = register.get(ENTRY)
    assert [(one.n, one.by, one.state) for one in kept.versions[-2:]] == [
        (first.n, "ada", State.DRAFT), (second.n, "eve", State.DRAFT)]
    assert kept.in_force is not None
    assert kept.in_force.entry == base.entry, "drafts change nothing that is in force"


def test_an_entry_with_an_error_is_not_published(register: Register) -> None:
    there = register.get(ENTRY).newest
    register.save(there.entry.model_copy(update={"recipients": (), "lia_link": ""}), there.n, "ada", "a slip")
    with pytest.raises(RegisterRefused, match=r"Art\. 30\(1\)\(d\).*Art\. 6\(1\)\(f\)"):
        register.publish(ENTRY, there.n + 1, "ada", "hurry")
    with pytest.raises(RegisterRefused, match="Say why"):
        register.save(there.entry, there.n + 1, "ada", " ")
    register.save(there.entry, there.n + 1, "ada", "the slip undone")


def test_an_archived_entry_is_out_of_force_and_a_new_one_comes_in(flow: Flow, register: Register) -> None:
    other = register.get("console-and-audit").newest
    register.archive("console-and-audit", other.n, "ada", "no console any more")
    found = {one.where for one in checked(flow.settings) if one.level is Level.DRIFT}
    assert "cassandra:accounts.password" in found
    register.publish("console-and-audit", other.n + 1, "ada", "it is back")
    assert well(checked(flow.settings))


def test_a_version_is_taken_once_whoever_asks_first(flow: Flow) -> None:
    with Records.opened(flow.settings) as records:
        one = Record("test", "one", 1, "draft", "{}", datetime.now(UTC), "ada", "first")
        kept = records.add(one)
        assert records.add(kept) == kept, "a repetition of the very same is no other version"
        with pytest.raises(Stale, match="ada saved version 1"):
            records.add(Record("test", "one", 1, "draft", "{}", datetime.now(UTC), "eve", "first, too"))
        assert [record.by for record in records.versions("test", "one")] == ["ada"]
    assert REGISTER != "test"


def test_the_command_shows_edits_and_imports(flow: Flow, tmp_path: Path) -> None:
    shown = flow.rollcall("register", "show", ENTRY).stdout
    fields = yaml.safe_load(shown)
    assert isinstance(entry(fields["entries"][0]), Entry)
    fields["entries"][0]["department"] = "The department of the command"
    file = tmp_path / "edited.yaml"
    file.write_text(yaml.safe_dump(fields, allow_unicode=True))
    done = flow.rollcall("register", "import", str(file), "--as", "yaml", "--why", "moved")
    assert "is a draft now" in done.stdout
    flow.rollcall("register", "publish", ENTRY, "--why", "moved")
    listed = json.loads(flow.rollcall("register", "list", "--json").stdout)
    assert {one["ref"]: one["state"] for one in listed}[ENTRY] == "published"
    assert "The department of the command" in flow.rollcall("register", "show", ENTRY, "--as", "json").stdout
    fields["entries"][0]["art6"] = "z"
    file.write_text(yaml.safe_dump(fields))
    done = flow.rollcall("register", "import", str(file), "--as", "yaml", "--why", "a slip", code=65)
    assert "art6" in done.stderr
    assert "Traceback" not in done.stderr
    audited = flow.rollcall("audit", "list", "--containing", "register.").stdout
    assert "register.change" in audited
    assert "register.publish" in audited


def test_a_file_that_somebody_has_overtaken_is_refused_and_so_is_none_of_a_version_that_is_not(
        flow: Flow, register: Register, tmp_path: Path) -> None:
    file, sheet = tmp_path / "mine.yaml", tmp_path / "register.xlsx"
    fields = yaml.safe_load(flow.rollcall("register", "show", ENTRY).stdout)
    there = register.get(ENTRY).newest
    assert fields["based_on"] == {ENTRY: there.n}
    flow.rollcall("register", "export", str(sheet), "--as", "ico", "--drafts")
    fields["entries"][0]["purpose"] = "My purpose"
    file.write_text(yaml.safe_dump(fields, allow_unicode=True))
    register.save(there.entry.model_copy(update={"department": "Ada's own"}), there.n, "ada", "moved meanwhile")
    done = flow.rollcall("register", "import", str(file), "--as", "yaml", "--why", "mine", code=65)
    assert f"Meanwhile ada saved version {there.n + 1}" in done.stderr
    assert "They changed department; you changed purpose." in done.stderr
    assert register.get(ENTRY).newest.n == there.n + 1, "nothing was kept"
    done = flow.rollcall("register", "import", str(sheet), "--as", "ico", "--why", "untouched")
    assert f"{ENTRY}: nothing in it is new" in done.stderr, "an old file in which nothing was changed undoes nothing"
    assert register.get(ENTRY).newest.n == there.n + 1
    fields["based_on"] = {}
    file.write_text(yaml.safe_dump(fields, allow_unicode=True))
    done = flow.rollcall("register", "import", str(file), "--as", "yaml", "--why", "mine")
    assert f"does not say on which version it is based, so it is a new draft on top of version {there.n + 1}" in done.stderr


def test_what_a_shorter_limit_makes_due_is_said_before(flow: Flow, register: Register) -> None:
    there = register.get("console-and-audit").newest
    done = flow.rollcall("register", "publish", "console-and-audit", "--why", "as it is", "--dry-run")
    assert "nothing was published, and it would make nothing due" in done.stdout
    stream = register.get(ENTRY).newest
    fields = stream.entry.model_dump(mode="json")
    for item in fields["items"]:
        for limit in item["retention"]:
            if limit["enforced_by"] in ("expire", "topic"):
                limit["period"] = {"count": 1, "unit": "hours"}
    register.save(entry(fields), stream.n, "ada", "an hour")
    done = flow.rollcall("register", "publish", ENTRY, "--why", "an hour", "--dry-run")
    assert "cassandra:profiles: 1 hour" in done.stdout
    assert "makes 0 rows due that are not due now" in done.stdout
    assert "kafka:people: 1 hour" in done.stdout
    assert register.get(ENTRY).newest.n == stream.n + 1, "and not done"
    assert register.get("console-and-audit").newest.n == there.n
    register.save(stream.entry, stream.n + 1, "ada", "as it was")


def test_a_field_that_the_catalogue_lacks_is_named(flow: Flow) -> None:
    person = {**generated()[0], "hobby": "chess"}
    flow.send(person["login"]["uuid"].encode(), json.dumps(person).encode())
    done = flow.rollcall("register", "check", code=1)
    assert "kafka:people:hobby: flows in the topic, and the catalogue has no such field" in done.stdout
    assert "chess" not in done.stdout
