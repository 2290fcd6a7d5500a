"""What the pages of the GDPR officer alone say: Register, Retention, Publishing, Breaches. The rest: app/words.py."""

from collections.abc import Collection
from datetime import datetime

from app.words import moment

GROUP = "The law"
REGISTER, RETENTION, PUBLISHING, BREACHES = "Register", "Retention", "Publishing", "Breaches"

# --- register
REF, ACTIVITY, STATE, IN_FORCE, CHANGED, BY, NEXT_REVIEW, VERSION = (
    "Entry", "Activity", "Newest version", "In force", "Changed", "By", "Next review", "Version")
SEARCH, SEARCH_HELP = "Contains", "Looked for in every field of the newest version, in any case."
CHOOSE = "Entry"
NO_ENTRY = "No entry fits."
SHOW, EDIT, VERSIONS, CHECK, FILES = "Entry", "Edit", "Versions", "Check", "Files"
EDIT_SAYS = ("What you save is a draft: it is in force when it is published. Parts with several fields are written as YAML; "
             "lists have one to a line.")
ONE_A_LINE, AS_YAML = "one to a line", "YAML"
WHY, WHY_HELP = "Reason", "Kept with the version: somebody will read it in a year."
SAVE, PUBLISH, ARCHIVE, BEGIN_AGAIN = "Save as draft", "Publish", "Archive", "Undo what I typed"
PUBLISH_SAYS = "The newest version comes into force. Errors stand in the way, warnings do not."
ARCHIVE_SAYS = "The entry is out of force; its versions stay."
NOTHING_CHANGED = "Nothing was changed, so nothing is saved."
STALE = "Somebody saved this while you were editing. Nothing you typed is lost."
FIELD, BEFORE, THEIRS, MINE, AFTER = "Field", "Before", "Theirs", "Yours", "After"
ON_TOP, ON_TOP_HELP = "Save mine with theirs", "Your fields as you typed them; theirs where you changed nothing."
TAKE_THEIRS = "Take theirs, drop mine"
SAME_FIELDS = "No field differs: only the state is another."
AGAIN_TO_PUBLISH = "Publish once more to put it in force all the same."
SAVE_FIRST = "Not done: the form holds something that is not saved. Save it first, or undo what you typed."
FORM_GONE = "Not done: what was typed is not known any more. Look at the form, and do it again."
CHECK_SAYS = "Compares the entries in force with the law, and with Cassandra, MongoDB, Kafka and their rights as they are now."
LEVEL, FOUND = "Level", "Found"
CHECK_NOW, CHECK_WELL = "Check now", "The register says what the law asks and what the systems are."
FORM, PREPARE, DOWNLOAD = "Form", "Prepare the file", "Download"
FORMS = {"cnil": "Workbook of the CNIL (French)", "ico": "Workbook of the ICO (English)", "csv": "CSV",
         "json": "JSON (DPV terms)", "html": "Page to print", "yaml": "YAML"}
EXPORT_SAYS = "The entries in force, as an authority may ask for them. The audit has it first."
IMPORT, IMPORT_FILE, IMPORT_DO = "Import", "A file in one of these forms", "Take over as drafts"
IMPORT_SAYS = ("Entries are matched by their name; what changed becomes a draft. What did not fit is said. A file of a version "
               "on top of which somebody has saved is refused, with what they changed.")
NO_FILE = "Choose a file first."


def saved(ref: str, n: int) -> str:
    """After Save."""
    return f"{ref}: version {n} is kept as a draft. Publish puts it in force."


def published(ref: str, n: int) -> str:
    """After Publish."""
    return f"{ref}: version {n} is in force."


def becomes_due(found: Collection[str]) -> str:
    """Before Publish: what the shorter limits of this version make due."""
    return f"Not published yet. {'; '.join(found)}. It is not undone. {AGAIN_TO_PUBLISH}"


def archived(ref: str, n: int) -> str:
    """After Archive."""
    return f"{ref} is archived as version {n}."


