"""The page as text: what is seen before JavaScript has drawn it, and all there is where JavaScript is switched off.

It is made from the same components as the page, without their ids, which Dash's own copy has.
"""

from collections.abc import Mapping
from html import escape
from typing import Any

ATTRIBUTES = {"className": "class"}
LEFT_OUT = {"children", "id", "key", "n_clicks"}


def markup(part: Any) -> str:
    """A component, a list of them or a text as HTML. A chart is a frame of its height, which nothing stands in yet."""
    if part is None:
        return ""
    if isinstance(part, str | int | float):
        return escape(str(part))
    if isinstance(part, list | tuple):
        return "".join(markup(one) for one in part)
    if part._type == "Graph":
        return _tag("div", {"style": part.style}, "")
    return _tag(part._type.lower(), part.to_plotly_json()["props"], markup(getattr(part, "children", None)))


def _tag(name: str, properties: Mapping[str, Any], inner: str) -> str:
    written = "".join(_attribute(key, value) for key, value in properties.items() if key not in LEFT_OUT)
    return f"<{name}{written}>{inner}</{name}>"


def _attribute(name: str, value: Any) -> str:
    if isinstance(value, Mapping):    # a style
        value = ";".join(f"{key}:{one}" for key, one in value.items())
    return f' {ATTRIBUTES.get(name, name.lower())}="{escape(str(value))}"'
