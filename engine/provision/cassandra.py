"""Cassandra as it should be: keyspace, tables with masks and indexes, roles with exactly the permissions they need."""

import ast
import re
from collections.abc import Callable
from typing import Any

from cassandra.cluster import Session
from pydantic import SecretStr

from engine import secrets
from engine.clients import cassandra_session, mapped
from engine.errors import SettingsInvalid, SignInRefused, StoreAway
from engine.migrations import versions
from engine.provision.changes import Changes, settled
from engine.settings import Settings
from engine.stores.schema import (
    ACCOUNTS,
    AUDIT,
    MARKERS,
    MASK,
    PACKAGES,
    PROFILES,
    RECORDS,
    SESSIONS,
    TABLES,
    Column,
    Table,
)
from engine.writer import fence

ALL_ROLES = "<all roles>"

_CONSOLES = dict.fromkeys((AUDIT.name, ACCOUNTS.name, SESSIONS.name), frozenset({"SELECT", "MODIFY"}))
"""Cassandra has no right to add without one to change: that nothing was is what the seals of the audit are for."""

GRANTS: dict[str, dict[str, frozenset[str]]] = {
    "stream": {},    # it works under a role that the fence makes for the holder of the lease
    fence.PRINCIPAL: {
        PROFILES.name: frozenset({*fence.PERMISSIONS, "AUTHORIZE"}), MARKERS.name: frozenset({*fence.PERMISSIONS, "AUTHORIZE"}),
        ALL_ROLES: frozenset({"CREATE", "DESCRIBE"})},
    "producer": {MARKERS.name: frozenset({"SELECT"})},
    "verify": {PROFILES.name: frozenset({"SELECT", "UNMASK"}), MARKERS.name: frozenset({"SELECT", "UNMASK"})},
    "governance": {MARKERS.name: frozenset({"SELECT"}), RECORDS.name: frozenset({"SELECT", "MODIFY"}),
                   PACKAGES.name: frozenset({"SELECT", "MODIFY"}), **_CONSOLES},
    "redrive": {PROFILES.name: frozenset({"SELECT"}), MARKERS.name: frozenset({"SELECT"})},
    "console": {PROFILES.name: frozenset({"SELECT"}), **_CONSOLES},    # without UNMASK: it reads null where a name stands
    "officer": {PROFILES.name: frozenset({"SELECT", "UNMASK"}),        # for a reveal, one person at a time
                RECORDS.name: frozenset({"SELECT", "MODIFY"}), PACKAGES.name: frozenset({"SELECT", "MODIFY"})},
    "inspector": {table.name: frozenset({"SELECT"}) for table in (PROFILES, MARKERS, AUDIT, SESSIONS, RECORDS, PACKAGES)}
    | {ALL_ROLES: frozenset({"DESCRIBE"})},    # how old the oldest is, and who may what
}
"""Role -> table (or resource) -> permissions. The roles are no superusers and belong to no other role."""

TTL_HOURS: dict[str, Callable[[Settings], int]] = {
    SESSIONS.name: lambda settings: settings.console.session_hours,
    PACKAGES.name: lambda settings: settings.governance.package_hours}
"""Table -> hours after which its rows expire; rows of the others stay until they are deleted."""

DDL_TIMEOUT_S = 60.0
"""Seconds a change of the schema may take: on a cold server much longer than a read."""

MADE_BY_FENCE = re.compile(r"<role stream_\w+_\d+>")
"""Who makes a role may do everything with it: these permissions come and go with the leases."""

Grant = tuple[str, str]
"""Permission and resource, as Cassandra lists them: ("SELECT", "<table rollcall.markers>")."""


def provision_cassandra(settings: Settings, changes: Changes) -> None:
    """Keyspace, tables, roles."""
    keyspace = settings.cassandra.keyspace
    with mapped("provisioning Cassandra", "provision"), cassandra_session(settings, "provision") as session:
        versions.require_known(versions.in_cassandra(session, keyspace))
        resets = _roles_to_reset(session, settings, changes)
        _keyspace(session, settings, changes)
        _sign_ins_are_replicated(session, settings, changes)
        for table in TABLES:
            _table(session, keyspace, table, changes)
            _ttl(session, settings, table, changes)
        for role in GRANTS:
            _role(session, settings, role, role in resets, changes)
            _grants(session, keyspace, role, changes)


