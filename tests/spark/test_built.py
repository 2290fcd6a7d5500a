"""Expressions are built once for a Java, and anew for the next, which does not know them."""

import pytest
from pyspark import SparkContext

from engine.spark.built import built_once


def test_it_is_made_once_for_the_same_arguments_and_again_for_another_java(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, bool]] = []

    @built_once
    def made(key: str, pinned: bool = False) -> object:
        asked.append((key, pinned))
        return object()

    monkeypatch.setattr(SparkContext, "_gateway", first := object())
    assert made("k1") is made("k1")
    assert made("k1", pinned=True) is not made("k1")
    assert made("k2") is not made("k1")
    assert asked == [("k1", False), ("k1", True), ("k2", False)]
    before = made("k1")
    monkeypatch.setattr(SparkContext, "_gateway", object())
    assert made("k1") is not before
    monkeypatch.setattr(SparkContext, "_gateway", first)
    assert made("k1") is not before, "nothing of a Java that ended is kept"
