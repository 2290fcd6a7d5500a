"""What is understood of PromQL says what Prometheus would say, and the rest is refused."""

import math
from typing import Any

import pytest

from engine.alerts.expressions import Labels, NotUnderstood, Vector, parsed
from engine.alerts.figures import Figures


def labels(**named: str) -> Labels:
    return frozenset(named.items())


A, B = labels(job="a"), labels(job="b")


def figures(*looks: tuple[float, dict[str, Vector]]) -> Figures:
    made = Figures(3600)
    for at, look in looks:
        made.add(at, look)
    return made


NOW = figures((100, {"x": {A: 1, B: 5}, "y": {A: 10, labels(job="a", le="1"): 3}, "z": {labels(job="a", system="Kafka"): 1}}))


@pytest.mark.parametrize(("text", "wanted"), [
    ("x", {A: 1, B: 5}),
    ('x{job="a"}', {A: 1}),
    ('x{job!="a"}', {B: 5}),
    ('x{job=~"a|c"}', {A: 1}),
    ('x{job=~"a.+"}', {}),
    ("x > 2", {B: 5}),
    ("2 < x", {B: 5}),
    ("x == 1", {A: 1}),
    ("x + y", {A: 11}),
    ("x + 2 * 3", {A: 7, B: 11}),
    ("(x + 2) * 3", {A: 9, B: 21}),
    ("time() - x", {A: 99, B: 95}),
    ("x > 2 or y > 2", {B: 5, A: 10, labels(job="a", le="1"): 3}),
    ("x and y", {A: 1}),
    ("x unless y", {B: 5}),
    ("x unless on (job) z == 1", {B: 5}),
    ("x and on (job) z", {A: 1}),
    ("x > 0 and y > 100 or x > 4", {B: 5}),
    ("sum(x)", {labels(): 6}),
    ("sum by (job) (y)", {A: 13}),
    ("sum(x) > 5 and sum(y) == 13", {labels(): 6}),
    ("unknown > 0", {}),
    ("x / 0 > 300", {A: math.inf, B: math.inf}),
    ("(x - x) / 0 > 0", {})])
def test_what_is_asked_of_one_moment(text: str, wanted: Vector) -> None:
    assert parsed(text).of(NOW) == wanted


def counter(*values: float, every: float = 15) -> Figures:
    return figures(*((number * every, {"c_total": {A: value}}) for number, value in enumerate(values)))


@pytest.mark.parametrize(("values", "rate"), [
    ((0, 30, 60), 2.0), ((5, 5, 5), 0.0), ((100, 130, 15, 45), 75 / 45)])    # in the last it began anew
def test_a_rate_is_the_growth_a_second_whatever_began_anew(values: tuple[float, ...], rate: float) -> None:
    assert parsed("rate(c_total[5m])").of(counter(*values)) == {A: pytest.approx(rate)}
    assert parsed("increase(c_total[5m])").of(counter(*values)) == {A: pytest.approx(rate * 15 * (len(values) - 1))}


def test_a_rate_looks_back_for_its_time_only_and_needs_two_samples() -> None:
    assert parsed("rate(c_total[5m])").looks_back_s == 300
    assert parsed("rate(c_total[30s])").of(counter(0, 1000, 1000, 1000)) == {A: 0.0}
    assert parsed("rate(c_total[30s])").of(counter(7)) == {}


def test_a_quantile_is_read_off_the_buckets() -> None:
    found = figures((0, {"b": {labels(le="1"): 0, labels(le="5"): 0, labels(le="+Inf"): 0}}),
                    (10, {"b": {labels(le="1"): 50, labels(le="5"): 90, labels(le="+Inf"): 100}}))
    ask = "histogram_quantile({}, sum by (le) (rate(b[1m])))"
    assert parsed(ask.format("0.5")).of(found) == {labels(): pytest.approx(1.0)}
    assert parsed(ask.format("0.7")).of(found) == {labels(): pytest.approx(3.0)}
    assert parsed(ask.format("0.95")).of(found) == {labels(): 5.0}, "it is over the last bound, however far"
    assert parsed(ask.format("0.95")).of(figures((0, {"b": {labels(le="+Inf"): 1}}), (9, {"b": {labels(le="+Inf"): 1}}))) == {}


@pytest.mark.parametrize("text", [
    "", "x >", "(x", "x)", "x{job}", "x{job=a}", "avg(x)", "rate(x)", "rate(x[5])", "x offset 5m", "sum by job (x)", "x y",
    "1 > 2", "5", "x and 3", "sum(5)", "histogram_quantile(x, y)", "x @ 3", "x{", "sum by ("])
def test_anything_else_is_refused(text: str) -> None:
    def asked() -> Any:
        return parsed(text).of(NOW)
    with pytest.raises(NotUnderstood):
        asked()


def test_for_how_long_there_have_been_figures_is_known_though_old_ones_are_forgotten() -> None:
    found = Figures(60)
    for at in range(0, 170, 17):    # none is exactly a minute old
        found.add(at, {"c_total": {A: at}})
    assert found.for_s == 153
    assert len(found.within("c_total", 3600)[A]) == 4


def test_a_clock_that_was_set_back_begins_anew() -> None:
    found = counter(0, 30, 60)
    found.add(10, {"c_total": {A: 90}})
    assert parsed("rate(c_total[5m])").of(found) == {}
    assert found.for_s == 0
