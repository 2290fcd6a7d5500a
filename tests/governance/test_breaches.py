"""The log of breaches: one life from known to closed, everything that can be missing, everything that cannot be."""

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from governance.breaches import Breach, NotABreach, State, breach, clock, closed, missing
from tests.governance.breach_cases import Fields, controller, processor

LATER = datetime(2026, 12, 1, 9, tzinfo=UTC)
OPEN: Fields = {"closed_at": None}


def at(text: str) -> datetime:
    """`30 16:30` is a moment of March 2026 in UTC, `04-02 08:00` one of 2026."""
    return datetime.fromisoformat(f"2026-{text if '-' in text else f'03-{text}'}+00:00")


def without(fields: Fields, *paths: str) -> Fields:
    """Fields without some of them; `people.text` is a field of a field."""
    left = {**fields, **OPEN}
    for path in paths:
        name, _, inner = path.partition(".")
        left[name] = {**left[name]} if inner else None
        (left[name] if inner else left).pop(inner or name)
    return left


def lacking(fields: Fields, now: datetime = LATER, hours: int = 72) -> list[str]:
    """What is missing of a breach."""
    return missing(breach(fields), now, hours)


def test_one_life() -> None:
    begin: Fields = {name: controller()[name] for name in ("ref", "title", "kinds", "role", "detected_at", "aware_at")}
    known = breach(begin)
    assert known.state is State.KNOWN
    assert clock(known).due == at("30 17:00")    # 18:00 (+1) is 17:00 UTC; summer time on the 29th takes nothing away
    assert clock(known).left(at("29 17:00")) == timedelta(hours=24)
    assert [text.partition(": ")[0] for text in missing(known, at("29 17:00"))] == [
        "Art. 33(3)(a)", "Art. 33(3)(a)", "Art. 33(3)(a)", "Art. 33(3)(b)", "Art. 33(3)(c)", "Art. 33(3)(d)", "Art. 33(5)",
        "Art. 33(1)", "Art. 33(1)", "Art. 33(1)"]
    with pytest.raises(NotABreach, match=r"^lost-backup-2026 cannot be closed yet: Art\. 33"):
        closed(known, at("29 17:00"))

    told = breach(without(controller(), "people", "phases", "records", "closed_at"))
    assert told.state is State.NOTIFIED
    assert clock(told).left(LATER) == timedelta(minutes=30)    # 18:30 (+2) is 16:30 UTC: half an hour before
    assert missing(told, LATER) == [
        "Art. 33(3)(a): the categories and approximate number of records are missing, or why no number can be given.",
        "Art. 34(1): the risk is high, and whether people are told is not decided."]

    whole = breach({**controller(), **OPEN})
    assert missing(whole, LATER) == []
    end = closed(whole, LATER)
    assert (end.state, end.closed_at) == (State.CLOSED, LATER)
    assert breach(end.model_dump(mode="json")) == end, "it comes back from JSON as it was"
    with pytest.raises(NotABreach, match=r"lost-backup-2026 was closed at 2026-12-01T09:00:00\+00:00 already"):
        closed(end, LATER)


def test_the_life_of_one_that_is_not_notified() -> None:
    fields = without(controller(risk="unlikely"), "notified_at", "phases", "authority", "people", "contact")
    known = breach(fields)
    assert known.state is State.KNOWN
    assert missing(known, LATER) == [
        "Art. 33(5): why a risk is unlikely, so that the authority is not notified, is not documented.",
        "Art. 33(5): when it was decided not to notify the authority is not documented."]
    assert breach({**fields, "not_notified_because": "nobody can read it"}).state is State.KNOWN
    decided = breach({**fields, "not_notified_because": "nobody can read it", "decided_at": "2026-03-28T17:00Z"})
    assert decided.state is State.NOT_NOTIFIED
    assert clock(decided).left(LATER) == timedelta(hours=48), "the decision stops the clock"
    assert missing(decided, LATER) == []
    assert missing(decided, at("28 16:59")) == [
        "Art. 33(5): when it was decided not to notify the authority is not documented."]
    assert closed(decided, LATER).state is State.CLOSED
    for name in ("nature", "subjects", "records", "consequences", "cause"):
        assert [text.partition(":")[0] for text in lacking({**without(fields, name), "not_notified_because": "x",
                                                            "decided_at": "2026-03-28T17:00Z"})] == ["Art. 33(5)"], name