def stale(by: str, at: datetime, why: str, conflicts: Collection[str]) -> str:
    """Who saved meanwhile, and where both changed the same."""
    both = f" You both changed {', '.join(conflicts)}: yours goes on top." if conflicts else " You changed other fields."
    return f"{by} saved at {moment(at)} ({why}).{both}"


def unreadable(wrong: str) -> str:
    """What is typed cannot be what it should be."""
    return f"Not saved. {wrong}"


def based(ref: str, n: int, fields: Collection[str], said: bool = True) -> str:
    """A draft of an import: on which version (said: whether the file says so), and which of its fields it says otherwise."""
    if not n:
        return f"{ref} (new)"
    on = f"on version {n}" if said else f"a new draft on version {n}, for the file does not say on which it is based"
    return f"{ref} ({on}" + (f", otherwise in {', '.join(fields)})" if fields else ")")


def findings(bad: int, warnings: int) -> str:
    """What a check found."""
    return f"{bad} errors or differences, {warnings} warnings."


def imported(drafts: Collection[str], same: Collection[str], unfit: Collection[str]) -> str:
    """After an import."""
    parts = [f"drafts: {', '.join(drafts) or 'none'}"]
    if same:
        parts.append(f"nothing new: {', '.join(same)}")
    parts += [f"did not fit: {sentence}" for sentence in unfit]
    return "; ".join(parts) + "."


# --- retention
PLACE, LIMIT, KEPT_BY, OLDEST, DUE, KEEPING, ENTRIES, DATA = (
    "Place", "Stated", "Ended by", "Oldest", "Due", "Kept so", "Entries", "Of which data")
ALL_KEPT = "Nothing is kept longer than the register states."
RUNS, RUN = "Runs of the job", "Run now"
RUN_SAYS = "Ends old records of topics, expires every row that is due through the stream, and keeps the evidence."
MEASURE, MEASURE_SAYS = "Measure now", "Looks for the oldest in every place, which takes a while, and keeps what it finds."
NOT_MEASURED = "Nothing has been measured yet. The keeper does it once a day, and Measure now does it now."
MEASURED_LONG_AGO = "No run of the keeper has measured since: look whether it runs (page Flow), or measure now."
NO_RUNS = "The job has not run yet. The keeper runs it once a day."
CUT_OFF, EXPIRED, LEFT, RESTRICTED, SECONDS = "Up to", "Expired", "Left", "Of those restricted", "Seconds"


def measured(at: datetime, by: str) -> str:
    """Of when a measurement is."""
    return f"Measured {moment(at)} by {by}"


def restricted_over_time(rows: int, oldest: datetime | None) -> str:
    """Why rows are left. oldest: from when the oldest of them is, None where an earlier version kept the run."""
    since = f" The oldest is of {moment(oldest)}." if oldest else ""
    return (f"{rows} rows are over their time and stay, for their people restrict (Art. 18).{since} Look whether each "
            "restriction still has its reason; when it is lifted, the next run ends them.")


def over_time(places: Collection[str]) -> str:
    """The first thing an officer reads."""
    return f"Over their time: {', '.join(places)}."


# --- publishing
NUMBER, PUBLISHED_AT, COUNTED_AT, NEXT_AT, PEOPLE, WITHDRAWN, WHY_WITHDRAWN = (
    "Snapshot", "Published", "Counted", "Next", "People", "Withdrawn", "Why withdrawn")
SNAPSHOTS, NOTHING_PUBLISHED = "Snapshots", "Nothing has been published yet. The keeper does as soon as ten people are counted."
ALL_WITHDRAWN = "Every snapshot is withdrawn: the public view shows no figures until the next release."
PREVIEW, PREVIEW_SAYS = "Preview", "What would be published now, and what is held back and why. Nothing is written."
PUBLISH_NOW = "Publish now"
PUBLISH_NOW_SAYS = "Everybody sees the new snapshot at once, and it counts as seen for ever. The keeper does it by itself."
CATEGORY, AVERAGE_AGE, HELD_BACK, WHY_HELD_BACK, HOW_MANY = "Category", "Average age", "Held back", "Why", "How many"
NOTHING_HELD_BACK = "Nothing is held back."
NO_CATEGORY = "No category is shown."
TABLES = {"nationalities": "Nationalities", "gender_ages": "Gender and age", "domains": "E-mail domains",
          "arrivals": "Arrivals"}
