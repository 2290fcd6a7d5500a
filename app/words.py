"""All that the console says, in one place: names of things, sentences of state, and what to do when something is not well."""

from collections.abc import Collection
from datetime import UTC, datetime
from typing import Literal

from governance.permissions import MAY

PRODUCT = "Rollcall"
TAGLINE = "A stream of people, counted exactly."

# --- pages and groups
RUNNING, PEOPLE, WATCHING = "Running", "People", "Watching over"
FLOW, PRODUCER, STREAM, LETTERS = "Flow", "Producer", "Stream", "Dead letters"
PROFILES, AGGREGATES, ACCOUNTS, AUDIT = "Profiles", "Aggregates", "Accounts", "Audit"

# --- the door
SIGN_IN, SIGN_OUT, SIGN_OUT_EVERYWHERE = "Sign in", "Sign out", "Sign out everywhere"
SIGN_OUT_SAYS = "Pages that are open in this browser end within seconds. What runs goes on running."
STAY = "Stay signed in"
SIGN_IN_OIDC = "Sign in with your organisation"
ACCOUNT, PASSWORD, GO_ON = "Account", "Password", "Go on"
NOT_ADMITTED = "Account or password is not right, or the account is disabled. An admin can give a new password."
STRANGER = "Sign in first."
WRONG_HOST = "This name is not one of the console's. ROLLCALL_CONSOLE__ORIGINS lists the names it is reached by."
WRONG_ORIGIN = "This was sent by another site, and is not done."
WRONG_FORM = "This is too long for a name and a password."
OIDC_STALE = "This sign-in was begun elsewhere or too long ago. Begin again on the sign-in page."
OIDC_DECLINED = "Your organisation's sign-in was broken off. Begin again on the sign-in page."
OIDC_UNSOUND = ("What your organisation's sign-in answered cannot be trusted: issuer, audience, signature or name do not fit "
                "the settings of the console. Nobody was signed in.")


def wait_to_sign_in(seconds: float) -> str:
    """Too many tries."""
    return f"Too many tries. Try again in {seconds:.0f} s."


def cannot_sign_in(error: str) -> str:
    """The store of the accounts is away, or refuses."""
    return f"Nobody can sign in at the moment: {error} Who is signed in already can still see Flow, and start and stop."


def cannot_sign_out(error: str) -> str:
    """The store of the sessions is away."""
    return f"Your session cannot be ended at the moment: {error} This browser has forgotten it, and it ends by itself."


def no_account(name: str) -> str:
    """A provider knows them, we do not."""
    return f"There is no account {name} here, or it is disabled. An admin can make it: rollcall accounts add {name} --role ..."


def oidc_away(what: str) -> str:
    """The provider does not answer."""
    return f"Your organisation's sign-in does not answer ({what}). Try again, or sign in with an account of the console."


# --- who looks
REFRESH, REFRESH_HELP = "Refresh every", "How often the moving parts of a page are read again. Kept while you are signed in."
NO_PAGES = "Your account has no role that opens a page. Ask an admin for one."
SESSION_ENDED = "Your session has ended. Sign in again; nothing was changed."


def unconfirmed(since: datetime | None) -> str:
    """What can be done while Cassandra is away."""
    return f"{_away(since)} You can see Flow, Producer and Stream, and start and stop; everything else waits."


def not_while_away(since: datetime | None) -> str:
    """What needs a confirmed session."""
    return f"{_away(since)} Flow, Producer and Stream work meanwhile; this page goes on by itself."


def _away(since: datetime | None) -> str:
    began = f" since {clock(since)}" if since else ""
    return f"Cassandra does not answer{began}, so your session cannot be confirmed."


def signed_in_as(name: str, roles: Collection[str]) -> str:
    """Who looks."""
    return f"Signed in as **{name}** ({', '.join(sorted(roles))})"


def may_not(action: str, roles: Collection[str]) -> str:
    """A right is missing; which role has it."""
    able = " or ".join(sorted(MAY.get(action, ()))) or "nobody"
    return f"Your account ({', '.join(sorted(roles)) or 'no role'}) has no right to this ({action}); {able} has."