def test_a_risk_makes_the_decision_not_to_notify_void() -> None:
    fields = {**without(controller(risk="risk"), "notified_at", "phases"),
              "not_notified_because": "we would rather not", "decided_at": "2026-03-28T17:00Z"}
    assert breach(fields).state is State.KNOWN
    assert clock(breach(fields)).late(LATER)
    assert lacking(fields) == [
        "Art. 33(1): the authority was not notified, and a reason not to is none where there is a risk.",
        "Art. 33(1): the reasons for the delay are missing, for 72 hours are over."]
    assert lacking({**fields, "risk": None, "people": {}}, at("28 18:00")) == [
        "Art. 33(1): whether a risk to people is likely is not assessed.",
        "Art. 33(1): the authority was not notified."], "not void as long as nobody knows the risk"


@pytest.mark.parametrize("fields", [
    {**without(controller(), "phases", "closed_at"), "notified_at": "2026-12-24T09:00Z"},
    {**without(controller(risk="unlikely", people={}), "phases", "notified_at", "closed_at"),
     "not_notified_because": "nobody can read it", "decided_at": "2026-12-24T09:00Z"}], ids=["notified", "decided"])
def test_what_lies_in_the_future_does_not_stop_the_clock(fields: Fields) -> None:
    known, then = breach(fields), datetime(2026, 12, 24, 9, tzinfo=UTC)
    assert clock(known, now=LATER).stopped is None
    assert clock(known, now=LATER).late(LATER)
    assert known.state_at(LATER) is State.KNOWN
    assert clock(known, now=then).stopped == then
    assert known.state_at(then) is known.state is not State.KNOWN


def test_the_life_of_a_processors() -> None:
    one, other = processor()["controllers"]
    known = breach({**processor(controllers=[one, {"party": other["party"]}]), **OPEN})
    assert known.state is State.KNOWN
    assert clock(known).stopped is None
    assert missing(known, LATER) == ["Art. 33(2): South GmbH was not notified."]
    told = breach({**processor(), **OPEN})
    assert told.state is State.NOTIFIED
    assert clock(told).stopped == datetime(2026, 10, 24, 8, tzinfo=UTC), "the last of them"
    assert missing(told, LATER) == []
    assert missing(told, datetime(2026, 10, 24, 7, 30, tzinfo=UTC)) == ["Art. 33(2): South GmbH was not notified."]
    assert missing(breach(without(processor(), "controllers")), LATER) == [
        "Art. 33(2): which controllers must be notified is missing."]
    assert missing(breach(without(processor(), "nature")), LATER) == [
        "Art. 28(3)(f): the controllers need to know more: the nature of the breach is not described."]
    assert breach(without(processor(), "controllers")).state is State.KNOWN
    assert missing(breach({**processor(risk="high"), **OPEN}), LATER) == [], "Art. 34 is for its controllers"


_PEOPLE = "Art. 33(3)(a): the categories and approximate number of people are missing, or why no number can be given."
_RECORDS = "Art. 33(3)(a): the categories and approximate number of records are missing, or why no number can be given."
_UNTOLD = "Art. 34(1): the people were not told."

MISSING = [
    (["nature"], "Art. 33(3)(a): the nature of the breach is not described."),
    (["subjects"], _PEOPLE),
    (["subjects.categories"], _PEOPLE),
    (["subjects.number"], _PEOPLE),
    (["records.categories"], _RECORDS),
    (["records.unknown_because"], _RECORDS),
    (["contact"], "Art. 33(3)(b): the name and contact details of the data protection officer or another contact point are "
                  "missing."),
    (["consequences"], "Art. 33(3)(c): the likely consequences are not described."),
    (["measures_taken", "measures_proposed"], "Art. 33(3)(d): the measures taken or proposed are not described."),
    (["cause"], "Art. 33(5): what caused it is not documented."),
    (["risk"], "Art. 33(1): whether a risk to people is likely is not assessed."),
    (["authority"], "Art. 33(1): which authority is competent is missing."),
    (["people"], "Art. 34(1): the risk is high, and whether people are told is not decided."),
    (["people.needed"], "Art. 34(1): the risk is high, and whether people are told is not decided."),
    (["people.text"], "Art. 34(2): what people are told, in clear and plain language, is missing."),
    (["people.informed_at"], _UNTOLD),
]


