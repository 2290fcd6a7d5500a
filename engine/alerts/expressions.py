"""What a rule of infra/metrics/rules.yml asks: as much of PromQL as is written there, and an error for anything else.

    asked = parsed('rate(rollcall_stream_records_read_total[5m]) == 0')
    asked.of(figures)      # {labels: value} of what the figures say now

Numbers, series with matchers, `rate` and `increase` over a time, `sum`, `sum by`, `histogram_quantile`, `time()`, arithmetic,
comparisons that filter, and `and`, `or`, `unless` with `on`. As in Prometheus two series belong together when their labels
are the same; other than there a rate is that between the first and the last sample of its time, not beyond them.
"""

import math
import operator
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

Labels = frozenset[tuple[str, str]]
Vector = dict[Labels, float]
Value = Vector | float
Samples = list[tuple[float, float]]
"""Moment in seconds, and value; the oldest first."""


class Source(Protocol):
    """The figures as they are at one moment."""

    now: float

    def last(self, name: str) -> Vector:
        """The series of this name, as the newest look found them."""

    def within(self, name: str, seconds: float) -> Mapping[Labels, Samples]:
        """What all looks of so many seconds found of them."""


Ask = Callable[[Source], Value]


class NotUnderstood(ValueError):
    """An expression that is none, or uses more of PromQL than is known here."""


@dataclass(frozen=True)
class Expression:
    """One that was read. looks_back_s: the longest time that it asks about."""

    ask: Ask
    looks_back_s: float

    def of(self, source: Source) -> Vector:
        """The series for which it holds; raises NotUnderstood where it is a number alone."""
        found = self.ask(source)
        if not isinstance(found, dict):
            raise NotUnderstood("it asks for no series")
        return found


TOKEN = re.compile(r"""\s*(?: (?P<number>\d+(?:\.\d+)?) | (?P<name>[a-zA-Z_:][\w:]*) | (?P<over>\[\w+\]) | (?P<text>"[^"\\]*")
                         | (?P<sign>==|!=|=~|!~|>=|<=|[-+*/<>=(){},]) )""", re.VERBOSE)
UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}

COMPARE: dict[str, Callable[[float, float], bool]] = {
    "==": operator.eq, "!=": operator.ne, ">": operator.gt, "<": operator.lt, ">=": operator.ge, "<=": operator.le}


def duration_s(text: str) -> float:
    """Seconds of a time as 90s, 5m or 1h30m."""
    if not re.fullmatch(r"(\d+[smhd])+", text):
        raise NotUnderstood(f"{text!r} is no time as 5m")
    return sum(int(number) * UNITS[unit] for number, unit in re.findall(r"(\d+)(\w)", text))


def parsed(text: str) -> Expression:
    """Reads an expression; raises NotUnderstood, which says at what it stopped."""
    reader = _Reader(text)
    ask = reader.any_of()
    if reader.left:
        raise NotUnderstood(f"{reader.left[0]!r} is not understood there")
    return Expression(ask, reader.longest_s)