# --- readings
ICON_DONE, ICON_FAILED = ":material/check_circle:", ":material/error:"
LOADING, READ_AGAIN = "Reading ...", "Read again"
NOTHING = "There is nothing here yet."


def clock(at: datetime) -> str:
    """A moment of today as the console writes it."""
    return f"{at.astimezone(UTC):%H:%M:%S} UTC"


def moment(at: datetime | None) -> str:
    """A moment with its day."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC" if at else "never"


def as_of(at: datetime) -> str:
    """When a reading was taken."""
    return f"As of {clock(at)}"


def stale(at: datetime, age_s: float) -> str:
    """A reading that was not renewed."""
    return f"These figures are {age_s:.0f} s old (of {clock(at)}); they could not be read again in time."


def broken(error: str, since: datetime, at: datetime | None) -> str:
    """A reading that cannot be renewed."""
    shown = f"What is shown is of {clock(at)}." if at else "There is nothing to show meanwhile."
    return f"Not readable since {clock(since)}: {error} {shown} This page goes on by itself."


def failed(error: str) -> str:
    """An act that was not done."""
    return f"Not done. {error}"


def unforeseen(number: str) -> str:
    """An error nobody foresaw."""
    return (f"This page met an error that nobody foresaw (number {number}). What runs is unaffected. Load the page again; "
            f"`rollcall logs console` has the rest under that number.")


# --- programs
START, STOP = "Start", "Stop"
JOB_UNFORESEEN = "It ended in an error that nobody foresaw; `rollcall logs console` has where."
LOG, NO_LOG, LOG_NEWEST_FIRST = "Log", "The log is empty.", "The newest line stands first."
STATES = {"running": "Running", "starting": "Starting", "stopping": "Stopping", "stopped": "Stopped", "ended": "Ended",
          "failing": "Failing, tried again", "failed": "Failed"}
STATE_ICONS = {
    "running": ":material/play_circle:", "starting": ":material/hourglass_top:", "stopping": ":material/hourglass_bottom:",
    "stopped": ":material/stop_circle:", "ended": ":material/stop_circle:", "failing": ":material/sync_problem:",
    "failed": ":material/error:"}
STATE_COLOURS: dict[str, Literal["green", "blue", "orange", "gray", "red"]] = {
    "running": "green", "starting": "blue", "stopping": "orange", "stopped": "gray", "ended": "gray",
    "failing": "red", "failed": "red"}


def program_since(since: datetime | None, note: str) -> str:
    """Since when a program is so, and why."""
    return " · ".join(part for part in (f"since {moment(since)}" if since else "", note) if part)


def started(name: str) -> str:
    """An answer to Start."""
    return f"The {name} is started."


def stopped(name: str) -> str:
    """An answer to Stop."""
    return f"The {name} is stopped; the next start goes on where it was."


def job_under_way(kind: str, by: str, began: datetime) -> str:
    """A job that runs. It can be left."""
    return f"{kind.capitalize()}: under way since {clock(began)}, by {by}. You can leave this page."


def job_ended(kind: str, by: str, ended: datetime | None) -> str:
    """A job that has ended."""
    return f"{kind.capitalize()}, by {by}, ended {moment(ended)}."


def not_within(seconds: float) -> str:
    """A job that was given up."""
    return f"It had not ended within {seconds / 60:.0f} minutes and was given up. `rollcall status` shows what is not well."


def job_runs(by: str, began: datetime) -> str:
    """A job of this kind runs already."""
    return f"This is under way already, since {clock(began)} by {by}."


# --- flow
HOPS = {"producer": "Producer", "kafka": "Kafka", "stream": "Stream", "cassandra": "Cassandra", "mongo": "MongoDB",
        "view": "Public view", "console": "Console"}
HOP_OK, HOP_NOT = "Well", "Not well"
ALL_WELL = "Every hop is well."
RATE, BEHIND, NEWEST, DEAD, ROWS, COUNTED = ("People a second", "Records behind", "Newest turn", "Dead letters", "Rows",
                                             "People counted")
AGREE_HELP = "Rows are counted now and then, the more the less often. Verify (Stream) compares to the last person."


def not_well(names: Collection[str]) -> str:
    """The first thing an operator reads."""
    return f"Not well: {', '.join(names)}. The cards say why and what to do."


def stores_differ(rows: int, users: int) -> str:
    """Rows and people counted are not as many."""
    return (f"{rows:,} rows and {users:,} people counted: while people arrive the two are read a moment apart. If they stay "
            "apart when nothing arrives, run Verify on the Stream page.")


def seconds_ago(age_s: float) -> str:
    """How old something is."""
    return f"{age_s:.0f} s ago"


# --- producer
SOURCE, SENT, SKIPPED, DROPPED, PLACE = "Source", "Sent", "Skipped as erased", "Fields left out", "Place"
CHANGE = "Source and rate"
CHANGE_HELP = "Kept in settings.toml of this installation; a running producer is started again with it."
RATE_LABEL, SOURCE_LABEL, FILE_LABEL, APPLY = "People a second (0: as fast as it goes)", "Source", "File of the replay", "Apply"
REPLAY_FILE = "The replay source needs the path of a file on the machine of the producer."
SYNTHETIC = "These people are made up on this machine."
NOT_SENT_YET = "The producer has not sent anything yet. Start begins with the first page of its source."


def changed(source: str, rate: float) -> str:
    """The producer's settings were changed."""
    return f"The producer now takes {source} at {rate:g} people a second at most."


