"""Expressions that are built once: each of their parts is a question to Spark's Java, and a batch has thousands of them."""

from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from pyspark import SparkContext

Given = ParamSpec("Given")
Made = TypeVar("Made")


def built_once(make: Callable[Given, Made]) -> Callable[Given, Made]:
    """Calls it once for the same arguments, and again where another Java runs, which does not know the first's."""
    kept: dict[Any, Made] = {}
    java: list[object] = [None]

    @wraps(make)
    def built(*given: Given.args, **named: Given.kwargs) -> Made:
        if java[0] is not SparkContext._gateway:
            java[0] = SparkContext._gateway
            kept.clear()
        asked = given, tuple(sorted(named.items()))
        if asked not in kept:
            kept[asked] = make(*given, **named)
        return kept[asked]
    return built