def _change(session: Session, statement: str) -> None:
    session.execute(statement, timeout=DDL_TIMEOUT_S)


def _keyspace(session: Session, settings: Settings, changes: Changes) -> None:
    name, wanted = settings.cassandra.keyspace, replication(settings)
    rows = list(session.execute("SELECT replication FROM system_schema.keyspaces WHERE keyspace_name = %s", (name,)))
    if not rows:
        _change(session, f"CREATE KEYSPACE IF NOT EXISTS {name} WITH replication = {wanted}")
        changes.made(f"keyspace {name}: created with replication {wanted}")
    elif (there := _short(rows[0].replication)) != wanted:
        _change(session, f"ALTER KEYSPACE {name} WITH replication = {wanted}")
        changes.made(f"keyspace {name}: replication {there} -> {wanted}; run `nodetool repair {name}` on each node")


def replication(settings: Settings) -> dict[str, str]:
    """The keyspace's replication setting as a map of texts; SettingsInvalid when it is none."""
    text = settings.cassandra.replication
    try:
        value = ast.literal_eval(text)
        return _short({str(key): str(part) for key, part in value.items()})
    except (ValueError, SyntaxError, AttributeError):
        raise SettingsInvalid(
            f"Setting ROLLCALL_CASSANDRA__REPLICATION is no CQL map: {text!r}. Allowed is for example "
            "{'class': 'NetworkTopologyStrategy', 'datacenter1': 3}.") from None


def _short(options: Any) -> dict[str, str]:
    """Options with the class without its package, so that both spellings compare."""
    return {key: value.rpartition(".")[2] if key == "class" else value for key, value in dict(options).items()}


def _table(session: Session, keyspace: str, table: Table, changes: Changes) -> None:
    place = f"{keyspace}.{table.name}"
    rows = list(session.execute(
        "SELECT comment, compaction FROM system_schema.tables WHERE keyspace_name = %s AND table_name = %s",
        (keyspace, table.name)))
    if not rows:
        columns = ", ".join(_declared(column) for column in table.columns)
        keys = ", ".join(quoted(name) for name in table.primary_key)
        _change(session, f"CREATE TABLE IF NOT EXISTS {place} ({columns}, PRIMARY KEY ({keys})) WITH "
                         f"comment = '{versions.commented(table, None)}' AND compaction = {dict(table.compaction)}")
        changes.made(f"table {place}: created")
    else:
        if rows[0].comment != (comment := versions.commented(table, rows[0].comment)):
            _change(session, f"ALTER TABLE {place} WITH comment = '{comment}'")
            changes.made(f"table {place}: comment set")
        if not dict(table.compaction).items() <= _short(rows[0].compaction).items():
            _change(session, f"ALTER TABLE {place} WITH compaction = {dict(table.compaction)}")
            changes.made(f"table {place}: compaction set to {dict(table.compaction)}")
        _columns(session, keyspace, table, changes)
    _indexes(session, keyspace, table, changes)


def _ttl(session: Session, settings: Settings, table: Table, changes: Changes) -> None:
    wanted = 3600 * TTL_HOURS[table.name](settings) if table.name in TTL_HOURS else 0
    keyspace = settings.cassandra.keyspace
    there = session.execute("SELECT default_time_to_live FROM system_schema.tables WHERE keyspace_name = %s "
                            "AND table_name = %s", (keyspace, table.name)).one().default_time_to_live
    if there != wanted:
        _change(session, f"ALTER TABLE {keyspace}.{table.name} WITH default_time_to_live = {wanted}")
        changes.made(f"table {keyspace}.{table.name}: rows expire after {wanted} s (before: {there} s)")


