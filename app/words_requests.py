"""What the Requests page says."""

from collections.abc import Collection
from datetime import date, datetime

from app.words import moment
from governance.rights.verdict import Outcome

REQUESTS = "Requests"

# --- the list
REF, KIND, STATE, CLOCK, DUE, TARGET, RECEIVED, ASSIGNED, PERSON = (
    "Request", "Right", "State", "Clock", "Due", "Our target", "Received", "Assigned to", "Person")
PERSON_HELP = "A token: two requests with the same one are about the same person. Whom it is about is asked for below."
NONE_OPEN, NONE = "No request is open.", "No request was logged yet."
CLOSED_TOO = "Also closed ones"
CHOOSE = "Request"
OVERDUE_ICON, BEHIND_ICON = ":material/alarm:", ":material/schedule:"

# --- a new one
NEW = "Log a request"
NEW_SAYS = ("Log it on the day it comes, whoever it came to: the clock runs from the receipt. Whom it is about is kept sealed, "
            "apart from the request, and forgotten when it is closed.")
CHANNEL, CHANNEL_HELP = "How it came", "letter, e-mail, form, by word of mouth"
RECEIVED_ON = "Received on"
UUID, EMAIL = "The person's uuid", "or their e-mail address"
ADDRESS, ADDRESS_HELP = "Letters go to", "Where that is not the e-mail address."
FIELDS = "Of a rectification: what is to stand"
FIELDS_HELP = 'A part of a person as JSON: {"name": {"first": "Ada"}}'
LOG = "Log it"
WHY_LOGGED = "received"

# --- one
CLOCK_TAB, STEPS_TAB, DECIDE_TAB, LETTERS_TAB, HISTORY_TAB = "Clock", "Steps", "Decide", "Letters", "History"
LEGAL_DAY, TARGET_DAY, TELL_BY = "To be answered by", "Our target", "Extension or refusal told by"
HOW_COUNTED = "How the day comes about"
WHOM, WHOM_SAYS = "Whom is it about?", "Shown for a minute; the audit has it first."
FORGOTTEN = "Whom it was about is forgotten."
HIDE = "Hide"
CORRECTED = "to be corrected"

# --- steps
STEP, WHAT, LAW, DONE_AT, CAME_TO, BY_WHOM = "Step", "What is done", "Law", "Done", "What it came to", "Done by"
PRODUCT, OFFICER = "Rollcall", "you"
NOT_BEGUN, BROKEN_OFF, STEP_DONE, OPTIONAL = "to do", "not done", "done", "if needed"
RUN, RUN_AGAIN, LOOK_AGAIN = "Run", "Run again", "Look again"
CONFIRM, CONFIRM_HELP = "Number of the request", "Typed, so that it is the one you mean: this cannot be undone."
UNSURE = "Nothing was done: type the number of the request."
EVIDENCE, EVIDENCE_HELP = "What shows it", "Who was told and how, or where it stands. Name nobody: it outlives the request."
ON_DAY, RECIPIENT = "Done on", "Recipient"
KEEP = "It is done"
ALL_DONE = "Every step is done: it can be closed."
ASK_FIRST = "First it must be known who asks (tab Decide)."
STORE, VERDICT, UNTIL, REASON = "Store", "Verdict", "Until", "Reason"
VERDICTS, PROOFS, LOOKED_AT = "Verdict of each store", "Looks at it", "Looked at"
OUTCOMES = {Outcome.ERASED: "erased", Outcome.EXPIRES_ON: "expires", Outcome.GOVERNED: "kept on purpose",
            Outcome.EXTERNAL: "by others", Outcome.NOT_ERASED: "NOT ERASED"}
KIND_OF_JOB = "step of a request"
WHICH_PERSON, WHICH_PERSON_SAYS = "Their uuid", ("Several people share this address. Say which one it is about; the Profiles "
                                                 "page finds them.")
KEEP_WHOM = "It is this one"

# --- decide
IDENTITY, IDENTITY_SAYS = "Who asks", ("Only with reasonable doubt more may be asked for, and no more than removes it "
                                      "(Art. 12(6)).")
IDENTIFIED_HOW, IDENTIFIED = "Known by", "It is known who asks"
DOUBT, WANTED, ASK = "Why there is a doubt", "What is asked for", "It was asked for"
GIVEN = "It came, and settles nothing"
EXTEND, EXTEND_REASON = "Extend by two months", "The reasons that the person was told"
EXTEND_SAYS = "Only where it is complex or there are many; the person is told within the first month (Art. 12(3))."
REFUSE, GROUND, REFUSE_REASON = "Refuse", "What it rests on", "The reasons that the person was told"
REFUSE_SAYS = ("The person is told why, that they can complain and go to court, within the first month (Art. 12(4)). We have "
               "to be able to show the ground (Art. 12(5)).")