# --- stream
VERIFY, RECOUNT, COMPARE = "Verify", "Recount", "Compare with a recount of the rows"
VERIFY_HELP = "Compares topic, rows, dead letters and aggregates. The stream stands still while they are read."
RECOUNT_HELP = "Sets every aggregate from a new count of the rows, through the stream."
RECOUNTED = "Every aggregate is set from a new count of the rows."
LAST_HOUR = "The last hour"
NO_TURNS = "No turn was closed in the last hour. Start the stream, and the producer if nobody arrives."
RECORDS_A_SECOND, LAG, SECONDS_BY_STEP = "Records a second", "Records behind", "Seconds of a turn, by step"
TOTALS, CHECKPOINT, OFFSETS = "Since the first turn", "Checkpoint", "Offsets read"


def differs(turn: object, kinds: str) -> str:
    """What a verify found: how many of what, not where, for places name people and this goes into the audit."""
    return (f"As of turn {turn} places differ: {kinds}. `rollcall verify` names each; Recount sets aggregates right, "
            "docs/operating.md says what to do about rows.")


def agrees(turn: object, records: object, rows: object, letters: object, documents: object) -> str:
    """A verify that found nothing."""
    return (f"As of turn {turn} everything agrees: {records} records, {rows} rows, {letters} dead letters, "
            f"{documents} documents.")


# --- profiles
UUID, INITIALS, COUNTRY, GENDER, CITY, RECTIFIED, FIRST_SEEN = (
    "Uuid", "Initials", "Country", "Gender", "City", "Rectified", "First seen (UTC)")
NATIONALITY, AGE, DOMAIN, EMAIL = "Nationality", "Age", "E-mail domain", "Exact e-mail"
ANY, SEARCH = "Any", "Search"
EMAIL_HELP = "Found by its token: the address itself is neither stored nor kept. It is not shown again."
NEXT_PAGE, PREVIOUS_PAGE = "Next", "Previous"
MASKED = "Names, addresses, phones and birth days are masked by Cassandra itself: the console's role cannot read them."
NO_PROFILES = "Nobody fits. Widen the filters; people who are restricted or erased are never listed."
REVEAL, REVEAL_WHO, REVEAL_WHY = "Reveal one person", "Uuid of the person", "Reason (kept in the audit)"
REVEAL_DO, REVEAL_HIDE = "Reveal", "Hide now"
REVEAL_SAYS = "For one person, for 60 seconds, with a reason. The audit has it before you see anything."
NO_REASON = "Not done. Say why: at least ten characters, as somebody will read them in a year."
REVEALED = "Revealed. It is hidden again after 60 seconds."
NO_UUID = "This is no uuid; the list below has them."
MANY = "many"
NO_SUCH_PERSON = "There is no row of this person."


