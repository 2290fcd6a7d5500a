"""The letters about a breach: read back by a parser of their own, field by field, and safe whatever a breach says."""

from datetime import UTC, datetime, timedelta, timezone
from html.parser import HTMLParser

import pytest

from engine.compliance.breaches import BreachRefused, To, letters_of
from governance.breach_notices import NoSuchNotice, to_authority, to_controller, to_people
from governance.breaches import Breach, Controller, Exemption, Kind, Origin, Risk, breach
from governance.register import Party
from tests.governance.breach_cases import Fields, controller, processor

NOW = datetime(2026, 4, 2, 8, 0, tzinfo=UTC)
EVIL = """<script>alert("x")</script> & 'quoted' </td><img src=x onerror=y>"""
VOID = {"meta", "br", "img", "link", "input"}


class Letter(HTMLParser):
    """A letter as it is read: headings, rows under them, paragraphs, and every tag and attribute that was used."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.rows: dict[tuple[str, str], list[str]] = {}
        self.said: dict[str, list[str]] = {}
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str | None]] = []
        self.open: list[str] = []
        self.heading = self.label = self.title = ""
        self.text = ""
        self.feed(text)
        self.close()
        assert self.open == [], "every tag that is opened is closed"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes += attrs
        if tag not in VOID:
            self.open.append(tag)
        if tag == "h2":
            self.heading = ""
        if tag == "th":
            self.label = ""
        if tag == "td":
            assert (self.heading, self.label) not in self.rows, "a label stands once under a heading"
            self.rows[self.heading, self.label] = []

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, f"</{tag}> closes what was opened last"

    def handle_data(self, data: str) -> None:
        if not self.open or not data.strip() or self.open[-1] == "style":
            return
        self.text += data + "\n"
        match self.open[-1]:
            case "h2":
                self.heading += data
            case "th":
                self.label += data
            case "title":
                self.title += data
            case _:
                into = self.rows[self.heading, self.label] if "td" in self.open else self.said.setdefault(
                    "draft" if "aside" in self.open else self.heading, [])
                into += data.splitlines()

    def row(self, label: str) -> list[str]:
        """The value of a label that stands once in the letter, a line each."""
        found = [value for (_, name), value in self.rows.items() if name == label]
        assert len(found) == 1, f"{label} stands {len(found)} times"
        return found[0]

    def headings(self) -> list[str]:
        """In order, each once."""
        return list(dict.fromkeys([*self.said, *(heading for heading, _ in self.rows)]))


def authority(fields: Fields, now: datetime = NOW, hours: int = 72) -> Letter:
    """The letter to the authority, read."""
    return Letter(to_authority(breach(fields), hours, now))


A, D = "(a) Nature of the breach (Art. 33(3)(a))", "(d) Measures (Art. 33(3)(d))"
R = "Risk, and telling the people (Art. 34)"
CONTACT = ["Ada Quist", "the office of the officer", "1 rue des Lilas", "75011 Paris", "FR", "dpo@example.org",
           "+33 1 23 45 67 89"]


def test_the_authority_is_told_every_item_under_its_letter() -> None:
    letter = authority(controller())
    assert letter.rows == {
        ("", "To"): ["CNIL"], ("", "From"): ["Roll Call SAS", "Lyon", "post@example.org"],
        ("", "Date"): ["2 April 2026, 08:00 UTC"],
        ("", "Our reference"): ["lost-backup-2026"], ("", "Breach"): ["A backup was left on a train"],
        ("", "Phase (Art. 33(4))"): ["Phase 2"], ("", "Register entries"): ["user-profiles", "figures"],
        ("", "Other countries whose people are concerned"): ["DE", "BE"],
        ("Times", "Occurred from"): ["26 March 2026, 16:00 UTC"], ("Times", "Occurred until"): ["26 March 2026, 17:00 UTC"],
        ("Times", "Detected"): ["27 March 2026, 08:00 UTC"], ("Times", "Aware of it"): ["27 March 2026, 17:00 UTC"],
        ("Times", "72 hours end"): ["30 March 2026, 17:00 UTC"], ("Times", "First notified"): ["30 March 2026, 16:30 UTC"],
        (A, "What was breached"): ["confidentiality", "availability"],
        (A, "What happened"): ["A disk with a backup was left on a train."],
        (A, "Cause"): ["carried by hand"], (A, "Origin"): ["Internal, by accident"],
        (A, "Categories of people"): ["users", "testers"],
        (A, "Approximate number of people"): ["About 1,204"], (A, "Categories of records"): ["names", "e-mail addresses"],
        (A, "Approximate number of records"): ["Not known yet: the index was on the disk"],
        ("(b) Where to ask (Art. 33(3)(b))", "Data protection officer or contact point"): CONTACT,
        ("(c) Likely consequences (Art. 33(3)(c))", "Likely consequences"): ["Letters that pretend to come from us."],
        (D, "Taken"): ["The disk was reported lost", "Keys were changed"], (D, "Proposed"): ["Backups travel by network only"],
        (R, "Risk to people"): ["Likely to result in a high risk"], (R, "People are told"): ["Yes"],
        (R, "Reason"): ["nobody knows who has it"], (R, "Told"): ["1 April 2026, 10:00 UTC"],
        (R, "What they are told"): ["A disk with your name and address was lost."],
        ("Told since the first notification (Art. 33(4))", "2 April 2026, 08:00 UTC"): ["the number of records was counted"]}
    assert letter.title == "Notification of a personal data breach (Art. 33 GDPR)"
    midnight = datetime(2026, 4, 3, 0, 30, tzinfo=timezone(timedelta(hours=2)))
    assert authority(controller(), midnight).row("Date") == ["2 April 2026, 22:30 UTC"]


def test_a_letter_in_phases_says_which_it_is_and_what_follows() -> None:
    whole = authority(controller(phases=[], closed_at=None))
    assert not [label for _, label in whole.rows if label.startswith("Phase")]
    assert not [heading for heading in whole.headings() if "follow" in heading]
    bare = {name: controller()[name] for name in ("ref", "title", "kinds", "role", "detected_at", "aware_at")}
    first = authority(bare, datetime(2026, 3, 28, tzinfo=UTC))
    assert first.row("Phase (Art. 33(4))") == ["Phase 1"]
    assert first.rows["To follow without undue further delay (Art. 33(4))", "Open"] == [
        "The nature of the breach is not described.",
        "The categories and approximate number of people are missing, or why no number can be given.",
        "The categories and approximate number of records are missing, or why no number can be given.",
        "The name and contact details of the data protection officer or another contact point are missing.",
        "The likely consequences are not described.", "The measures taken or proposed are not described."]
    assert first.row("First notified") == ["With this letter"]
    unknown = ["To", "From", "Occurred from", "Occurred until", "What happened", "Cause", "Categories of people",
               "Approximate number of people", "Categories of records", "Approximate number of records",
               "Data protection officer or contact point", "Likely consequences"]
    assert [label for (_, label), value in first.rows.items() if value == ["Not known yet"]] == unknown
    assert (first.row("Taken"), first.row("Proposed")) == (["None stated"], ["None stated"])
    assert (first.row("Risk to people"), first.row("People are told")) == (["Not assessed yet"], ["Not decided yet"])
    three = [{"at": f"2026-04-0{n}T10:00Z", "what": f"thing {n}"} for n in (1, 2, 3)]
    fourth = authority(controller(phases=three))
    assert fourth.row("Phase (Art. 33(4))") == ["Phase 4"]
    assert [fourth.row(f"{n} April 2026, 10:00 UTC") for n in (1, 2, 3)] == [["thing 1"], ["thing 2"], ["thing 3"]]


@pytest.mark.parametrize(("notified", "now", "hours", "late"), [
    ("2026-03-30T17:00Z", NOW, 72, None), ("2026-03-30T17:01Z", NOW, 72, "1 minute"),
    ("2026-03-30T17:00:01Z", NOW, 72, "1 minute"), ("2026-03-30T22:03Z", NOW, 72, "5 hours 3 minutes"),
    ("2026-03-30T22:03Z", NOW, 96, None), (None, datetime(2026, 3, 30, 17, tzinfo=UTC), 72, None),
    (None, datetime(2026, 3, 30, 18, tzinfo=UTC), 72, "1 hour")])
def test_a_late_letter_gives_the_reasons(notified: str | None, now: datetime, hours: int, late: str | None) -> None:
    fields = controller(notified_at=notified, phases=[], closed_at=None, late_because="The disk was looked for first.")
    letter = authority(fields, now, hours)
    assert ("Delay (Art. 33(1))" in letter.headings()) is bool(late)
    assert letter.row(f"{hours} hours end") == ["30 March 2026, 17:00 UTC" if hours == 72 else "31 March 2026, 17:00 UTC"]
    if late:
        assert letter.row("Late by") == [late]
        assert letter.row("Reasons for the delay") == ["The disk was looked for first."]
        assert authority({**fields, "late_because": ""}, now, hours).row("Reasons for the delay") == ["Not known yet"]


@pytest.mark.parametrize(("exemption", "said"), [
    (Exemption.ENCRYPTED, "(Art. 34(3)(a))"), (Exemption.MITIGATED, "(Art. 34(3)(b))"),
    (Exemption.DISPROPORTIONATE, "(Art. 34(3)(c))")])
def test_the_authority_is_told_why_people_are_not(exemption: Exemption, said: str) -> None:
    people = {"needed": False, "exemption": exemption, "reason": "because", "text": "in the papers", "informed_at": None}
    letter = authority(controller(people=people, closed_at=None))
    assert letter.row("People are told") == ["No"]
    assert letter.row("Why not each")[0].endswith(said)
    assert letter.row("Reason") == ["because"]
    public = exemption is Exemption.DISPROPORTIONATE
    assert ("What they are told" in {label for _, label in letter.rows}) is public
    assert not public or letter.row("Told") == ["Not yet"]


def test_every_risk_and_every_origin_and_kind_is_said() -> None:
    def of(**others: object) -> Letter:
        return authority(controller(**others, people={}, closed_at=None))
    assert len({of(risk=risk).row("Risk to people")[0] for risk in Risk}) == len(Risk)
    assert {of(origin=origin).row("Origin")[0].lower() for origin in Origin} == {*Origin}
    assert of(kinds=list(Kind)).row("What was breached") == [*Kind]


def test_a_controller_is_told_what_it_needs_and_of_no_other() -> None:
    known = breach(processor())
    north, south = known.controllers
    letter = Letter(to_controller(known, south))
    assert letter.rows == {
        ("", "To"): ["South GmbH", "+49 30 1"], ("", "From"): ["Roll Call SAS", "post@example.org"],
        ("", "Our reference"): ["leak-2026"], ("", "Breach"): ["A log was public"],
        ("", "Notified"): ["24 October 2026, 08:00 UTC"],
        ("Times", "Occurred from"): ["Not known yet"], ("Times", "Occurred until"): ["Not known yet"],
        ("Times", "Detected"): ["23 October 2026, 16:00 UTC"], ("Times", "Aware of it"): ["23 October 2026, 16:30 UTC"],
        (A, "What was breached"): ["confidentiality"], (A, "What happened"): ["A log could be read by anybody."],
        (A, "Cause"): ["a rule was too wide"], (A, "Origin"): ["Not known"], (A, "Categories of people"): ["customers"],
        (A, "Approximate number of people"): ["About 12"], (A, "Categories of records"): ["orders"],
        (A, "Approximate number of records"): ["About 31"],
        ("(b) Where to ask (Art. 33(3)(b))", "Data protection officer or contact point"): CONTACT,
        ("(c) Likely consequences (Art. 33(3)(c))", "Likely consequences"): ["Orders are known."],
        (D, "Taken"): ["The log was closed"], (D, "Proposed"): ["None stated"]}
    assert "Art. 33(2)" in letter.title
    assert "you count as aware from when this reaches you" in letter.said[""][1]
    for other in ("North Ltd", "north@example.org", "hosting-of-others"):
        assert other not in letter.text
    assert Letter(to_controller(known, north)).row("To") == ["North Ltd", "north@example.org"]
    assert Letter(to_controller(known, north)).row("Notified") == ["24 October 2026, 07:00 UTC"]
    open_one = breach(processor(controllers=[{"party": {"name": "North Ltd"}}], nature="", closed_at=None))
    first = Letter(to_controller(open_one, open_one.controllers[0]))
    assert first.row("Notified") == ["With this letter"]
    assert first.row("Open") == ["The nature of the breach is not described."]


def test_people_are_told_in_plain_words_and_nothing_of_our_own() -> None:
    text = to_people(breach(controller()))
    letter = Letter(text)
    assert letter.said == {
        "": ["About your personal data",
             "Roll Call SAS must tell you of a breach of security that concerns personal data about you."],
        "What happened": ["A disk with your name and address was lost."],
        "What this can mean for you": ["Letters that pretend to come from us."],
        "What we have done": ["The disk was reported lost", "Keys were changed"],
        "What we are going to do": ["Backups travel by network only"], "What you can do": ["Distrust letters from us"],
        "Whom you can ask": CONTACT}
    assert letter.rows == {("What happened", "When"): ["26 March 2026"],
                           ("What happened", "Which data"): ["names", "e-mail addresses"]}
    for ours in ("lost-backup-2026", "A backup was left on a train", "carried by hand", "user-profiles", "No disk leaves",
                 "1,204", "CNIL", "nobody knows who has it"):
        assert ours not in text


@pytest.mark.parametrize(("begin", "end", "said"), [
    ("2026-03-26T17:00Z", "2026-03-27T01:00Z", ["From 26 March 2026 to 27 March 2026"]),
    ("2026-03-26T17:00Z", None, ["From 26 March 2026"]), ("2026-03-26T17:00Z", "2026-03-26T18:00Z", ["26 March 2026"]),
    (None, None, [])])
def test_people_are_told_when(begin: str | None, end: str | None, said: list[str]) -> None:
    letter = Letter(to_people(breach(controller(occurred_from=begin, occurred_to=end))))
    assert letter.rows.get(("What happened", "When"), []) == said


def test_a_letter_to_people_that_lacks_something_is_a_draft() -> None:
    assert "draft" not in Letter(to_people(breach(controller()))).said
    bare = controller(people={}, contact=None, consequences="", measures_taken=[], measures_proposed=[], closed_at=None,
                      nature="", subjects={}, records={})
    assert Letter(to_people(breach(bare))).said["draft"] == [
        "Draft, not to be sent yet", "It is not decided that people are told (Art. 34(1)).",
        "What happened is not yet said in plain language (Art. 34(2)).",
        "The name and contact details of the data protection officer or another contact point are missing (Art. 34(2)).",
        "The likely consequences are not described (Art. 34(2)).",
        "The measures taken or proposed are not described (Art. 34(2))."]
    public = {"needed": False, "exemption": "disproportionate", "reason": "x", "text": "A disk was lost."}
    assert "draft" not in Letter(to_people(breach(controller(people=public, closed_at=None)))).said


def evil(value: object) -> object:
    """Every text that may be anything, hostile."""
    if isinstance(value, dict):
        fixed = {"ref", "role", "kinds", "origin", "risk", "cross_border", "exemption"}
        return {name: inner if name in fixed or name.endswith(("at", "occurred_from", "occurred_to")) else evil(inner)
                for name, inner in value.items()}
    if isinstance(value, list):
        return [evil(inner) for inner in value]
    return EVIL if isinstance(value, str) and value else value


def letters(known: Breach) -> list[str]:
    """Every letter that it has."""
    if known.controllers:
        return [to_controller(known, one) for one in known.controllers]
    return [to_authority(known, 72, NOW + timedelta(days=9)), to_people(known)]


@pytest.mark.parametrize("fields", [controller(), processor(), controller(notified_at="2026-03-31T09:00Z", late_because="x")],
                         ids=["controller", "processor", "late"])
def test_whatever_a_breach_says_stays_text(fields: Fields) -> None:
    for plain, hostile in zip(letters(breach(fields)), letters(breach(evil(fields))), strict=True):
        before, after = Letter(plain), Letter(hostile)
        assert after.text.count(EVIL) >= 10
        assert after.tags == before.tags
        assert {*after.attributes} == {*before.attributes}


@pytest.mark.parametrize("fields", [controller(), processor()], ids=["controller", "processor"])
def test_a_letter_needs_nothing_else_and_can_be_printed(fields: Fields) -> None:
    for text in letters(breach(fields)):
        letter = Letter(text)
        assert text.startswith('<!DOCTYPE html>\n<html lang="en">')
        assert letter.tags & {"script", "link", "img", "iframe", "form", "a"} == set()
        assert {name for name, _ in letter.attributes} == {"lang", "charset", "http-equiv", "content", "name", "scope"} - (
            set() if "table" in letter.tags else {"scope"})
        assert ("content", "default-src 'none'; style-src 'unsafe-inline'") in letter.attributes
        assert "url(" not in text
        assert "@import" not in text
        assert "@media print" in text
        assert ("charset", "utf-8") in letter.attributes


def test_each_letter_has_its_writer() -> None:
    ours, theirs = breach(controller()), breach(processor())
    with pytest.raises(NoSuchNotice, match="leak-2026 is a processor's breach: each controller is notified"):
        to_authority(theirs, 72, NOW)
    with pytest.raises(NoSuchNotice, match="leak-2026 is a processor's breach: the controllers tell the people"):
        to_people(theirs)
    with pytest.raises(NoSuchNotice, match="lost-backup-2026 is a controller's breach: the authority is notified"):
        to_controller(ours, theirs.controllers[0])
    stranger = Controller(party=Party(name="East"))
    with pytest.raises(NoSuchNotice, match="East is no controller of leak-2026; it has North Ltd, South GmbH"):
        to_controller(theirs, stranger)
    with pytest.raises(ValueError, match="does not say in which zone"):
        to_authority(ours, 72, NOW.replace(tzinfo=None))


IN_NO_LETTER = {"not_notified_because", "decided_at", "controllers", "closed_at", "lessons"}
CHANGED = {"ref": "another", "title": "Another", "kinds": (Kind.INTEGRITY,), "detected_at": NOW, "aware_at": NOW}


@pytest.mark.parametrize("name", sorted(set(Breach.model_fields) - {"role"}))
def test_every_field_is_in_a_letter_or_is_known_not_to_be(name: str) -> None:
    known = breach(controller(notified_at="2026-03-31T09:00Z", late_because="The disk was looked for first."))
    other = CHANGED[name] if name in CHANGED else Breach.model_fields[name].get_default()
    changed = known.model_copy(update={name: other})
    assert (letters(changed) == letters(known)) is (name in IN_NO_LETTER)


def test_each_controller_has_a_letter_of_its_own() -> None:
    party = {"party": {"name": "North Ltd"}}
    known = breach(processor(controllers=[*processor()["controllers"], party], closed_at=None))
    letters = letters_of(known, To.CONTROLLERS, 72, NOW)
    assert list(letters) == ["north-ltd", "south-gmbh", "north-ltd-2"]
    assert "North Ltd" in letters["north-ltd"]
    assert "South GmbH" not in letters["north-ltd"]
    assert list(letters_of(breach(controller()), To.AUTHORITY, 72, NOW)) == ["authority"]
    with pytest.raises(BreachRefused, match="names no controllers"):
        letters_of(breach(processor(controllers=[], closed_at=None)), To.CONTROLLERS, 72, NOW)
