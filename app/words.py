"""What the console says: names of things, sentences of state, and what to do when something is not well.

What some pages alone say stands beside: words_law.py (Register, Retention, Breaches), words_watching.py (Accounts, Audit),
words_access.py (Kafka access) and words_requests.py (Requests); the public view has its own (public/words.py).
"""

from collections.abc import Collection
from datetime import UTC, datetime
from typing import Literal

from engine.stores.accounts import SHORTEST
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
CHANGE_PASSWORD, OLD_PASSWORD, NEW_PASSWORD, NEW_AGAIN = "Change password", "Password now", "New password", "New, again"
PASSWORD_SAYS = f"At least {SHORTEST} printable characters. Your sessions elsewhere end."
NEW_ONE_HOLDS = "Your password is changed. Your sessions elsewhere have ended; this one goes on."
NOT_TWICE, NOT_OLD = "Not done. The new password was not typed twice alike.", "Not done. The password now is not right."
GO_BACK = "Leave it as it is"
OIDC_STALE = "This sign-in was begun elsewhere or too long ago. Begin again on the sign-in page."
OIDC_DECLINED = "Your organisation's sign-in was broken off. Begin again on the sign-in page."
OIDC_UNSOUND = ("What your organisation's sign-in answered cannot be trusted: issuer, audience, signature or name do not fit "
                "the settings of the console. Nobody was signed in.")
OIDC_NOT_OPEN = ("No account of this console is open to you by your organisation's sign-in. An admin can make one and open it: "
                 "`rollcall accounts add`, then `rollcall accounts bind`; the audit says to them what is missing.")


def wait_to_sign_in(seconds: float) -> str:
    """Too many tries."""
    return f"Too many tries. Try again in {seconds:.0f} s."


def cannot_sign_in(error: str) -> str:
    """The store of the accounts is away, or refuses."""
    return f"Nobody can sign in at the moment: {error} Who is signed in already can still see Flow, and start and stop."


def cannot_sign_out(error: str) -> str:
    """The store of the sessions is away."""
    return f"Your session cannot be ended at the moment: {error} This browser has forgotten it, and it ends by itself."


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
ICON_DONE, ICON_FAILED, ICON_WARNING = ":material/check_circle:", ":material/error:", ":material/warning:"
LOADING, READ_AGAIN = "Reading ...", "Read again"
NOTHING = "There is nothing here yet."


def clock(at: datetime) -> str:
    """A moment of today as the console writes it."""
    return f"{at.astimezone(UTC):%H:%M:%S} UTC"


def moment(at: datetime | None) -> str:
    """A moment with its day."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC" if at else "never"


def as_of(at: datetime) -> str:
    """Of when what is shown is; with its day where that is not today."""
    return f"As of {clock(at) if at.astimezone(UTC).date() == datetime.now(UTC).date() else moment(at)}"


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
        "view": "Public view", "console": "Console", "keeper": "Keeper"}
HOP_OK, HOP_NOT = "Well", "Not well"
ALL_WELL = "Every hop is well."
RATE, BEHIND, NEWEST, DEAD, ROWS, COUNTED = ("People a second", "Records behind", "Newest turn", "Dead letters", "Rows",
                                             "People counted")
AGREE_HELP = ("Rows are counted now and then, the more the less often; those of restricted people stand and are not counted as "
              "people. Verify (Stream) compares to the last person.")


def not_well(names: Collection[str]) -> str:
    """The first thing an operator reads."""
    return f"Not well: {', '.join(names)}. The cards say why and what to do."


def certificates_end(names: Collection[str]) -> str:
    """A warning that comes a month before the trouble."""
    return (f"Certificates end soon: {', '.join(names)}. After that nobody is let near them. Stopping and starting everything "
            "(rollcall down, rollcall up) renews those of ours.")


def stores_differ(rows: int, restricted: int, users: int) -> str:
    """Rows and people counted are not as many, those left aside who are restricted."""
    return (f"{rows:,} rows, {restricted:,} of them of restricted people, and {users:,} people counted: while people arrive "
            "the two are read a moment apart. If they stay apart when nothing arrives, run Verify on the Stream page.")


def seconds_ago(age_s: float) -> str:
    """How old something is."""
    return f"{age_s:.0f} s ago"


# --- producer
SOURCE, SENT, SKIPPED, DROPPED, PLACE = "Source", "Sent", "Skipped as erased", "Fields left out", "Place"
CHANGE = "Source and rate"
STARTING_AGAIN = "The settings are kept; the producer is started again with them."
NOTHING_CHANGED = "This is what stands: change the source, the rate or the file first."
CHANGE_HELP = "Kept in settings.toml of this installation; a running producer is started again with it."
RATE_LABEL, SOURCE_LABEL, FILE_LABEL, APPLY = "People a second (0: as fast as it goes)", "Source", "File of the replay", "Apply"
REPLAY_FILE = "The replay source needs the path of a file on the machine of the producer."
BEGIN_AGAIN = "Begin again"
FORM_OLDER = ("The settings stand otherwise by now than when this form was filled. What you typed is kept, but cannot be "
              "applied: Begin again drops it and shows what stands.")
SYNTHETIC = "These people are made up on this machine."
NOT_SENT_YET = "The producer has not sent anything yet. Start begins with the first page of its source."


def changed(source: str, rate: float) -> str:
    """The producer's settings were changed."""
    return f"The producer now takes {source} at {rate:g} people a second at most."