class _Reader:
    """Reads from the left; each method takes what belongs to it."""

    def __init__(self, text: str) -> None:
        self.left = list(_tokens(text.strip()))
        self.longest_s = 0.0

    def any_of(self) -> Ask:
        """`or`, which binds least."""
        ask = self.together()
        while self.has("or"):
            ask = _either(ask, self.together())
        return ask

    def together(self) -> Ask:
        """`and` and `unless`."""
        ask = self.compared()
        while (word := self.has("and", "unless")):
            on = self.names() if self.has("on") else None
            ask = _joined(ask, self.compared(), on, word == "and")
        return ask

    def compared(self) -> Ask:
        """Comparisons: what does not hold is left out."""
        ask = self.summed()
        while (sign := self.has(*COMPARE)):
            ask = _compared(COMPARE[sign], ask, self.summed())
        return ask

    def summed(self) -> Ask:
        """Plus and minus."""
        ask = self.multiplied()
        while (sign := self.has("+", "-")):
            ask = _calculated(operator.add if sign == "+" else operator.sub, ask, self.multiplied())
        return ask

    def multiplied(self) -> Ask:
        """Times and divided by."""
        ask = self.one()
        while (sign := self.has("*", "/")):
            ask = _calculated(operator.mul if sign == "*" else _divided, ask, self.one())
        return ask

    def one(self) -> Ask:
        """A number, something in brackets, a function or a series."""
        if self.has("("):
            ask = self.any_of()
            self.must(")")
            return ask
        word = self.left.pop(0) if self.left else ""
        if word[:1].isdigit():
            number = float(word)
            return lambda _: number
        match word:
            case "time":
                self.must("(")
                self.must(")")
                return lambda source: source.now
            case "rate" | "increase":
                return self.grown(per_second=word == "rate")
            case "sum":
                by = self.names() if self.has("by") else frozenset()
                return _sum(self.in_brackets(), by)
            case "histogram_quantile":
                self.must("(")
                share = self.any_of()
                self.must(",")
                ask = self.any_of()
                self.must(")")
                return lambda source: _quantile(_number(share(source)), _series(ask(source)))
        if not re.match(r"[a-zA-Z_:]", word) or self.left[:1] == ["("]:
            raise NotUnderstood(f"{word!r} is not understood there")
        matches = self.matchers()
        return lambda source: {labels: value for labels, value in source.last(word).items() if matches(labels)}

    def grown(self, per_second: bool) -> Ask:
        """What a counter grew by in the time that is given, beginnings anew left out."""
        self.must("(")
        name, matches = self.left.pop(0) if self.left else "", self.matchers()
        over = self.left.pop(0) if self.left else ""
        if not over.startswith("["):
            raise NotUnderstood("a rate needs a time as [5m]")
        seconds = duration_s(over[1:-1])
        self.longest_s = max(self.longest_s, seconds)
        self.must(")")

        def ask(source: Source) -> Vector:
            found = source.within(name, seconds)
            return {labels: _growth(samples) / (samples[-1][0] - samples[0][0] if per_second else 1.0)
                    for labels, samples in found.items() if matches(labels) and samples[-1][0] > samples[0][0]}
        return ask

    def matchers(self) -> Callable[[Labels], bool]:
        """What stands in braces after a series."""
        tests: list[Callable[[Mapping[str, str]], bool]] = []
        if self.has("{"):
            while not self.has("}"):
                name, sign, text = (self.left.pop(0) if self.left else "" for _ in range(3))
                if sign not in ("=", "!=", "=~", "!~") or not text.startswith('"'):
                    raise NotUnderstood(f"{name}{sign}{text} is no matcher")
                tests.append(_matching(name, sign, text[1:-1]))
                self.has(",")
        return lambda labels: all(test(dict(labels)) for test in tests)

    def in_brackets(self) -> Ask:
        """Something that must stand in brackets."""
        self.must("(")
        ask = self.any_of()
        self.must(")")
        return ask

    def names(self) -> frozenset[str]:
        """Names of labels in brackets."""
        self.must("(")
        found = set[str]()
        while not self.has(")"):
            found.add(self.left.pop(0) if self.left else self.must(")"))
            self.has(",")
        return frozenset(found)

    def has(self, *tokens: str) -> str:
        """Takes the next, if it is one of these."""
        return self.left.pop(0) if self.left and self.left[0] in tokens else ""

    def must(self, token: str) -> str:
        """Takes the next, which must be this."""
        if not self.has(token):
            raise NotUnderstood(f"{token!r} is missing before {self.left[0]!r}" if self.left else f"{token!r} is missing")
        return token


def _matching(name: str, sign: str, text: str) -> Callable[[Mapping[str, str]], bool]:
    pattern = re.compile(text if "~" in sign else re.escape(text))
    return lambda labels: bool(pattern.fullmatch(labels.get(name, ""))) == (sign[0] == "=")


