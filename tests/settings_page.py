"""docs/settings.md, made from the descriptions in engine/settings.py.

    .venv/bin/python -m tests.settings_page > docs/settings.md
"""

import types
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import AliasChoices, BaseModel
from pydantic.fields import FieldInfo

from engine.settings import CLONE, Settings

HEAD = """# Settings

A setting comes from the environment (`ROLLCALL_KAFKA__PORT=9192`), else from `settings.toml` in the installation's folder
(`var/` of the clone, or `ROLLCALL_HOME`), else it is the default. A wrong value or an unknown name stops the command and
is named.

```toml
[kafka]
port = 9192

[producer]
source = "synthetic"
rate = 200
```

This page is made from `engine/settings.py` by `python -m tests.settings_page > docs/settings.md`; a test compares.
"""


def page() -> str:
    """The whole page."""
    return "\n".join([HEAD, *_lines()])


def _lines() -> Iterator[str]:
    sections = {name: field for name, field in Settings.model_fields.items() if _section(field)}
    whole = {name: field for name, field in Settings.model_fields.items() if name not in sections}
    yield "## Of the installation\n"
    yield from _table("", whole)
    for name, field in sections.items():
        section = _section(field)
        assert section is not None
        yield f"\n## {name}\n\n{(section.__doc__ or '').strip()}\n"
        yield from _table(f"{name.upper()}__", section.model_fields)
    yield ""


def _table(prefix: str, fields: Mapping[str, FieldInfo]) -> Iterator[str]:
    yield "| setting | default | allowed | what it is |\n|---|---|---|---|"
    for name, field in fields.items():
        variable = f"`ROLLCALL_{prefix}{name.upper()}`"
        if isinstance(field.validation_alias, AliasChoices):    # also read without our prefix
            variable += f", `{name.upper()}`"
        yield f"| {variable} | {_default(field.default)} | {_allowed(field)} | {field.description} |"


def _section(field: FieldInfo) -> type[BaseModel] | None:
    kind = field.annotation
    return kind if isinstance(kind, type) and issubclass(kind, BaseModel) else None


def _default(value: Any) -> str:
    if isinstance(value, Path):
        inside = value.is_relative_to(CLONE)
        return f"`{value.relative_to(CLONE)}/` of the clone" if inside else "`~/.cache/rollcall/`"
    if value == "" or value is None:
        return "none"
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def _allowed(field: FieldInfo) -> str:
    kind = field.annotation
    if get_origin(kind) is Literal:
        return " · ".join(f"`{choice}`" for choice in get_args(kind))
    if get_origin(kind) in (Union, types.UnionType):
        kind = next(one for one in get_args(kind) if one is not type(None))
    name = {int: "whole number", float: "number", bool: "`true` · `false`", str: "text", Path: "folder"}.get(
        kind, str(kind)) if isinstance(kind, type) else str(kind)
    bounds = {"ge": "at least", "gt": "more than", "le": "at most", "lt": "less than"}
    limits = [f"{words} {getattr(one, mark)}" for one in field.metadata for mark, words in bounds.items()
              if hasattr(one, mark)]
    return ", ".join([name, *limits])


if __name__ == "__main__":
    print(page(), end="")
