"""The letters to a person: what the law wants in each, when there is none yet, and that whatever is said stays text."""

from datetime import date, datetime, timedelta
from html.parser import HTMLParser

import pytest

from governance.register import CONTENT, Party, Role, entries
from governance.requests import life
from governance.requests.kind import Kind
from governance.requests.letters import Letter, NoSuchLetter, Sender, Written, letter, sender_of
from governance.requests.request import Ground, Request
from governance.requests.result import Result
from governance.requests.step import Name
from governance.rights.verdict import Outcome, Verdict
from tests.governance.request_cases import AT, DAY, RED, known, made, question, ran, through

CONTROLLER = Party(name="Roll Call SAS", address="1 rue des Lilas", town="Lyon", email="post@example.org")
DPO = Party(name="Ada Quist", email="dpo@example.org")


class Text(HTMLParser):
    """The texts of a page, and its tags."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.tags: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def written(which: Letter, asked: Request, address: str = "pia@example.org", today: date = DAY,
            sender: Sender | None = None) -> str:
    page = letter(which, Written(asked, sender or Sender(CONTROLLER, DPO), address, today, "FR"))
    return "\n".join(Text(page).texts)


def test_every_letter_says_from_whom_to_whom_about_what_and_whom_to_ask() -> None:
    letters = {Letter.RECEIPT: made(), Letter.IDENTITY: question(made(), "2026-03-06"),
               Letter.EXTENSION: life.extended(made(), DAY, "many", "FR"),
               Letter.REFUSAL: life.refused(made(), DAY, Ground.UNFOUNDED, "x"), Letter.DONE: through("erasure")}
    assert set(letters) == set(Letter)
    for which, asked in letters.items():
        text = written(which, asked)
        for part in ("pia@example.org", "Roll Call SAS", "1 rue des Lilas", "r-2026-001", "10 March 2026", "dpo@example.org",
                     "Received on 5 March 2026, by letter", "Erasure (Art. 17 GDPR)", "Whom you can ask"):
            assert part in text, (which, part)
        assert "Draft" not in text, which


def test_the_receipt_says_until_when_and_that_it_is_free() -> None:
    text = written(Letter.RECEIPT, made())
    assert "You hear from us by\n7 April 2026" in text
    assert "5 April 2026 (a Sunday), 6 April 2026 (Easter Monday) are no working days" in text
    assert "free of charge (Art. 12(5) GDPR)" in text
    assert "two further months" in text


def test_what_is_wanted_to_know_who_asks_why_and_what_follows() -> None:
    with pytest.raises(NoSuchLetter, match="Nothing was asked for yet"):
        written(Letter.IDENTITY, made())
    asked = question(made(), "2026-03-06")
    text = written(Letter.IDENTITY, asked)
    for part in ("another address", "the number of the last order", "Art. 12(6)", "asked on 6 March 2026", "stands still",
                 "Art. 11(2) and 12(2) GDPR", "delete it"):
        assert part in text, part
    assert "not awaited any more" in written(Letter.IDENTITY, life.identity_given(asked, DAY))


def test_the_extension_gives_the_reasons_the_day_and_the_remedies() -> None:
    with pytest.raises(NoSuchLetter, match="is not extended"):
        written(Letter.EXTENSION, made())
    text = written(Letter.EXTENSION, life.extended(made(), DAY, "40 requests came in one week", "FR"))
    for part in ("40 requests came in one week", "5 June 2026", "Art. 12(3) GDPR", "7 April 2026", "Art. 77 GDPR",
                 "Art. 79 GDPR"):
        assert part in text, part


@pytest.mark.parametrize("ground", list(Ground))
def test_a_refusal_gives_the_reasons_the_complaint_and_the_court(ground: Ground) -> None:
    with pytest.raises(NoSuchLetter, match="is not refused"):
        written(Letter.REFUSAL, made())
    text = written(Letter.REFUSAL, life.refused(made(), DAY, ground, "the same was answered last week"))
    for part in ("the same was answered last week", "Art. 12(4) GDPR", "supervisory authority", "Art. 77 GDPR",
                 "judicial remedy", "Art. 79 GDPR"):
        assert part in text, part
    assert {Ground.UNFOUNDED: "Art. 12(5)", Ground.EXCESSIVE: "Art. 12(5)", Ground.UNIDENTIFIED: "Art. 11(2) and 12(2)",
            Ground.EXEMPT: "exception"}[ground] in text


def test_what_was_done_of_an_erasure_stands_there_store_by_store() -> None:
    told = Result(done=True, says="2 of 2 recipients are told", evidence={"Printer Ltd": "e-mail of 9 March", "Post": "letter"})
    asked = ran(ran(through("erasure", until="recipients"), "recipients", told), "answer", on=DAY)
    text = written(Letter.DONE, asked)
    for part in ("Database: profiles", "Erased", "Stream of records: people",
                 "Gone by 11 March 2026 or, if no other record has come in by then, after the next",
                 "Printer Ltd", "e-mail of 9 March", "Art. 19 GDPR", "a mark that is made from your number", "Art. 77 GDPR"):
        assert part in text, part
    with pytest.raises(NoSuchLetter, match="is refused"):
        written(Letter.DONE, life.refused(made(), DAY, Ground.UNFOUNDED, "x"))
    assert "They may stand in copies that are made against a loss" in text
    assert "nodetool" not in text, "a command is no answer to a person"


def test_what_is_kept_and_what_others_hold_is_said_in_words_for_the_person() -> None:
    verdicts = [Verdict(store, outcome, "`nodetool`, whoever has the key ring could open them", recipient=recipient)
                for store, outcome, recipient in (
                    ("kafka:control", Outcome.GOVERNED, ""), ("cassandra:markers", Outcome.GOVERNED, ""),
                    ("cassandra:records", Outcome.GOVERNED, ""), ("cassandra:audit", Outcome.GOVERNED, ""),
                    ("cassandra:profiles", Outcome.EXTERNAL, "who runs Cassandra"),
                    ("backups", Outcome.EXTERNAL, "who makes the copies"),
                    ("backups", Outcome.EXTERNAL, "who runs Cassandra"), ("recipients", Outcome.EXTERNAL, "Printer Ltd"))]
    says = "erased here; in other hands: cassandra:profiles, backups"
    text = written(Letter.DONE, ran(through("erasure", until="erase"), "erase", Result(
        done=True, says=says, evidence={"commands": "17"}, verdicts=verdicts)))
    assert text.count("Copies of the stores") == 1, "who has it as a task is nothing to the person"
    for technical in ("nodetool", "key ring", "who runs", "who makes", "cassandra:"):
        assert technical not in text
    for part in ("Kept on purpose: the command to erase you, with your number, sealed", "Kept on purpose: a mark that is made",
                 "Kept on purpose: your request", "without your name", "Database: profiles", "Copies of the stores",
                 "Others: Printer Ltd", "place by place"):
        assert part in text, part


def test_what_is_not_done_makes_it_a_draft_and_the_answer_itself_does_not() -> None:
    red = ran(through("erasure", until="erase"), "erase", RED)
    text = written(Letter.DONE, red)
    assert "Draft, not to be sent yet" in text
    assert "Erase, and look whether it is so, store by store (Art. 17(1) GDPR): not done." in text
    assert "Not erased yet" in text
    assert "Draft" not in written(Letter.DONE, through("erasure", until="answer")), "it is what is sent"
    assert "names no controller" in written(Letter.RECEIPT, made(), sender=Sender(None, None))


@pytest.mark.parametrize("kind", list(Kind))
def test_each_kind_says_what_was_asked_and_what_follows(kind: Kind) -> None:
    text = written(Letter.DONE, through(kind))
    assert kind.said in text
    also = {Kind.ACCESS: "Art. 15(1)(e)", Kind.RESTRICTION: "Art. 18(3)", Kind.OBJECTION: "Art. 18(3)",
            Kind.RECTIFICATION: "whatever the source sends later", Kind.ERASURE: "stay erased"}
    assert also.get(kind, "") in text


def test_a_letter_of_a_closed_request_goes_to_nobody_by_name() -> None:
    closed = life.closed(through("access"), AT)
    assert "The person who made the request" in written(Letter.DONE, closed, address="")


def test_whatever_is_said_stays_text() -> None:
    nasty = "<script>alert(1)</script><img src=x onerror=y>"
    for which, asked in ((Letter.REFUSAL, life.refused(made(channel=nasty), DAY, Ground.EXEMPT, nasty)),
                         (Letter.IDENTITY, life.identity_wanted(made(), DAY, nasty, nasty)),
                         (Letter.EXTENSION, life.extended(made(), DAY, nasty, "FR")),
                         (Letter.DONE, ran(known(), Name.FIND, Result(done=True, says=nasty, evidence={nasty: nasty})))):
        page = letter(which, Written(asked, Sender(Party(name=nasty), None), nasty, DAY, "FR"))
        tags = Text(page).tags
        assert not {"script", "img"} & set(tags)
        assert nasty in "".join(Text(page).texts)


def test_who_writes_is_the_controller_of_the_register() -> None:
    ours = entries(CONTENT.read_text(encoding="utf-8"))[0]
    other = ours.model_copy(update={"role": Role.PROCESSOR, "controller": Party(name="Another")})
    assert sender_of([other, ours]) == Sender(ours.controller, ours.dpo)
    assert sender_of([]) == Sender(None, None)


def test_the_clock_in_a_letter_is_that_of_its_day() -> None:
    asked = question(made(received="2026-03-10"), "2026-03-12")
    late = written(Letter.RECEIPT, asked, today=date(2026, 3, 12) + timedelta(days=5))
    assert "15 April 2026" in late
    assert isinstance(AT, datetime)