OVERTAKEN = "Somebody has published since the preview. Look at it again."
WITHDRAW = "Withdraw"
WITHDRAW_SAYS = ("The public view stops showing the snapshot, for good; the newest other one is shown. What was seen stays "
                 "seen: later figures are still tested against it.")
WITHDRAW_NUMBER, WITHDRAW_NUMBER_HELP = "Number of the snapshot", "Typed, so that it is the one you mean."
WITHDRAW_WHY_HELP = "Kept with the snapshot and in the audit."
WITHDRAW_UNSURE = "Nothing was withdrawn: type the number of the snapshot and a reason."


def shown_now(number: int, people: int, counted_at: datetime, next_at: datetime) -> str:
    """Which snapshot the public sees."""
    return f"The public sees snapshot {number}: {people} people, counted {moment(counted_at)}. Next release: {moment(next_at)}."


def release_late(due: datetime) -> str:
    """The keeper should have published."""
    return (f"The next release was due at {moment(due)}. Look whether the keeper runs (page Flow) and what it says, "
            "or look at the preview.")


def previewed(number: int, people: int, at: datetime, next_at: datetime) -> str:
    """What a preview is."""
    return f"Snapshot {number} as it would be, prepared {moment(at)}: {people} people. The next would follow {moment(next_at)}."


def previewed_shortly(number: int) -> str:
    """When a preview has ended."""
    return f"Snapshot {number} is prepared; it stands below."


def held(why: str) -> str:
    """Nothing may be published."""
    return f"Nothing can be published: {why}."


def other(people: int) -> str:
    """The people of a table that are in no category of it."""
    return f"Other, together: {people} people"


def snapshot_published(number: int, people: int) -> str:
    """After Publish now."""
    return f"Snapshot {number} is published: {people} people."


def withdrawn(number: int) -> str:
    """After Withdraw."""
    return f"Snapshot {number} is withdrawn."


# --- breaches
TITLE, CLOCK, AWARE, MISSING, LETTER, TO = "Title", "Clock", "Aware", "Still missing", "Letter", "To"
NO_BREACHES = "No breach is logged."
NEW = "Log a breach"
NEW_SAYS = "Every breach is logged, whether or not it is notified (Art. 33(5)). The clock runs from the awareness."
NAME, NAME_HELP = "Short name", "Small letters, digits and dashes, as lost-laptop."
KINDS, AWARE_AT, DETECTED_AT, NATURE = "What was breached", "Aware at", "Detected at", "What happened"
MOMENT_HELP = "With its zone, as 2026-11-28T09:30+01:00."
ROLE, ROLE_HELP = "We act as", "A controller notifies the authority, a processor its controllers (Art. 33)."
LOG, CHANGE, CLOSE = "Log it", "Save this version", "Close"
CHANGE_SAYS = "All that is known, as YAML; what is empty is not known yet. Each version is kept."
NOTHING_MISSING = "Nothing is missing: it can be closed."
TIME_LEFT, TIME_OVER, STOPPED_IN_TIME, STOPPED_LATE = "left", "late", "stopped in time", "stopped late"


def logged(ref: str, n: int) -> str:
    """After a version of a breach was kept."""
    return f"{ref}: version {n} is logged."


def not_logged(wrong: str) -> str:
    """What is typed cannot be a breach."""
    return f"Not logged. {wrong}"


def other_ref(ref: str) -> str:
    """The ref was changed."""
    return f"The ref is {ref}; another one would be another breach."


def closed(ref: str) -> str:
    """After Close."""
    return f"{ref} is closed."


def hours(left_s: float, due: datetime) -> str:
    """How a running clock stands."""
    side = TIME_LEFT if left_s >= 0 else TIME_OVER
    return f"{abs(left_s) / 3600:.1f} h {side} (until {moment(due)})"
