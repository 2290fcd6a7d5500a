"""The letters to a person who made a request, each with what the law wants in it (Art. 12 GDPR), as one page of HTML.

    receipt      that it came, until when it is answered, that it is free (12(5)), whom to ask
    identity     what is wanted to know who asks and why, and what follows if it is not given (12(6), 11(2), 12(2))
    extension    until when, and the reasons, within the first month (12(3))
    refusal      the reasons, the complaint and the court, without delay and within one month (12(4), 12(5))
    done         what was done (12(3)), store by store where that is the answer, who else was told (19)

A letter that is not to be sent yet says so at its head, and why. governance/letter_page.py makes the page.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from governance.letter_page import Row, Section, day_of, page, party_lines
from governance.register import Entry, Party, Role
from governance.requests.deadlines import Deadlines, deadlines
from governance.requests.kind import Kind
from governance.requests.looks import red
from governance.requests.looks import verdicts as newest
from governance.requests.request import Ground, Request
from governance.requests.step import Name
from governance.rights.proof import RECIPIENTS, Proof
from governance.rights.verdict import Outcome, Verdict


class NoSuchLetter(ValueError):
    """This request has no such letter; the message says what comes before it."""


class Letter(StrEnum):
    """What is written to the person."""

    RECEIPT = "receipt"
    IDENTITY = "identity"
    EXTENSION = "extension"
    REFUSAL = "refusal"
    DONE = "done"


@dataclass(frozen=True)
class Sender:
    """Who writes: the controller and its data protection officer, as the register has them."""

    controller: Party | None
    dpo: Party | None


@dataclass(frozen=True)
class Written:
    """What a letter is written from. address: of the person; today: at the place that answers; country: its holidays count;
    looks: at an erasure, oldest first."""

    asked: Request
    sender: Sender
    address: str
    today: date
    country: str
    looks: Sequence[Proof] = ()

    @property
    def days(self) -> Deadlines:
        """The clock as it stands today."""
        return deadlines(self.asked, self.today, self.country)


_WANTED = {
    Kind.ACCESS: "to know which data we hold about you, and to get a copy of them",
    Kind.RECTIFICATION: "to have data about you corrected",
    Kind.ERASURE: "to have data about you erased",
    Kind.RESTRICTION: "to have the use of data about you restricted",
    Kind.PORTABILITY: "to get the data about you in a form that a machine reads",
    Kind.OBJECTION: "that data about you are not used any more",
}
_COMPLAINT = ("You can lodge a complaint with a supervisory authority, in particular in the Member State where you live, where "
              "you work or where you think that the law was broken (Art. 77 GDPR).")
_COURT = "You can seek a judicial remedy: take us to court (Art. 79 GDPR)."
_FREE = "This is free of charge (Art. 12(5) GDPR)."
_GROUNDS = {
    Ground.UNFOUNDED: "We find it manifestly unfounded (Art. 12(5) GDPR). It is for us to show that.",
    Ground.EXCESSIVE: "We find it excessive, above all because it is repeated (Art. 12(5) GDPR). It is for us to show that.",
    Ground.UNIDENTIFIED: "We are not able to know which data are yours (Art. 11(2) and 12(2) GDPR). If you give us what shows "
                         "it, we will act.",
    Ground.EXEMPT: "The law makes an exception here.",
}
_STORES = {"cassandra": "Database", "mongo": "Counts", "kafka": "Stream of records", "files": "Files and logs",
           "backups": "Copies of the stores", "recipients": "Others"}
_OUTCOMES = {    # why it is so is for who runs the stores; to the person it is said in words of their own
    Outcome.ERASED: "Erased", Outcome.GOVERNED: "Kept on purpose",
    Outcome.EXTERNAL: "In the hands of somebody else, who is told", Outcome.NOT_ERASED: "Not erased yet"}
_KEPT = {
    "cassandra:markers": "a mark that is made from your number and does not name you, so that you stay erased",
    "cassandra:records": "your request and what was done about it, sealed, so that we can show it",
    "cassandra:audit": "who did what and when, without your name",
    "kafka:control": "the command to erase you, with your number, sealed, so that no copy that is put back brings you back; in "
                     "the same way what was corrected at your request before, if anything was",
}
_PLACE_BY_PLACE = "What became of the data about you stands below, place by place"
_COPIES = ("They may stand in copies that are made against a loss, until those end. If one is put back, what was erased is "
           "erased in it before anybody works with it")


def sender_of(entries: Iterable[Entry]) -> Sender:
    """Who writes, of the entries in force: the controller of those in which we are one, and the first officer there is."""
    ours = [one for one in entries if one.role is Role.CONTROLLER]
    return Sender(next((one.controller for one in ours), None), next((one.dpo for one in ours if one.dpo), None))


def letter(which: Letter, of: Written) -> str:
    """The letter as a page of HTML. Raises NoSuchLetter for one that there is nothing to say in yet."""
    match which:
        case Letter.RECEIPT:
            return _receipt(of)
        case Letter.IDENTITY:
            return _identity(of)
        case Letter.EXTENSION:
            return _extension(of)
        case Letter.REFUSAL:
            return _refusal(of)
        case Letter.DONE:
            return _done(of)


def _receipt(of: Written) -> str:
    days = of.days
    return _page(of, "We received your request", f"You asked us {_WANTED[of.asked.kind]} ({of.asked.kind.said}).", [
        ("What happens now", [
            ("You hear from us by", day_of(days.legal)), ("How this day comes about", days.law),
            ("It can take longer", "If requests are complex or many we can take two further months. We would tell you within "
                                   "the first month, and why (Art. 12(3) GDPR)."),
            ("Who asks", "If we cannot be sure that it is you we ask for what shows it, and for no more (Art. 12(6) GDPR)."),
            ("Cost", _FREE)])])


def _identity(of: Written) -> str:
    asked = of.asked
    if not asked.identity.asked:
        raise NoSuchLetter(f"Nothing was asked for yet: say first what is wanted to know who makes {asked.ref}, and why.")
    question = asked.identity.asked[-1]
    draft = [] if asked.identity.waits else ["It is not awaited any more."]
    return _page(of, "We need to know that it is you", (
        f"You asked us {_WANTED[asked.kind]} ({asked.kind.said}). Before we do that we have to be sure that you are the "
        "person: else somebody else could do it in your name."), [
        ("What we ask for", [
            ("Why we are in doubt (Art. 12(6))", question.why), ("What we ask for", question.wanted),
            ("What for", "Only to know that it is you. We delete it when that is known."),
            ("Time", f"We asked on {day_of(question.on)}. Our time to answer stands still until you have sent it, and then "
                     "runs on."),
            ("If you send nothing", "We cannot tell which data are yours, and can refuse the request (Art. 11(2) and 12(2) "
                                    "GDPR). You can make it again at any time."), ("Cost", _FREE)])], draft)


def _extension(of: Written) -> str:
    asked = of.asked
    if not asked.extension:
        raise NoSuchLetter(f"{asked.ref} is not extended.")
    days = of.days
    return _page(of, "We need more time for your request", f"You asked us {_WANTED[asked.kind]} ({asked.kind.said}).", [
        ("More time (Art. 12(3) GDPR)", [
            ("The reasons", asked.extension.reason), ("You hear from us by", day_of(days.legal)),
            ("How this day comes about", days.law), ("Told on", day_of(asked.extension.told)),
            ("You were to be told by", day_of(days.first))]), _remedies()])


def _refusal(of: Written) -> str:
    asked = of.asked
    if not asked.refusal:
        raise NoSuchLetter(f"{asked.ref} is not refused.")
    return _page(of, "We do not act on your request", f"You asked us {_WANTED[asked.kind]} ({asked.kind.said}).", [
        ("Why (Art. 12(4) GDPR)", [("Ground", _GROUNDS[asked.refusal.ground]), ("Our reasons", asked.refusal.reason),
                                   ("Told on", day_of(asked.refusal.told))]), _remedies()])


def _done(of: Written) -> str:
    asked = of.asked
    if asked.refusal:
        raise NoSuchLetter(f"{asked.ref} is refused; the letter is `{Letter.REFUSAL}`.")
    draft = [f"{step.says} ({step.law}): not done." for step in asked.left if step.name is not Name.ANSWER]
    if found := red(asked, of.looks):
        draft.append(f"The last look found NOT ERASED in {', '.join(found)}: run the erasure again.")
    told: list[Row] = [(step.says, _PLACE_BY_PLACE if newest(run, of.looks) else run.result.says) for step in asked.steps
                       if step.name not in (Name.ANSWER, Name.RECIPIENTS) and (run := asked.run_of(step.name)) and run.result]
    sections: list[Section] = [("What we did", told or [("", "Nothing yet.")])]
    if verdicts := [one for run in asked.runs for one in newest(run, of.looks)]:
        sections.append(("Where data about you stood", list(dict.fromkeys(
            (_place(one), _verdict(one)) for one in verdicts))))
    recipients = asked.run_of(Name.RECIPIENTS)
    if recipients and recipients.result:
        sections.append(("Who else was told (Art. 19 GDPR)", list(recipients.result.evidence.items())))
    sections += [(heading, [("", text)]) for heading, text in _ALSO.get(asked.kind, ())]
    return _page(of, "What we did about your request", f"You asked us {_WANTED[asked.kind]} ({asked.kind.said}).",
                 [*sections, _remedies()], draft)


_RIGHTS = ("Your other rights", "You can ask us to correct or erase data about you or to restrict their use, and object to it "
                                "(Art. 15(1)(e) GDPR).")
_LASTS = ("How long", "It lasts until we tell you that we lift it, which we do beforehand (Art. 18(3) GDPR).")
_ALSO: dict[Kind, Sequence[tuple[str, str]]] = {
    Kind.ACCESS: (_RIGHTS,),
    Kind.ERASURE: (("What we keep", "So that you stay erased when old records are read again we keep a mark that is made from "
                                    "your number and does not name you."),),
    Kind.RECTIFICATION: (("From now on", "The corrected data stay, whatever the source sends later."),),
    Kind.RESTRICTION: (_LASTS,), Kind.OBJECTION: (_LASTS,),
}


def _page(of: Written, title: str, lead: str, sections: Sequence[Section], draft: Sequence[str] = ()) -> str:
    """A letter with its head, and whom to ask at its end."""
    lacking = [*draft, *([] if of.sender.controller else ["The register in force names no controller, so nobody signs it."])]
    head: Section = ("", [("To", of.address or "The person who made the request"), ("From", party_lines(of.sender.controller)),
                          ("Date", day_of(of.today)), ("Our reference", of.asked.ref),
                          ("Your request", f"Received on {day_of(of.asked.received)}, by {of.asked.channel}")])
    ask: Section = ("Whom you can ask", [("", party_lines(of.sender.dpo or of.sender.controller))])
    return page(title, [head, *sections, ask], lead, lacking)


def _remedies() -> Section:
    return "If you do not agree", [("Complaint", _COMPLAINT), ("Court", _COURT)]


def _place(one: Verdict) -> str:
    system, _, name = one.store.partition(":")
    of = one.recipient if one.store == RECIPIENTS else name.replace("_", " ")
    return f"{_STORES.get(system, system)}{f': {of}' if of else ''}"


def _verdict(one: Verdict) -> str:
    if one.store == "backups":
        return _COPIES
    if one.outcome is Outcome.EXPIRES_ON and one.on:
        return (f"Gone by {day_of(one.on)} or, if no other record has come in by then, after the next one that does; nobody "
                "has to do anything for that")
    kept = _KEPT.get(one.store) if one.outcome is Outcome.GOVERNED else None
    return f"{_OUTCOMES[one.outcome]}{f': {kept}' if kept else ''}"
