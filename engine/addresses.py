"""Addresses of systems that run elsewhere, as people write them into settings."""

import re
from urllib.parse import unquote, urlsplit

from engine.errors import SettingsInvalid

HERE = "127.0.0.1"
"""Where our own servers listen, and are asked."""

OF_THIS_MACHINE = {HERE, "localhost", "::1", "0.0.0.0", "::"}    # noqa: S104 - compared, not bound
"""Hosts by which a program listens here."""

CQL_PORT, MONGODB_PORT = 9042, 27017

_SECRET_OPTION = re.compile(r"[?&;][^=&;]*(password|passphrase|authmechanismproperties)", re.IGNORECASE)
"""Options of a MongoDB URI that hold a secret; authMechanismProperties may, as AWS_SESSION_TOKEN."""


def addresses(text: str, port: int | None = None) -> list[tuple[str, int]]:
    """`host:port,host:port` as pairs; port: of those that name none, where they need not. An IPv6 host stands in brackets.

    Raises ValueError that says which one is none.
    """
    return [_address(one.strip(), port) for one in text.split(",")] if text.strip() else []


def written(pairs: list[tuple[str, int]]) -> str:
    """Addresses as they are said and given to clients."""
    return ",".join(f"[{host}]:{port}" if ":" in host else f"{host}:{port}" for host, port in pairs)


def _address(text: str, port: int | None) -> tuple[str, int]:
    try:
        parts = urlsplit(f"//{text}")
        named = parts.port or port
        if parts.netloc != text or "@" in text or not parts.hostname or not named:
            raise ValueError
    except ValueError:
        raise ValueError(f"{text!r} is no address; one is written host:port, several with commas between") from None
    return parts.hostname, named


def mongo_address(uri: str) -> str:
    """`host:port` of a MongoDB URI, commas between several; empty for none.

    Raises ValueError when it is no URI, and SettingsInvalid when a name or a password stands in it; neither shows any of it.
    """
    if not uri:
        return ""
    # before anything is parsed: a password that is not written as a URI wants it may end the part that holds it
    if "@" in (plain := unquote(uri)) or _SECRET_OPTION.search(plain):
        raise SettingsInvalid("Setting MONGODB_URI holds a name or a password. Leave them out, as in "
                              "mongodb://db1:27017,db2:27017/?replicaSet=rs0: passwords stand in files of the secrets folder "
                              "(docs/operating.md, Systems that run elsewhere).")
    try:
        parts = urlsplit(uri)
        hosts = addresses(parts.netloc, MONGODB_PORT)
    except ValueError:
        hosts = []
    # of mongodb+srv a name server knows hosts and ports
    if not hosts or parts.scheme not in ("mongodb", "mongodb+srv") or (parts.scheme == "mongodb+srv" and ":" in parts.netloc):
        raise ValueError("it must look like mongodb://host:27017/?replicaSet=rs0")
    return parts.netloc if parts.scheme == "mongodb+srv" else written(hosts)