@pytest.mark.parametrize(("names", "said"), MISSING, ids=lambda one: "+".join(one) if isinstance(one, list) else "")
def test_each_thing_that_is_missing_is_named_with_its_article(names: list[str], said: str) -> None:
    assert lacking(without(controller(), *names)) == [said]
    with pytest.raises(NotABreach) as refused:
        breach({**without(controller(), *names), "closed_at": "2026-05-04T09:00+02:00"})
    assert str(refused.value) == f"This cannot be a breach: closed_at: it cannot be closed yet. {said}"


@pytest.mark.parametrize("name", ["measures_taken", "measures_proposed", "origin", "activities", "lessons", "late_because",
                                  "occurred_from", "occurred_to", "cross_border", "organisation"])
def test_the_law_does_not_ask_for_everything(name: str) -> None:
    assert lacking(without(controller(), name)) == []


@pytest.mark.parametrize("name", ["name", "all ways"])
def test_a_contact_has_a_name_and_a_way(name: str) -> None:
    contact = {"name": "", "email": "a@example.org"} if name == "name" else {"name": "Ada", "town": "Paris"}
    assert [text[:13] for text in lacking(controller(contact=contact, **OPEN))] == ["Art. 33(3)(b)"]
    for way in ("email", "phone", "address"):
        assert lacking(controller(contact={"name": "Ada", way: "x"}, **OPEN)) == []


@pytest.mark.parametrize(("people", "said"), [
    ({"needed": False}, ["Art. 34(3): the risk is high, and people are not told: encrypted, mitigated or disproportionate is "
                         "missing."]),
    ({"needed": False, "exemption": "encrypted"}, ["Art. 34(3): why it is encrypted is not documented."]),
    ({"needed": False, "exemption": "mitigated", "reason": "got it back"}, []),
    ({"needed": False, "exemption": "disproportionate", "reason": "no addresses"},
     ["Art. 34(2): what people are told, in clear and plain language, is missing.",
      "Art. 34(3)(c): the public communication, which stands for telling each, was not made."]),
    ({"needed": False, "exemption": "disproportionate", "reason": "no addresses", "text": "A disk was lost.",
      "informed_at": "2026-04-01T12:00+02:00"}, [])])
def test_the_decision_on_a_high_risk(people: Fields, said: list[str]) -> None:
    assert lacking(controller(people=people, **OPEN)) == said


def test_people_need_not_be_told_of_a_low_risk_but_who_decides_so_must_do_it() -> None:
    assert lacking(controller(risk="risk", people={}, **OPEN)) == []
    assert lacking(controller(risk="risk", people={"needed": False}, **OPEN)) == []
    assert lacking(controller(risk="risk", people={"needed": True, "text": "x"}, **OPEN)) == [_UNTOLD]


@pytest.mark.parametrize(("notified", "hours", "asked"), [
    ("2026-03-30T17:00Z", 72, False), ("2026-03-30T17:01Z", 72, True), ("2026-03-30T17:01Z", 96, False),
    ("2026-03-31T17:01Z", 96, True)])
def test_who_is_late_gives_reasons(notified: str, hours: int, asked: bool) -> None:
    fields = controller(notified_at=notified, **OPEN)
    said = [f"Art. 33(1): the reasons for the delay are missing, for {hours} hours are over."] if asked else []
    assert lacking(fields, hours=hours) == said
    assert lacking({**fields, "late_because": "a holiday"}, hours=hours) == []
    assert lacking({**fields, "risk": "unlikely"}, hours=hours) == [], "who need not notify at all need not hurry"
    if asked:
        with pytest.raises(NotABreach, match="the reasons for the delay are missing"):
            closed(breach(fields), LATER, hours)
    else:
        assert closed(breach(fields), LATER, hours).closed_at == LATER


def test_a_log_can_be_read_after_the_hours_were_changed() -> None:
    late = breach(controller(notified_at="2026-03-31T09:00Z"))    # in 96 hours, not in 72
    assert (late.state, missing(late, LATER, 96)) == (State.CLOSED, [])
    assert missing(late, LATER, 72) != []