def _tokens(text: str) -> Iterator[str]:
    place = 0
    while place < len(text):
        found = TOKEN.match(text, place)
        if found is None:
            raise NotUnderstood(f"{text[place:].split()[0]!r} is not understood there")
        yield found[0].strip()
        place = found.end()


def _series(value: Value) -> Vector:
    if not isinstance(value, dict):
        raise NotUnderstood("a number stands where series are needed")
    return value


def _number(value: Value) -> float:
    if isinstance(value, dict):
        raise NotUnderstood("series stand where a number is needed")
    return value


def _divided(one: float, other: float) -> float:
    if other:
        return one / other
    return math.copysign(math.inf, one) if one and not math.isnan(one) else math.nan


def _pairs(one: Value, other: Value) -> Iterator[tuple[Labels, float, float]]:
    """Both sides of each series; a number stands beside all."""
    if isinstance(one, dict) and isinstance(other, dict):
        yield from ((labels, value, other[labels]) for labels, value in one.items() if labels in other)
    elif isinstance(one, dict) and not isinstance(other, dict):
        yield from ((labels, value, other) for labels, value in one.items())
    elif isinstance(other, dict) and not isinstance(one, dict):
        yield from ((labels, one, value) for labels, value in other.items())


def _calculated(how: Callable[[float, float], float], left: Ask, right: Ask) -> Ask:
    def ask(source: Source) -> Value:
        one, other = left(source), right(source)
        if not isinstance(one, dict) and not isinstance(other, dict):
            return how(one, other)
        return {labels: how(a, b) for labels, a, b in _pairs(one, other)}
    return ask


def _compared(holds: Callable[[float, float], bool], left: Ask, right: Ask) -> Ask:
    def ask(source: Source) -> Value:
        one, other = left(source), right(source)
        if not isinstance(one, dict) and not isinstance(other, dict):
            raise NotUnderstood("two numbers are compared")
        return {labels: a if isinstance(one, dict) else b for labels, a, b in _pairs(one, other) if holds(a, b)}
    return ask


def _either(left: Ask, right: Ask) -> Ask:
    return lambda source: {**_series(right(source)), **_series(left(source))}


def _joined(left: Ask, right: Ask, on: frozenset[str] | None, both: bool) -> Ask:
    def key(labels: Labels) -> Labels:
        return labels if on is None else frozenset(pair for pair in labels if pair[0] in on)

    def ask(source: Source) -> Value:
        there = {key(labels) for labels in _series(right(source))}
        return {labels: value for labels, value in _series(left(source)).items() if (key(labels) in there) == both}
    return ask


def _sum(of: Ask, by: frozenset[str]) -> Ask:
    def ask(source: Source) -> Value:
        sums: Vector = {}
        for labels, value in _series(of(source)).items():
            kept = frozenset(pair for pair in labels if pair[0] in by)
            sums[kept] = sums.get(kept, 0.0) + value
        return sums
    return ask


def _growth(samples: Samples) -> float:
    """A counter that is smaller than before began anew, with 0."""
    values = [value for _, value in samples]
    return sum(after - before if after >= before else after for before, after in pairwise(values))


def _quantile(share: float, buckets: Vector) -> Vector:
    """As Prometheus has it: as if what is in a bucket were spread evenly over it."""
    groups: dict[Labels, list[tuple[float, float]]] = {}
    for labels, count in buckets.items():
        named = dict(labels)
        if (written := named.pop("le", None)) is not None:
            groups.setdefault(frozenset(named.items()), []).append((float(written), count))
    found: Vector = {}
    for labels, counts in groups.items():
        counts.sort()
        wanted, lower, below = share * counts[-1][1], 0.0, 0.0
        for bound, count in counts:
            if count >= wanted and count > 0:
                found[labels] = lower if math.isinf(bound) else lower + (bound - lower) * (wanted - below) / (count - below)
                break
            lower, below = bound, count
    return found