def _declared(column: Column) -> str:
    return f"{quoted(column.name)} {column.kind}" + (f" MASKED WITH {MASK}()" if column.masked else "")


def quoted(name: str) -> str:
    """A column's name as CQL takes it whatever it is, reserved words too."""
    return f'"{name}"'


def _columns(session: Session, keyspace: str, table: Table, changes: Changes) -> None:
    place, names = f"{keyspace}.{table.name}", (keyspace, table.name)
    kinds = {row.column_name: row.type for row in session.execute(
        "SELECT column_name, type FROM system_schema.columns WHERE keyspace_name = %s AND table_name = %s", names)}
    masks = {row.column_name: row.function_name for row in session.execute(
        "SELECT column_name, function_name FROM system_schema.column_masks "
        "WHERE keyspace_name = %s AND table_name = %s", names)}
    for column in table.columns:
        if column.name not in kinds:
            _change(session, f"ALTER TABLE {place} ADD {_declared(column)}")
            changes.made(f"table {place}: column {column.name} added")
            continue
        if kinds[column.name] != column.kind:
            changes.left(f"table {place}: column {column.name} is {kinds[column.name]}, it should be {column.kind}; "
                         "Cassandra cannot change a type: drop the column by hand, then run `rollcall recount`")
        if column.masked and masks.get(column.name) != MASK:
            _change(session, f"ALTER TABLE {place} ALTER {quoted(column.name)} MASKED WITH {MASK}()")
            changes.made(f"table {place}: column {column.name} masked")
        elif not column.masked and column.name in masks:
            _change(session, f"ALTER TABLE {place} ALTER {quoted(column.name)} DROP MASKED")
            changes.made(f"table {place}: column {column.name} unmasked")


def _indexes(session: Session, keyspace: str, table: Table, changes: Changes) -> None:
    there = {row.index_name: row.options for row in session.execute(
        "SELECT index_name, options FROM system_schema.indexes WHERE keyspace_name = %s AND table_name = %s",
        (keyspace, table.name))}
    for name, column in table.indexes.items():
        options = there.get(name)
        if options is not None:
            kind = options.get("class_name", "").rpartition(".")[2].lower()
            if options.get("target") == column and kind in {"sai", "storageattachedindex"}:
                continue
            _change(session, f"DROP INDEX IF EXISTS {keyspace}.{name}")
        _change(session, f"CREATE INDEX IF NOT EXISTS {name} ON {keyspace}.{table.name} ({quoted(column)}) USING 'sai'")
        changes.made(f"index {keyspace}.{name}: {'created' if options is None else 'made anew'}")


def _sign_ins_are_replicated(session: Session, settings: Settings, changes: Changes) -> None:
    """Says when names and passwords stand on fewer nodes than people do: with one of these away nobody could sign in."""
    (row,) = session.execute("SELECT replication FROM system_schema.keyspaces WHERE keyspace_name = 'system_auth'")
    wanted, there = replication(settings), _short(row.replication)
    if _copies(there) < _copies(wanted):
        changes.left(f"keyspace system_auth: has replication {there}, ours {wanted}: with one node away nobody may be able to "
                     f"sign in. As its administrator: ALTER KEYSPACE system_auth WITH replication = {wanted}; then `nodetool "
                     "repair system_auth` on each node")


def _copies(options: dict[str, str]) -> int:
    """In the data centre that has fewest."""
    return min((int(value) for key, value in options.items() if key != "class" and value.isdigit()), default=1)


def _roles_to_reset(session: Session, settings: Settings, changes: Changes) -> set[str]:
    """Roles that do not know our password. Raises SignInRefused before anything was changed."""
    may_sign_in = {row.role: row.can_login for row in session.execute("SELECT role, can_login FROM system_auth.roles")}
    refused = {role for role in GRANTS if may_sign_in.get(role) and not signs_in(settings, role)}
    for role in sorted(refused):
        changes.may_reset("cassandra", role)
    for role in GRANTS:
        if may_sign_in.get(role) is False:
            changes.may_reset("cassandra", role, "may not sign in, as a role that others are members of")
    return refused