def test_what_lies_ahead_was_not_done() -> None:
    fields = controller(phases=[], **OPEN)
    assert lacking(fields, at("30 16:29")) == ["Art. 33(1): the authority was not notified.", _UNTOLD]
    assert lacking(fields, at("30 16:30")) == [_UNTOLD]
    assert lacking(fields, at("04-01 10:00")) == []
    with pytest.raises(NotABreach, match=r"closed yet\. Art\. 34\(1\): the people were not told\.$"):
        breach(controller(phases=[], closed_at="2026-03-31T09:00Z"))


IMPOSSIBLE: list[tuple[Fields, str]] = [
    ({"aware_at": "2026-03-27T08:59+01:00"},
     "aware_at: 2026-03-27T07:59:00+00:00 lies before detected_at, 2026-03-27T08:00:00+00:00"),
    ({"notified_at": "2026-03-27T17:59+01:00"}, "notified_at: 2026-03-27T16:59:00+00:00 lies before aware_at"),
    ({"occurred_from": "2026-03-26T18:01+01:00"}, "occurred_to: 2026-03-26T17:00:00+00:00 lies before occurred_from"),
    ({"occurred_from": "2026-03-27T09:01+01:00", "occurred_to": None}, "detected_at: 2026-03-27T08:00:00+00:00 lies before"),
    ({"decided_at": "2026-03-27T16:59Z"}, "decided_at: 2026-03-27T16:59:00+00:00 lies before aware_at"),
    ({"phases": [{"at": "2026-03-30T16:29Z", "what": "x"}]}, "phases.0.at: 2026-03-30T16:29:00+00:00 lies before notified_at"),
    ({"phases": [{"at": "2026-04-02T08:00Z", "what": "x"}, {"at": "2026-04-01T08:00Z", "what": "y"}]},
     "phases.1.at: 2026-04-01T08:00:00+00:00 lies before phases.0.at"),
    ({"closed_at": "2026-04-02T07:59Z"}, "closed_at: 2026-04-02T07:59:00+00:00 lies before phases.0.at"),
    ({"people": {"needed": True, "informed_at": "2026-03-27T07:59Z"}},
     "people.informed_at: 2026-03-27T07:59:00+00:00 lies before"),
    ({"notified_at": None}, "phases: what is told in phases follows a notification (Art. 33(4)); notified_at is missing"),
    ({"controllers": [{"party": {"name": "North"}}]}, "controllers: only a processor has controllers to notify (Art. 33(2))"),
    ({"people": {"needed": True, "exemption": "encrypted"}}, "people.exemption: encrypted is a reason not to tell people"),
    ({"people": {"exemption": "encrypted"}}, "people.exemption: encrypted is a reason not to tell people"),
    ({"detected_at": "2026-03-27T09:00"}, "detected_at: 2026-03-27T09:00:00 does not say in which zone it is; write it as"),
    ({"aware_at": 2026}, "aware_at: 2026 is no moment; write it as 2026-03-29T09:30+02:00"),
    ({"aware_at": "2026"}, "aware_at: '2026' is no moment"),
    ({"occurred_from": "2026-03-26"}, "occurred_from: '2026-03-26' is no moment"),
    ({"closed_at": "0001-01-01T00:00+05:00"}, "closed_at: 0001-01-01T00:00:00+05:00 lies outside the years 1 to 9999 in UTC"),
    ({"kinds": []}, "kinds: tuple should have at least 1 item"),
    ({"kinds": ["theft"]}, "kinds.0: input should be 'confidentiality', 'integrity' or 'availability'"),
    ({"role": "boss"}, "role: input should be 'controller' or 'processor'"),
    ({"risk": "low"}, "risk: input should be 'unlikely', 'risk' or 'high'"),
    ({"ref": "Not A Ref"}, "ref: string should match pattern"),
    ({"title": " "}, "title: string should have at least 1 character"),
    ({"measures_taken": [" "]}, "measures_taken.0: string should have at least 1 character"),
    ({"subjects": {"categories": [""]}}, "subjects.categories.0: string should have at least 1 character"),
    ({"subjects": {"number": -1}}, "subjects.number: input should be greater than or equal to 0"),
    ({"cross_border": ["Germany"]}, "cross_border.0: string should match pattern '^[A-Z]{2}$'"),
    ({"notifed_at": "2026-03-30T18:30+02:00"}, "notifed_at: extra inputs are not permitted"),
]


