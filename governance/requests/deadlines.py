"""Until when a request is answered, and which law gives each day (Art. 12(3) and 12(4) GDPR, Regulation 1182/71).

Three days: the legal one, our own target before it, and the last on which an extension, or a refusal, may be told. All are of
the place that answers, and end with their last hour.
"""

from dataclasses import dataclass
from datetime import date, timedelta

from governance.clocks import Counted, counted, day_off
from governance.letter_page import day_of
from governance.requests.request import Request

MONTHS, EXTENDED = 1, 3
"""Months from the receipt (Art. 12(3)); "two further" make three."""

TARGET_DAYS = 28
"""Days from the receipt in which we want to have answered; of an extended request three times as many."""

REGULATION = "Regulation 1182/71"
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS = {MONTHS: "one month", EXTENDED: "three months"}


@dataclass(frozen=True)
class Deadlines:
    """The days of one request.

    legal: the last day to answer; of a refusal that of the first month, extended or not (Art. 12(4)). first: of the first
    month: the last day to tell of an extension or a refusal. target: ours.
    answered: when it was, or None. law: how `legal` comes about, a sentence a rule.
    """

    legal: date
    first: date
    target: date
    answered: date | None
    law: tuple[str, ...]

    def late(self, today: date) -> bool:
        """Whether the person was, or is, told later than the law allows."""
        return (self.answered or today) > self.legal

    def behind(self, today: date) -> bool:
        """Whether our own target is over, and the person is not told."""
        return self.answered is None and today > self.target

    def left(self, today: date) -> int:
        """Days until the legal one, from the day of the answer or from today; negative when late."""
        return (self.legal - (self.answered or today)).days


def deadlines(asked: Request, today: date, country: str) -> Deadlines:
    """The days of a request. today: at the place that answers; the clock stands until today while something is awaited.
    country: whose holidays count. Raises ValueError for a country that is not known."""
    stood = _stood(asked, today, country)
    first = counted(asked.received, MONTHS, country, stood)
    months = EXTENDED if asked.extension and not asked.refusal else MONTHS
    legal = counted(asked.received, months, country, stood)
    target = asked.received + timedelta(days=TARGET_DAYS * months + stood)
    while day_off(target, country):
        target -= timedelta(days=1)
    return Deadlines(legal.due, first.due, min(target, legal.due), asked.answered, tuple(_law(asked, legal, country)))


def told_in_time(asked: Request, told: date, country: str) -> date | None:
    """None where an extension told on this day is told in time, else the last day on which it would have been."""
    last = deadlines(asked, told, country).first
    return None if told <= last else last


def _stood(asked: Request, today: date, country: str) -> int:
    """Days by which the clock stood: from each question of Art. 12(6) to its answer, or to today, or to the end of the matter.

    A question that was asked when the month was over does not count: it was not asked without undue delay.
    """
    days = 0
    until = min(asked.answered or today, today)
    for one in asked.identity.asked:
        if one.on <= counted(asked.received, MONTHS, country, days).due:
            days += max((min(one.given or until, until) - one.on).days, 0)
    return days


def _law(asked: Request, legal: Counted, country: str) -> list[str]:
    """How a day comes about."""
    lines = [f"Received on {_weekday(legal.begin)}: {_MONTHS[MONTHS]} to answer (Art. 12(3) GDPR)."]
    if asked.extension and asked.refusal:
        lines.append(f"The extension of which the person was told on {day_of(asked.extension.told)} does not count for a "
                     f"refusal: it is told within {_MONTHS[MONTHS]} of the receipt (Art. 12(4) GDPR).")
    elif asked.extension:
        lines.append(f"Extended by two further months, so {_MONTHS[EXTENDED]} from the receipt; the person was told with the "
                     f"reasons on {day_of(asked.extension.told)} (Art. 12(3) GDPR).")
    same = legal.end - timedelta(days=legal.stood)
    ends = (f"The period ends on the same date {_MONTHS[legal.months]} later" if legal.exists else
            f"{_MONTHS[legal.months].capitalize()} later there is no day {legal.begin.day}, so the period ends with the month")
    lines.append(f"{ends}: {_weekday(same)} (Art. 3(2)(c) of {REGULATION}).")
    if legal.stood:
        lines.append(f"The clock stood for {legal.stood} {'days' if legal.stood > 1 else 'day'} while we waited for what shows "
                     f"who asks, so it ends on {_weekday(legal.end)} (Art. 12(6) GDPR; EDPB Guidelines 01/2022, section 5.3).")
    if legal.passed:
        passed = ", ".join(f"{day_of(day)} ({why})" for day, why in legal.passed.items())
        are = "are no working days" if len(legal.passed) > 1 else "is no working day"
        lines.append(f"{passed} {are} in {country}, so it ends with the next one, {_weekday(legal.due)} "
                     f"(Art. 3(4) of {REGULATION}).")
    return lines


def _weekday(day: date) -> str:
    return f"{_DAYS[day.weekday()]} {day_of(day)}"
