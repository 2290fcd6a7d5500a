"""The register entry as a form: each field as text, and the texts back into fields."""

from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from app import words_law as words
from governance.register import Entry

LINES = ("software", "sub_purposes", "locations", "rights")
"""Fields that are lists of texts."""

PARTS = ("controller", "joint_controllers", "representative", "dpo", "processor", "subjects", "items", "recipients",
         "transfers", "measures", "automated", "dpia", "not_applicable")
"""Fields with fields of their own."""

FIXED = ("ref",)


def fields_of(one: Entry) -> Iterator[tuple[str, str, str]]:
    """Name, kind ("" for a line of text) and text of each field that can be edited."""
    for name, value in one.model_dump(mode="json").items():
        if name in FIXED:
            continue
        if name in LINES:
            yield name, words.ONE_A_LINE, "\n".join(value)
        elif name in PARTS:
            yield name, words.AS_YAML, untyped(value)
        else:
            yield name, "", "" if value is None else str(value)


def untyped(value: Any) -> str:
    """A part as YAML; nothing for an empty one. What a part does not say is left out, so that it is short."""
    lean = _lean(value)
    return "" if not lean else str(yaml.safe_dump(lean, allow_unicode=True, sort_keys=False, width=100))


def _lean(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _lean(inner) for name, inner in value.items() if inner not in (None, "", [], {})}
    return [_lean(inner) for inner in value] if isinstance(value, list) else value


def typed(base: Entry, texts: Mapping[str, str]) -> dict[str, Any]:
    """The fields that these texts say. Raises ValueError, which names the field, for what is no YAML."""
    fields: dict[str, Any] = {name: getattr(base, name) for name in FIXED}
    for name, text in texts.items():
        if name in LINES:
            fields[name] = [line.strip() for line in text.splitlines() if line.strip()]
        elif name in PARTS:
            fields[name] = _loaded(name, text)
        elif text.strip() or name not in _OPTIONAL:
            fields[name] = text.strip()
    return {name: value for name, value in fields.items() if value is not None}


_OPTIONAL = frozenset(name for name, field in Entry.model_fields.items() if field.default is None)


def _loaded(name: str, text: str) -> Any:
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        where = getattr(error, "problem_mark", None)
        raise ValueError(f"{name} is no YAML{f' (line {where.line + 1})' if where else ''}; its form is that of the value "
                         "that stood there before.") from None
