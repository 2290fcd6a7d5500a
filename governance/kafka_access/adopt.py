"""A rule found in Kafka, kept: written into the wanted state, whose text and comments stay as they are."""

import json
from collections.abc import Iterable

import yaml

from governance.kafka_access.document import Fault, NotWanted
from governance.kafka_access.rule import ANY, PREFIXED, Rule, faults
from governance.kafka_access.wanted import parsed


def adopted(text: str, found: Iterable[Rule], why: str) -> str:
    """The text with these rules under `rules`. why: for who reads it later. Raises NotWanted if one of them is nonsense, or if
    the text is no wanted state."""
    found = sorted(found)
    before = parsed(text)
    line = text.count("\n") + 1
    if wrong := [Fault(line, what) for rule in found for what in faults(rule)]:
        raise NotWanted(wrong)
    new = _inserted(text, [_entry(rule, why) for rule in found]) if found else text
    after = parsed(new)
    # the text was changed by place: what it says now must be what it said and the new rules, nothing else
    if after.model_copy(update={"rules": before.rules}) != before or len(after.rules) != len(before.rules) + len(found):
        raise NotWanted([Fault(line, "the rules cannot be written here; write them under `rules:` by hand")])
    return new


def _entry(rule: Rule, why: str) -> str:
    name = rule.name + (ANY if rule.pattern == PREFIXED else "")
    parts = {"principal": rule.principal.partition(":")[2], "permission": "allow" if rule.allow else "deny",
             "operation": rule.operation, "resource": rule.resource, "name": name, "host": rule.host, "why": why}
    # JSON's texts are texts in YAML too
    return "{" + ", ".join(f"{key}: {json.dumps(value, ensure_ascii=False)}" for key, value in parts.items()) + "}"


def _inserted(text: str, entries: list[str]) -> str:
    root = yaml.compose(text, Loader=yaml.BaseLoader)
    listed = next((value for key, value in root.value if key.value == "rules"), None) if root else None
    if listed is None:
        return text.rstrip("\n") + "\n\nrules:\n" + "".join(f"  - {entry}\n" for entry in entries)
    start, end = listed.start_mark.index, listed.end_mark.index
    if not listed.value:
        return text[:start].rstrip(" ") + "".join(f"\n  - {entry}" for entry in entries) + text[end:]
    if listed.flow_style:
        close = text.rindex("]", start, end)
        return text[:close].rstrip().rstrip(",") + "".join(f",\n  {entry}" for entry in entries) + text[close:]
    # a block ends for YAML where the next thing begins: after comments and empty lines
    indent = " " * listed.start_mark.column
    last = len(text[:end].rstrip())
    return text[:last] + "".join(f"\n{indent}- {entry}" for entry in entries) + text[last:]