ON_TOLD = "Told on"
ASSIGN, ASSIGN_TO = "Assign", "Account"
NOTE, NOTE_TEXT, NOTE_HELP = "Write a note", "Note", "Name nobody: notes outlive the request."
CLOSE = "Close, and forget whom it was about"
CLOSE_SAYS = "The request, its verdicts and its history stay, as a proof without personal data."
CLOSE_WHY = "everything is done"
DROP, DROP_WHY = "Forget it", "never logged to its end"
NOT_A_FIELD = "Not done. The fields to be corrected are no JSON."

# --- letters and packages
LETTER, PREPARE, DOWNLOAD = "Letter", "Prepare the letter", "Download"
LETTERS = {"receipt": "Receipt", "identity": "Identity wanted", "extension": "Extension", "refusal": "Refusal",
           "done": "What was done"}
PACKAGE, LINK, TAKE = "Package", "Make the link", "Take it, once"
PACKAGE_SAYS = ("The person fetches it by a link, once; or you take it, once, and hand it over. Then it is gone here. A new "
                "link ends the one before. The request can be closed when none waits.")
TAKEN = "The package is taken; it stands below until you download it, and nowhere else any more."
NO_PACKAGE = "No package waits: make it again (tab Steps)."
LINK_SAYS = "Give it to the person only. It is not shown again."

FETCH_TITLE, FETCH = "Your data", "Fetch it"
FETCH_SAYS = ("You asked for the data that are held about you. You can fetch them here once, as one file; then they are gone "
              "here. Keep the file where only you can read it.")
LINK_ENDED = "This link leads nowhere, or not any more: it works once, and for a limited time. Ask whoever gave it to you."
LINK_USED = ("What this link led to was fetched already, and is gone here. If that was not you, tell whoever gave it to you at "
             "once.")

# --- history
VERSION, CHANGED, BY, WHY, NOTES, NO_NOTES = "Version", "Changed", "By", "Why", "Notes", "No notes."


def over_time(refs: Collection[str]) -> str:
    """The first thing an officer reads."""
    return f"Over their time, and not answered: {', '.join(refs)}."


def behind(refs: Collection[str]) -> str:
    """The second."""
    return f"Behind our own target: {', '.join(refs)}."


def not_forgotten(refs: Collection[str]) -> str:
    """Subjects of closed requests."""
    return f"Closed, and whom they were about is not forgotten yet: {', '.join(refs)}. Close them once more."


def not_logged(ref: str, began: datetime) -> str:
    """A request whose logging broke off."""
    return (f"{ref} was never logged to its end, and its clock runs: somebody began to {moment(began)} (the audit has who). "
            "Log it again, then forget this one.")


def days(left: int, answered: date | None) -> str:
    """How a clock stands."""
    if answered is not None:
        return f"answered {answered}, " + (f"{-left} days late" if left < 0 else "in time")
    return f"{-left} days late" if left < 0 else f"{left} days left"


def same_person(refs: Collection[str]) -> str:
    """Other requests about the person."""
    return f"The same person is behind {', '.join(refs)}."


def logged(ref: str, due: date) -> str:
    """After a request was logged."""
    return f"{ref} is logged. It must be answered by {due}."


def changed(ref: str, n: int, state: str) -> str:
    """After a change."""
    return f"{ref}: version {n}, {state}."


def step_came_to(ref: str, name: str, says: str) -> str:
    """After a step."""
    return f"{ref}, {name}: {says}."


def step_open(ref: str, name: str, says: str) -> str:
    """After a step that is not done."""
    return f"{ref}, {name} is not done. {says}."


def closed(ref: str) -> str:
    """After Close."""
    return (f"{ref} is closed; whom it was about is forgotten. Cassandra's files hold it, sealed, until they are compacted: "
            "where they are on this machine the keeper does that within the hour.")


def dropped(ref: str) -> str:
    """After Forget it."""
    return f"{ref}: whom it was about is forgotten; Cassandra's files hold it, sealed, until they are compacted."


def wait_for_package(seconds: float) -> str:
    """Too many wrong links."""
    return f"Too many tries. Try again in {seconds:.0f} s."


def not_now(error: str) -> str:
    """A store is away."""
    return f"It cannot be fetched at the moment; the link still holds. {error}"


def link_until(expires: datetime) -> str:
    """Beside a link."""
    return f"Works once, until {moment(expires)}. {LINK_SAYS}"


def package_stands(expires: datetime | None, taken_at: datetime | None) -> str:
    """What became of a package."""
    if taken_at is not None:
        return f"It was handed out {moment(taken_at)}, and is gone here. If it did not arrive, make it again (tab Steps)."
    return f"It waits until {moment(expires)}." if expires is not None else NO_PACKAGE


def restricted_still(ref: str) -> str:
    """A restriction that a request made lasts."""
    return f"The restriction of {ref} is in force. Before it is lifted the person is told (Art. 18(3))."


def not_erased(stores: Collection[str]) -> str:
    """What keeps a request open."""
    return f"NOT ERASED in {', '.join(stores)}. Run the step again; it goes on where it is."


def run_of(name: str, again: bool, looks: bool) -> str:
    """The button of a step."""
    return f"{LOOK_AGAIN if looks else RUN_AGAIN if again else RUN}: {name}"