def shown_of(shown: int, page: int, count: str) -> str:
    """Where in a list one is."""
    return f"Page {page}: {shown} people of {count}"


# --- aggregates
BY_NATIONALITY, AVERAGE_AGES, PYRAMID = "Users by nationality", "Average age by nationality", "Age and gender"
BY_DOMAIN, ARRIVALS, AVERAGE_AGE = "Most common e-mail domains", "Arrivals by hour", "Average age"
OTHER, TABLE, CSV = "other", "Table", "CSV"
NOBODY_COUNTED = "Nobody is counted yet. Start the producer and the stream; the first batch shows here."
SETTLING = "A turn is being written: some figures may be a moment ahead of others."

# --- dead letters
REASON, FIRST_MET, ATTEMPTS, STATE, HOLDS = "Reason", "First met", "Attempts", "State", "What it is made of"
LETTERS_GONE = "None of them stands any more: somebody has handled them."
CANNOT_OPEN = "it cannot be opened: is keys.json the right one?"
NO_LETTERS = "No dead letter stands. Records that cannot be used appear here, with their reason."
CONTAINS, CHOSEN, ALL_CHOSEN = "Reason contains", "Choose rows, or act on all that fit.", "all that fit"
DRY_RUN, REDRIVE, DISCARD = "Dry run", "Redrive", "Discard"
DISCARD_WHY, DISCARD_SURE = "Why (kept with your name; no personal value)", "Type DISCARD: nothing brings them back"
DISCARD_WORD = "DISCARD"
NOT_SURE = "Not done. Type the word, and say why."


def letters_chosen(number: int, chosen: bool) -> str:
    """What an act is about."""
    return f"{number} letters: {'those chosen' if chosen else ALL_CHOSEN}"


def discarded(number: int) -> str:
    """After a discard."""
    return f"{number} letters are discarded; the collection `discards` says by whom and why."


# --- accounts
ROLES, DISABLED, CHANGED, SESSIONS = "Roles", "Disabled", "Changed", "Sessions"
ADD, RESET, SET_ROLES, DISABLE, ENABLE, REVOKE = "Add", "New password", "Set roles", "Disable", "Enable", "End its sessions"
NEW_ACCOUNT, CHANGE_ACCOUNT = "New account", "Change an account"
ACCOUNT_NAME_HELP = "2 to 64 of a-z, 0-9 and . _ @ -; with OpenID Connect the name that the provider gives."
NOT_YOURSELF = "Not done. You would sign yourself out for good; another admin can, or `rollcall accounts`."
SIGNED_IN, BEGAN, ADDRESS, BROWSER = "Signed in", "Began", "Address", "Browser"
CHOOSE_ACCOUNT = "Choose the account that is to change."
SHOWN_ONCE = "Password, shown this once. Give it to its owner by a safe way:"


def account_made(name: str) -> str:
    """After Add."""
    return f"Account {name} is made."


def account_is(name: str, roles: Collection[str]) -> str:
    """After Set roles."""
    return f"Account {name} is now: {', '.join(sorted(roles))}."


def password_made(name: str) -> str:
    """After New password."""
    return f"Account {name} has a new password and is signed out."


def account_disabled(name: str, disabled: bool) -> str:
    """After Disable and Enable."""
    return f"Account {name} is {'disabled' if disabled else 'enabled'} and signed out."


def sessions_ended(number: int, name: str) -> str:
    """After the end of an account's sessions."""
    return f"{number} sessions of {name} are ended."


# --- audit
ENTRY, WHEN, WHO, ACT, TARGET, RESULT, WHY = "Entry", "When", "Who", "Act", "On", "Result", "Why"
AUDIT_SEARCH, OLDER, NEWEST_FIRST = "Contains", "Older", "Newest"
NO_ENTRIES = "No entry fits."
AUDIT_WHOLE = "The audit is whole: every entry is as it was written."


def audit_broken(what: Collection[str]) -> str:
    """Links that do not hold."""
    return "The audit does not hold: " + "; ".join(what) + "."


def audit_kept(number: int) -> str:
    """Entries that wait for Cassandra."""
    return f"{number} entries of starts and stops wait in a file until Cassandra takes them."
