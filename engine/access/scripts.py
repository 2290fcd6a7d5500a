"""The wanted state as scripts of kafka-acls.sh, for any Kafka 3 or 4 cluster and people without the console.

They can be run as often as one likes: what is there is not made twice, what is gone is not taken twice.
"""

from dataclasses import replace
from pathlib import Path

from engine.access.state import Version
from engine.settings import CLONE
from governance.kafka_access.acl_command import lines
from governance.kafka_access.plan import in_order
from governance.kafka_access.rule import Rule
from governance.kafka_access.sentence import sentence

FOLDER = CLONE / "infra" / "kafka"
ADD, REMOVE = "acls-add.sh", "acls-remove.sh"

_HEAD = """#!/bin/sh
# {what}
# Made by `rollcall access export-scripts`; README.md beside it says how to use it.
set -eu
: "${{BOOTSTRAP:?host:port of a broker}}" "${{CONFIG:?file with the sign-in of an administrator}}"
"""


def scripts(version: Version) -> dict[str, str]:
    """File -> content."""
    def written(what: str, create: bool) -> str:
        together: dict[Rule, list[Rule]] = {}    # what differs in the operation alone shares a line, and a start of Java
        for rule in in_order(version.rules, create):
            together.setdefault(replace(rule, operation=""), []).append(rule)
        ordered = [rule for same in together.values() for rule in same]
        says = [f"#   {sentence(rule, version.teams)}" for rule in ordered]
        return "\n".join([_HEAD.format(what=what), *says, "", *lines(ordered, add=create), ""])

    return {ADD: written("Creates the rules that are wanted; deletes none. Refusals come first:", create=True),
            REMOVE: written("Takes exactly the same rules away again, refusals last; others stay:", create=False)}


def export(version: Version, folder: Path = FOLDER) -> list[Path]:
    """Writes the scripts, executable, into a folder; returns what differs from what stood there."""
    folder.mkdir(parents=True, exist_ok=True)
    changed = []
    for name, content in scripts(version).items():
        path = folder / name
        if not path.exists() or path.read_text(encoding="utf-8") != content:
            path.write_text(content, encoding="utf-8")
            changed.append(path)
        path.chmod(0o755)
    return changed
