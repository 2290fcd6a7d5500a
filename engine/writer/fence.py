"""Only the newest holder of the lease can write rows and markers: each has a role of its own in Cassandra.

A stream that was paused past its lease and wakes up still has in memory what it was about to send. MongoDB's documents
compare stamps and refuse it; rows cannot, for a row that arrives late may be one that the next holder has not written yet.
So whoever takes the lease makes itself a role and drops all others, before its first write. One that was overtaken before
it came to that drops its successor's, too: that one ends and starts again, and nothing is written by two.
"""

import re
import secrets
from typing import Any

from pydantic import SecretStr

from engine.clients import Role, cassandra_session, mapped
from engine.settings import Settings
from engine.stores.schema import MARKERS, PROFILES

PRINCIPAL = "fence"
"""Makes and drops roles of streams and gives them what it may do itself; the stream signs in as it for that alone."""

PERMISSIONS = ("SELECT", "MODIFY", "UNMASK")
"""What a holder may do with rows and markers."""

CACHED_S = 3.0
"""Within how many seconds Cassandra forgets what a dropped role might do: `roles_validity` and `permissions_validity`
are 2 s, which `rollcall doctor` looks after."""


def raised(settings: Settings, lease: int) -> Role:
    """The role of this holder, whose password stands nowhere; all others are gone. Raises StoreAway, SignInRefused."""
    role = Role(f"stream_{settings.cassandra.keyspace}_{lease}", SecretStr(secrets.token_hex(24)))
    with mapped("fencing off earlier streams", PRINCIPAL), cassandra_session(settings, PRINCIPAL) as session:
        for name in roles(session, settings.cassandra.keyspace):
            session.execute(f"DROP ROLE IF EXISTS {name}")
        session.execute(f"CREATE ROLE {role.name} WITH PASSWORD = '{role.password.get_secret_value()}' AND LOGIN = true")
        for table in (PROFILES, MARKERS):
            for permission in PERMISSIONS:
                session.execute(f"GRANT {permission} ON {settings.cassandra.keyspace}.{table.name} TO {role.name}")
    return role


def roles(session: Any, keyspace: str) -> list[str]:
    """Roles of streams that write to this keyspace."""
    return [row.role for row in session.execute("LIST ROLES") if re.fullmatch(rf"stream_{keyspace}_\d+", row.role)]