def _role(session: Session, settings: Settings, role: str, reset: bool, changes: Changes) -> None:
    rows = list(session.execute(
        "SELECT can_login, is_superuser, member_of FROM system_auth.roles WHERE role = %s", (role,)))
    if not rows:
        _with_password(session, settings, role, "CREATE ROLE IF NOT EXISTS")
        changes.made(f"Cassandra role {role}: created")
        return
    there = rows[0]
    if there.is_superuser or not there.can_login:
        _change(session, f"ALTER ROLE {role} WITH LOGIN = true AND SUPERUSER = false")
        changes.made(f"Cassandra role {role}: may sign in and is no superuser")
    for parent in there.member_of or ():
        _change(session, f"REVOKE {parent} FROM {role}")
        changes.made(f"Cassandra role {role}: no longer belongs to role {parent}")
    if reset or (not there.can_login and not signs_in(settings, role)):
        _with_password(session, settings, role, "ALTER ROLE")
        changes.made(f"Cassandra role {role}: password set again")


def _with_password(session: Session, settings: Settings, role: str, verb: str) -> None:
    # `provision` may not alter what it is itself
    may = "" if role == "provision" else " AND LOGIN = true AND SUPERUSER = false"
    secret = secrets.password(settings, role).get_secret_value().replace("'", "''")

    def set_once() -> bool:
        try:
            with mapped(f"setting the password of {role} in Cassandra", "provision"):
                _change(session, f"{verb} {role} WITH PASSWORD = '{secret}'{may}")
        except StoreAway:    # "overloaded" is what Cassandra says of a password changed less than 5 s ago
            return False
        return True

    settled(set_once, f"Cassandra does not take a new password of role {role}")
    settled(lambda: signs_in(settings, role), f"Cassandra role {role} cannot sign in with its new password")


def set_password(settings: Settings, role: str, word: SecretStr) -> None:
    """Gives a role another password. Raises StoreAway, SignInRefused."""
    with mapped(f"setting the password of {role} in Cassandra", "provision"), \
            cassandra_session(settings, "provision") as session, secrets.trying(role, word):
        _with_password(session, settings, role, "ALTER ROLE")


def signs_in(settings: Settings, role: str) -> bool:
    """Whether a role signs in with the password that engine/secrets.py says it has. Raises StoreAway."""
    try:
        with cassandra_session(settings, role):
            return True
    except SignInRefused:
        return False


def _grants(session: Session, keyspace: str, role: str, changes: Changes) -> None:
    """Missing permissions first, surplus ones after, so that nobody is locked out in between."""
    wanted: set[Grant] = {
        (permission, name if name == ALL_ROLES else f"<table {keyspace}.{name}>")
        for name, permissions in GRANTS[role].items() for permission in permissions}
    if role == fence.PRINCIPAL:    # who makes a role may drop it, unless Cassandra died before it wrote that down
        wanted |= {("DROP", f"<role {name}>") for name in fence.roles(session, keyspace)}
    there: set[Grant] = {
        (row.permission, row.resource)
        for row in session.execute(f"LIST ALL PERMISSIONS OF {role} NORECURSIVE", timeout=DDL_TIMEOUT_S)}
    for permission, resource in sorted(wanted - there):
        _change(session, f"GRANT {permission} ON {in_cql(resource)} TO {role}")
        changes.made(f"Cassandra role {role}: granted {permission} on {resource.strip('<>')}")
    for permission, resource in sorted(there - wanted):
        if role == fence.PRINCIPAL and MADE_BY_FENCE.fullmatch(resource):
            continue
        _change(session, f"REVOKE {permission} ON {in_cql(resource)} FROM {role}")
        changes.made(f"Cassandra role {role}: revoked {permission} on {resource.strip('<>')}, it is not needed")


def in_cql(resource: str) -> str:
    """A resource as Cassandra lists it ("<all tables in rollcall>"), in the words GRANT and REVOKE take."""
    words = resource.strip("<>")
    return re.sub(r"^all (tables|functions) in ", r"all \1 in keyspace ", words)
