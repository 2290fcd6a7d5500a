"""Forms over a version of something: a register entry as texts and back, and what is typed until it is saved or dropped."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import streamlit as st
import yaml

from app import words_law as words
from app.parts import table
from governance.register import Entry, Part

LINES = ("software", "sub_purposes", "locations", "rights")
"""Fields that are lists of texts."""

PARTS = ("controller", "joint_controllers", "representative", "dpo", "processor", "subjects", "items", "recipients",
         "transfers", "measures", "automated", "dpia", "not_applicable")
"""Fields with fields of their own."""

FIXED = ("ref",)
_WHY = "why"
_OPTIONAL = frozenset(name for name, field in Entry.model_fields.items() if field.default is None)
_EMPTY: tuple[Any, ...] = (None, "", [], {})

Changes = Mapping[str, tuple[Any, Any]]
"""Field -> its value before and after."""


def fields_of(one: Entry) -> Iterator[tuple[str, str, str]]:
    """Name, kind ("" for a line of text) and text of each field that can be edited."""
    for name, value in one.model_dump(mode="json").items():
        if name in FIXED:
            continue
        if name in LINES:
            yield name, words.ONE_A_LINE, "\n".join(value)
        elif name in PARTS:
            lean = _lean(getattr(one, name), value)
            yield name, words.AS_YAML, as_yaml(lean) if lean else ""
        else:
            yield name, "", "" if value is None else str(value)


def shown_of(one: Entry) -> dict[str, str]:
    """Field -> its text, as the form shows an entry in which nothing is typed yet."""
    return {name: text for name, _, text in fields_of(one)}


def as_yaml(value: Any) -> str:
    """What JSON can hold, as YAML in the order it has."""
    return str(yaml.safe_dump(value, allow_unicode=True, sort_keys=False, width=100))


def plain(value: Any) -> str:
    """A value as a person reads it."""
    if value in _EMPTY:
        return ""
    return value if isinstance(value, str) else as_yaml(value).removesuffix("...\n").rstrip()


def typed(base: Entry, texts: Mapping[str, str]) -> dict[str, Any]:
    """The fields of base with what these texts say otherwise. Raises ValueError, which names the field, for what is no YAML.

    A field whose text is as it is shown is taken from base: not every value has a text that gives just this value again.
    """
    fields = base.model_dump(mode="json")
    for name, shown in shown_of(base).items():
        text = texts.get(name, shown)
        if text == shown:
            continue
        value = _value(name, text)
        if value is None:
            del fields[name]
        else:
            fields[name] = value
    return fields


def _value(name: str, text: str) -> Any:
    if name in LINES:
        return [line.strip() for line in text.splitlines() if line.strip()]
    if name in PARTS:
        return _loaded(name, text)
    return text.strip() or (None if name in _OPTIONAL else "")


def _loaded(name: str, text: str) -> Any:
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        where = getattr(error, "problem_mark", None)
        raise ValueError(f"{name} is no YAML{f' (line {where.line + 1})' if where else ''}; its form is that of the value "
                         "that stood there before.") from None


def _lean(value: Any, said: Any) -> Any:
    """What a part says (as JSON: `said`) without what is empty and would be so again if it were left out."""
    if isinstance(value, Part):
        return {name: _lean(getattr(value, name), said[name]) for name, field in type(value).model_fields.items()
                if said[name] not in _EMPTY or getattr(value, name) != field.default}
    return [_lean(*pair) for pair in zip(value, said, strict=True)] if isinstance(value, tuple) else said


# --- what is typed, kept beside the widgets: Streamlit forgets a widget that a run does not draw

@dataclass
class Typing:
    """What stands in a form: the number of the version it is based on, its texts (or choices) as that version has them, and as
    they are."""

    n: int
    shown: Mapping[str, Any]
    texts: dict[str, Any]

    @property
    def touched(self) -> bool:
        """Whether anything is otherwise than in the version."""
        return self.texts != self.shown


def widget(form: str, ref: str, name: str) -> str:
    """Key of the widget of a field."""
    return f"{form}-f-{ref}-{name}"


def begin_again(form: str, ref: str, n: int, shown: Mapping[str, Any]) -> Typing:
    """The form as a version has it; what was typed is dropped."""
    _kept(form)[ref] = fresh = Typing(n, shown, dict(shown))
    for name, text in shown.items():
        st.session_state[widget(form, ref, name)] = text
    return fresh


def typing(form: str, ref: str) -> Typing | None:
    """What stands in the form of `ref`, as far as the browser has sent it; None where none was begun. Also for callbacks."""
    if (one := _kept(form).get(ref)) is not None:
        for name in one.texts:
            one.texts[name] = st.session_state.get(widget(form, ref, name), one.texts[name])
    return one


def stands(form: str, ref: str, newest_n: int, newest: Mapping[str, Any]) -> Typing:
    """Before the widgets of a form are drawn: what they show. Untouched ones that were not on the page begin at the newest."""
    one = typing(form, ref)
    if one is None:
        return begin_again(form, ref, newest_n, newest)
    missing = [name for name in one.texts if widget(form, ref, name) not in st.session_state]
    if missing and not one.touched:
        return begin_again(form, ref, newest_n, newest)
    for name in missing:
        st.session_state[widget(form, ref, name)] = one.texts[name]
    return one


def reason(form: str, ref: str) -> str:
    """Before the field of a reason is drawn: puts what was typed there again, and gives the key of the field."""
    stands(f"{form}-{_WHY}", ref, 0, {_WHY: ""})
    return widget(f"{form}-{_WHY}", ref, _WHY)


def typed_reason(form: str, ref: str) -> str:
    """The reason that is typed. Also for callbacks."""
    one = typing(f"{form}-{_WHY}", ref)
    return str(one.texts[_WHY]) if one else ""


def drop_reason(form: str, ref: str) -> None:
    """Forgets the reason: it is kept with what it was given for."""
    drop(f"{form}-{_WHY}", ref)


def drop(form: str, ref: str) -> None:
    """Forgets what was typed: it was saved, or is not what is newest."""
    _kept(form).pop(ref, None)


def both_changed(theirs: Changes, mine: Changes) -> list[str]:
    """Fields that both changed, and not to the same."""
    return [name for name in mine if name in theirs and mine[name][1] != theirs[name][1]]


def stale_table(theirs: Changes, mine: Changes, key: str) -> None:
    """Each field that somebody else or the viewer changed since the version both began with."""
    table([{words.FIELD: name, words.BEFORE: plain((theirs.get(name) or mine[name])[0]),
            words.THEIRS: plain(theirs[name][1]) if name in theirs else "",
            words.MINE: plain(mine[name][1]) if name in mine else ""}
           for name in dict.fromkeys((*theirs, *mine))], key, empty=words.SAME_FIELDS)


def _kept(form: str) -> dict[str, Typing]:
    kept: dict[str, Typing] = st.session_state.setdefault(f"{form}-texts", {})
    return kept
