"""An installation of its own for a proof or a test: free ports, small heaps, a folder of its own."""

import json
import random
import socket
from typing import Any

PORTS = ("kafka.port", "kafka.controller_port", "cassandra.port", "cassandra.storage_port", "mongo.port", "view.port",
         "console.port")


def settings_toml(**more: dict[str, Any]) -> str:
    """A settings.toml with free ports and small heaps; `more` is a section's further settings."""
    sections: dict[str, dict[str, Any]] = {
        "kafka": {"heap": "384m"}, "cassandra": {"heap": "768m"}, "mongo": {}, "view": {}, "console": {}}
    for name, port in zip(PORTS, free_ports(len(PORTS)), strict=True):
        section, setting = name.split(".")
        sections[section][setting] = port
    for section, fields in more.items():
        sections.setdefault(section, {}).update(fields)
    return "\n".join(f"[{section}]\n" + "".join(f"{name} = {json.dumps(value)}\n" for name, value in fields.items())
                     for section, fields in sections.items())


def free_ports(count: int) -> list[int]:
    """Ports nobody listens on, below those that the system gives to clients, so that none is taken meanwhile."""
    free: list[int] = []
    for port in random.sample(range(20_000, 32_000), 1000):
        with socket.socket() as trial:
            try:
                trial.bind(("127.0.0.1", port))
            except OSError:
                continue
        free.append(port)
        if len(free) == count:
            return free
    raise AssertionError("no free ports on this machine")