@pytest.mark.parametrize(("others", "said"), IMPOSSIBLE, ids=lambda one: one[:30] if isinstance(one, str) else "")
def test_what_cannot_be_is_refused_by_name(others: Fields, said: str) -> None:
    with pytest.raises(NotABreach) as refused:
        breach(controller(**others))
    assert said in str(refused.value)
    assert str(refused.value).startswith("This cannot be a breach: ")


def test_a_processor_does_not_notify_an_authority_and_tells_after_it_knows() -> None:
    with pytest.raises(NotABreach, match=r"notified_at: a processor notifies its controllers \(Art\. 33\(2\)\)"):
        breach(processor(notified_at="2026-10-24T09:00+02:00"))
    early = [{"party": {"name": "North Ltd"}, "notified_at": "2026-10-23T18:29+02:00"}]
    with pytest.raises(NotABreach, match=r"closed_at: 2026-10-23T16:29:00\+00:00 lies before aware_at"):
        breach(processor(closed_at="2026-10-23T18:29+02:00"))
    with pytest.raises(NotABreach, match=r"controllers\.0\.notified_at: 2026-10-23T16:29:00\+00:00 lies before aware_at"):
        breach(processor(controllers=early))


def test_every_wrong_field_is_named_at_once() -> None:
    wrong: Fields = {"ref": "X", "title": "", "role": "", "risk": "", "origin": "", "kinds": [], "aware_at": "",
                     "detected_at": "", "closed_at": "", "typo": 1}
    with pytest.raises(NotABreach) as refused:
        breach(controller(**wrong))
    assert [name for name in wrong if f"{name}: " not in str(refused.value)] == []
    with pytest.raises(NotABreach, match=r"aware_at: .* lies before .*; notified_at: .* lies before"):
        breach(controller(aware_at="2026-03-27T08:00+01:00", notified_at="2026-03-27T07:00+01:00"))
    with pytest.raises(NotABreach) as decided:
        breach(controller(people={"needed": True, "exemption": "encrypted"}))
    assert str(decided.value) == ("This cannot be a breach: people.exemption: encrypted is a reason not to tell people "
                                  "(Art. 34(3)); it goes with people.needed false.")
    with pytest.raises(NotABreach, match="the whole: input should be a valid dictionary"):
        breach(7)


def test_times_are_kept_in_utc_so_that_autumn_does_not_turn_them_round() -> None:
    paris = ZoneInfo("Europe/Paris")
    first, second = (datetime(2026, 10, 25, 2, 30, fold=fold, tzinfo=paris) for fold in (0, 1))
    fields = {**without(processor(), "controllers"), "detected_at": first, "aware_at": second}
    assert breach(fields).aware_at - breach(fields).detected_at == timedelta(hours=1)
    assert breach(fields).aware_at.tzinfo is UTC
    with pytest.raises(NotABreach, match=r"aware_at: .* lies before detected_at"):
        breach({**fields, "detected_at": second, "aware_at": first})


def test_all_may_happen_at_one_moment() -> None:
    moment = "2026-04-02T08:00Z"
    names = ("occurred_from", "occurred_to", "detected_at", "aware_at", "notified_at", "closed_at")
    people = {**controller()["people"], "informed_at": moment}
    assert breach(controller(**dict.fromkeys(names, moment), people=people)).state is State.CLOSED


def test_a_breach_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        breach(controller()).title = "another"    # type: ignore[misc]


VALUES = st.sampled_from(list(controller().values())) | st.none() | st.text() | st.integers() | st.lists(st.text(), max_size=2)


@given(st.dictionaries(st.sampled_from(list(Breach.model_fields)), VALUES, max_size=4) | VALUES)
def test_whatever_comes_is_a_breach_or_is_none(others: Any) -> None:
    try:
        known = breach(controller(**others) if isinstance(others, dict) and "name" not in others else others)
    except NotABreach:
        return
    assert (known.state is State.CLOSED) is bool(known.closed_at)
    assert not known.closed_at or [text for text in missing(known, known.closed_at) if "delay" not in text] == []