def kept_not_restarted(source: str, rate: float, error: str) -> str:
    """The settings were changed, and the running producer was not started again with them."""
    return (f"Kept: from its next start the producer takes {source} at {rate:g} people a second at most. But it could not be "
            f"started again: {error}")


# --- stream
VERIFY, RECOUNT, COMPARE = "Verify", "Recount", "Compare with a recount of the rows"
VERIFY_HELP = "Compares topic, rows, dead letters and aggregates. The stream stands still while they are read."
RECOUNT_HELP = "Sets every aggregate from a new count of the rows, through the stream."
RECOUNTED = "Every aggregate is set from a new count of the rows."
LAST_HOUR = "The last hour"
NO_TURNS = "No turn was closed in the last hour. Start the stream, and the producer if nobody arrives."
RECORDS_A_SECOND, LAG, SECONDS_BY_STEP = "Records a second", "Records behind", "Seconds of a turn, by step"
WHERE_IT_STANDS, TURN, BATCH, LAST_TURN = "Where it stands", "Turn", "Batch", "Last turn"
BATCH_HELP = "Batches are numbered from 0 under a checkpoint. A turn of commands alone has no batch."
TOTALS, CHECKPOINT, OFFSETS = "Since the first turn", "Checkpoint", "Offsets read"
COUNTS = {"read": "Records read", "valid": "People", "nulls": "Marks for compaction", "dead": "Dead letters",
          "new": "New rows", "changed": "Changed rows", "stale": "Not newer than the row", "barred": "Barred as erased",
          "age_differs": "Age differs", "commands": "Commands", "deleted": "Rows deleted",
          "sealed": "Rows sealed anew"}
STEPS = {"read": "Records read", "dead_letters": "Dead letters", "markers": "Markers read", "rows_before": "Rows read",
         "aggregates": "Aggregates", "rows": "Rows written", "markers_written": "Markers written", "recount": "Recount",
         "sealing": "Rows sealed anew"}


def differs(turn: object, kinds: str) -> str:
    """What a verify found: how many of what, not where, for places name people and this goes into the audit."""
    return (f"As of turn {turn} places differ: {kinds}. `rollcall verify` names each; Recount sets aggregates right, "
            "docs/operating.md says what to do about rows.")


def verify_broke_off(exit_code: int, meaning: str) -> str:
    """A verify that gave no report. What it printed is not quoted: it may name people, and this goes into the audit."""
    return (f"It broke off with exit code {exit_code}{f' ({meaning})' if meaning else ''}; `rollcall verify` at a terminal "
            "says why.")


def agrees(turn: object, records: object, rows: object, letters: object, documents: object) -> str:
    """A verify that found nothing."""
    return (f"As of turn {turn} everything agrees: {records} records, {rows} rows, {letters} dead letters, "
            f"{documents} documents.")


# --- profiles
UUID, INITIALS, COUNTRY, GENDER, CITY, RECTIFIED, FIRST_SEEN = (
    "Uuid", "Initials", "Country", "Gender", "City", "Rectified", "First seen (UTC)")
NATIONALITY, AGE, DOMAIN, EMAIL = "Nationality", "Age", "E-mail domain", "Exact e-mail"
ANY = "Any"
EMAIL_HELP = "Found by its token: the address itself is neither stored nor kept. It is not shown again."
NEXT_PAGE, PREVIOUS_PAGE = "Next", "Previous"
MASKED = "Names, addresses, phones and birth days are masked by Cassandra itself: the console's role cannot read them."
NO_PROFILES_FURTHER = "Nobody further fits."
NO_PROFILES = "Nobody fits. Widen the filters; people who are restricted or erased are never listed."
REVEAL, REVEAL_WHO, REVEAL_WHY = "Reveal one person", "Uuid of the person", "Reason (kept in the audit)"
REVEAL_DO, REVEAL_HIDE = "Reveal", "Hide now"
REVEAL_SAYS = "For one person, for 60 seconds, with a reason. The audit has it before you see anything."
SEARCHED = "Searched by this address; the audit has its token."
NO_REASON = "Not done. Say why: at least ten characters, as somebody will read them in a year."
REVEALED = "Revealed. It is hidden again after 60 seconds."
NO_UUID = "This is no uuid; the list below has them."
MANY = "many"
NO_SUCH_PERSON = "There is no row of this person."


