"""Ports of this machine: who listens where, and which setting moves ours out of the way."""

import psutil

from engine.errors import PortTaken
from engine.settings import Settings


def listeners() -> dict[int, int | None]:
    """Port -> process that listens there; None where the system does not say whose it is."""
    return {connection.laddr.port: connection.pid for connection in psutil.net_connections("tcp")
            if connection.status == psutil.CONN_LISTEN and connection.laddr}


def owner(pid: int | None) -> str:
    """A process in words."""
    try:
        return f"{psutil.Process(pid).name()} (process {pid})" if pid else "a process of another user"
    except psutil.Error:
        return f"process {pid}"


def remedy(settings: Settings, name: str) -> str:
    """What moves our port of this setting (as `kafka.port`) elsewhere."""
    section, field = name.split(".")
    return (f"Stop that process, or give ours another port: ROLLCALL_{section.upper()}__{field.upper()}=... or, in "
            f"{settings.home / 'settings.toml'}, [{section}] {field} = ...")


def require_free(settings: Settings, ports: dict[str, int]) -> None:
    """PortTaken when a process listens where one of ours should; it says which, and which setting moves ours."""
    taken = listeners()
    for name, port in ports.items():
        if port in taken:
            raise PortTaken(f"Port {port} ({name}) is taken by {owner(taken[port])}. {remedy(settings, name)}")