def shown_of(shown: int, page: int, count: str) -> str:
    """Where in a list one is."""
    return f"Page {page}: {shown} people of {count}"


def looked_to(month: str) -> str:
    """Of a page that ended before it was full."""
    return f"Looked through the months of birth down to {month} so far. The next page goes on from there."


# --- aggregates
BY_NATIONALITY, AVERAGE_AGES, PYRAMID = "Users by nationality", "Average age by nationality", "Age and gender"
BY_DOMAIN, ARRIVALS, AVERAGE_AGE = "Most common e-mail domains", "Arrivals by hour", "Average age"
OTHER, TABLE, CSV = "other", "Table", "CSV"
NOBODY_COUNTED = "Nobody is counted yet. Start the producer and the stream; the first batch shows here."
SETTLING = "A turn is being written: some figures may be a moment ahead of others."

# --- dead letters
REASON, FIRST_MET, ATTEMPTS, STATE, HOLDS = "Reason", "First met", "Attempts", "State", "What it is made of"
LETTERS_GONE = "None of them stands any more: somebody has handled them."
LETTERS_UNDER_WAY = "They are under way (sent): a redrive ends them. Then they are handled, or can be discarded."
CANNOT_OPEN = "it cannot be opened: is keys.json the right one?"
NO_LETTERS = "No dead letter stands. Records that cannot be used appear here, with their reason."
NO_LETTER_FITS = "No dead letter fits."
CONTAINS, ANY_STATE = "Reason or place contains", "any"
LETTER_STATES = {"waiting": "Waiting", "sent": "Under way (sent)", "accepted": "Accepted", "overtaken": "Overtaken",
                 "discarded": "Discarded"}
CHOSEN, ALL_CHOSEN = "Choose rows, or act on all that fit.", "all that fit"
PART, PART_HOLDS, CATEGORY, WHOLE = "Path", "Holds", "Category", "(the whole)"
DRY_RUN, REDRIVE, DISCARD = "Dry run", "Redrive", "Discard"
WITHIN, WITHIN_HELP = "Seconds to wait for the stream", "Twice at most. If it takes longer nothing is lost: redrive again."
CAME_TO, REASON_NOW = "What became of them", "Reason now"
DISCARD_WHY, DISCARD_SURE = "Why (kept with your name; no personal value)", "Type DISCARD: nothing brings them back"
DISCARD_WORD = "DISCARD"
NOT_SURE = "Not done. Type the word, and say why."


def letters_chosen(number: int, chosen: bool) -> str:
    """What an act is about."""
    return f"{number} letters: {'those chosen' if chosen else ALL_CHOSEN}"


def letters_listed(listed: int, number: int) -> str:
    """A list that is not whole."""
    return (f"Only the first {listed:,} of {number:,} letters are listed. An act on all that fit is one on all {number:,}; to "
            "find others type a part of their reason or place.")


def letter_facts(first_met: datetime | None, attempts: int, state: str, size: int, headers: Collection[str]) -> str:
    """One letter."""
    return (f"First met {moment(first_met) if first_met else 'unknown'}, attempts {attempts}, "
            f"{LETTER_STATES[state].lower()}, {size:,} bytes; "
            f"headers: {', '.join(sorted(headers)) or 'none'}.")


def letter_handled(place: str, state: str, at: datetime | None) -> str:
    """A letter that is looked for and stands no more."""
    return f"{place} is {LETTER_STATES[state].lower()}{f' since {moment(at)}' if at else ''}."


def letters_begun(act: str, number: int) -> str:
    """An act, when it begins."""
    return f"{act} of {number} letters"


def letters_came_to(really: bool, outcomes: Collection[str]) -> str:
    """After a redrive or a dry run."""
    return f"{REDRIVE if really else DRY_RUN}: {'; '.join(outcomes)}.{'' if really else ' Nothing was changed.'}"


def letters_stay(number: int) -> str:
    """Letters that a discard leaves out."""
    return f"{number} of them are under way (sent) and stay; a redrive ends them." if number else ""


def discarded(number: int) -> str:
    """After a discard."""
    return f"{number} letters are discarded; the collection `discards` says by whom and why."
