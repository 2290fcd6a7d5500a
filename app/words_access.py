"""What the page Kafka access alone says. What others say too: app/words.py."""

from collections.abc import Collection
from datetime import datetime

from app.words import moment

ACCESS = "Kafka access"
BY_PRINCIPAL, BY_TOPIC, DRIFT, CHECKER, WANTED, PLAN, USERS, DENIED = (
    "By principal", "By topic", "Drift", "Checker", "Wanted", "Plan and apply", "Users", "Denied")
READ_AGAIN = "Read again"
UNREADABLE = ("Kafka has rules about operations that this version does not know; they are neither looked at nor touched. "
              "kafka-acls.sh --list shows them.")
WHY, WHY_HELP = "Reason", "Kept in the audit: somebody will read it in a year."

# --- who and what
PRINCIPAL, RULE, STATE, MANAGED, TOPIC, MAY = "Principal", "Rule", "State", "Ours to delete", "Topic", "May"
TOPIC_HELP = "Choose one, or type the name of any other."
AS_WANTED, MISSING, UNEXPECTED, OF_OTHERS = "as wanted", "wanted, not in Kafka", "in Kafka, not wanted", "of others"
NO_RULES, NO_RULES_ABOUT = "No rule speaks of it, and everybody it does not name is refused.", "No rule speaks of this topic."
WHO_MAY, RULES_ABOUT = "Who may do what, today, from an address that no rule names", "Rules that speak of it"
NOBODY_MAY = "Nobody may do anything with it but super users."
ATTEMPTS = "What it was refused"
ANYBODY_ELSE = "everybody"

# --- drift
NO_DRIFT = "Kafka has what is wanted."
DIFFERENCE, THERE, SHOULD = "Difference", "Kafka has", "Wanted is"
ROWS = "Differences to act on"
DRIFT_SAYS = ("Adopt writes the rules that Kafka has into what is wanted; another one that is wanted in its place "
              "stays wanted until you take it out there. Whoever has a rule that is wanted is managed here: adopting one rule "
              "of a stranger makes all its rules ours to delete. Remove makes a plan that brings just these to what is wanted, "
              "for Plan and apply; nothing is done before that.")
ADOPT, REMOVE = "Adopt", "Remove (as a plan)"
NOTHING_CHOSEN = "Not done. Choose at least one difference."
NOTHING_TO_ADOPT = "Not done. What is missing in Kafka cannot be adopted: take it out of what is wanted, under Wanted."
OF_DRIFT = "chosen differences"

# --- checker
CHECK_SAYS = "Answered as Kafka's authorizer decides: super users, refusals, permissions and what they imply, else no."
ASK, WHO, OPERATION, RESOURCE, NAME, HOST = "Ask", "Who", "Operation", "Kind", "Name", "From address"
NAME_HELP = "Of one topic, group, ...; left out for the cluster."
HOST_HELP = "An IP address. Left out: one that no rule names."
AFTER_DELETES = "After the plan with deletions"
TODAY, AFTER = "Today", "After the plan"

# --- wanted
EDIT_SAYS = ("Teams, their principals and roles; the comments at its top explain the form. Saving keeps a version and touches "
             "nothing in Kafka: that is Plan and apply.")
TEXT, LOOK, SAVE, BEGIN_AGAIN = "What is wanted (YAML)", "Look what it means", "Save as a version", "Undo what I typed"
LINE, FAULT = "Line", "What to mend"
SAVE_REFUSED = "Save will be refused."
SOUND = "It is a wanted state. Against version"
MORE, LESS = "more", "less"
SAME_RULES = "The same rules as before."
CHANGE = "Change"
NOTHING_CHANGED = "Nothing was changed, so nothing is saved."
FORM_GONE = "Not done: what was typed is not known any more. Look at the text, and do it again."
STALE = "Somebody saved this while you were editing. Nothing you typed is lost."
THEIRS, MINE = "What they changed", "What you changed"
TAKE_THEIRS, ON_THEIRS = "Take theirs, drop mine", "Go on with mine, on top of theirs"
ON_THEIRS_HELP = ("Your text stays as it is and is compared with theirs: bring over what they changed, then save. "
                  "What you do not bring over is undone.")
VERSION, VERSIONS, CHANGED, BY = "Version", "Versions", "Kept", "By"
FIRST_VERSION = "The first version: it is no change of another."

# --- plan
DELETES, DELETES_HELP = "With deletions", "Also delete rules of ours that are not wanted. Rules of others always stay."
NOTHING_TO_DO = "There is nothing to do."
STEP, DOES, STAYS, STAYS_WHY = "Step", "Does", "Rules that are not wanted and stay", "Why it stays"
COMMANDS = "The same as kafka-acls.sh"
DOWNLOAD, UPLOAD, UPLOAD_DO, DROP = "Download the plan", "A plan file", "Show this plan", "Back to the plan of now"
REFUSED = "Apply will be refused."
NO_FILE = "Choose a file first."
APPLY, SURE = "Apply", "This reaches far. Type the plan's id"
NOT_SURE = "Not done. That is not the plan's id."
NO_REASON = "Not done. Say why."

# --- users
CREDENTIALS, OURS, NO_USERS = "Signs in by", "A program of this installation", "Kafka has no user."
NEW_USER, CHANGE_USER = "New user", "Change a user"
USER, WHICH, CREATE, ROTATE, DELETE, KEEP_RULES = "User", "User to change", "Create", "New password", "Delete", "Keep its rules"
KEEP_RULES_HELP = "For who has the name next. Otherwise they go first, so that connections that stay open can do nothing more."
CREATE_SAYS = "Its password is made here and shown once. What it may do are rules: Wanted, then Plan and apply."
USER_SURE, NOT_NAMED = "Type the user's name", "Not done. Type the name of the user to be sure."
CHOOSE_USER = "Choose the user that is to change. Programs of this installation get theirs from `rollcall up`."
RULES_GO = "Its rules, which go first"

# --- denied
LAST, FIRST, TIMES, REFUSED_WHAT, HOST_SHORT, REQUEST, BY_RULE, TODAY_SAYS = (
    "Last", "First", "Times", "Was refused", "From", "Request", "Broker's rule", "Today")
NOBODY_DENIED = "Nobody was refused anything, as far as the broker's log goes back."
EVERY_PRINCIPAL = "every principal"
DENIED_BY = "How often, by principal, by the rule that the broker named, and by what decides it today"


def facts(team: str, ours: bool, protected: bool, super_user: bool, signs_in: bool) -> str:
    """What is known of a principal."""
    said = [f"team {team}" if team else "in no team"]
    if ours:
        said.append("a program of this installation, always protected")
    elif protected:
        said.append("protected: no plan may take a right from it")
    if super_user:
        said.append("super user: may do everything, whatever the rules say")
    said.append("has a password in Kafka" if signs_in else "cannot sign in: it has no password in Kafka")
    return f"{'; '.join(said)}."


def cannot_ask(wrong: Collection[str]) -> str:
    """A question that is nonsense."""
    return f"This cannot be asked: {'; '.join(wrong)}."


def of_others(number: int) -> str:
    """Rules of others that cover what is ours."""
    return (f"Rules of others that are about our topics too, neither wanted nor deleted: {number}. {BY_TOPIC} shows them, "
            f"and {PLAN} under what stays.")


def row(kind: str, rule: str) -> str:
    """One difference, to be chosen."""
    return f"{kind}: {rule}"


def adopted(number: int, n: int) -> str:
    """After Adopt."""
    return f"Wanted now, as version {n}, because Kafka has it: {number} of its rules."


def planned(number: int) -> str:
    """After Remove."""
    return f"A plan ({number} to do) stands under {PLAN}. Read it there, and apply it."


def saved(n: int) -> str:
    """After Save."""
    return f"Version {n} is what is wanted now. {PLAN} shows what that means for Kafka."


def stale(n: int, by: str, at: datetime | None, why: str) -> str:
    """Who saved meanwhile."""
    return f"{by} saved version {n}{f' at {moment(at)}' if at else ''} ({why})."


def plan_is(number: str, creates: int, deletes: int, reach: str) -> str:
    """A plan at a glance."""
    return f"Plan {number}: {creates} to create, {deletes} to delete; {reach}."


def plan_of(what: str) -> str:
    """A plan that is not the whole one of now."""
    return f"This is the plan of {what}, not the whole plan of now."


def out_of_date(why: str) -> str:
    """A plan that may not be applied any more."""
    return f"It is out of date and will be refused. {why}"


def applied(number: int) -> str:
    """After Apply."""
    return f"Done and read back: {number} of {number} steps."


def made(name: str) -> str:
    """After Create."""
    return f"User {name} is made. It may do nothing yet that no rule allows."


def rotated(name: str, stays: str) -> str:
    """After New password."""
    return f"User {name} has a new password; the old one is refused from now on. {stays}"


def deleted(name: str, rules: int, stays: str, wanted: bool) -> str:
    """After Delete."""
    still = (f" {name} is still wanted: take it out under {WANTED}, or the next plan gives the name its rules again."
             if wanted else "")
    return f"User {name} is gone; rules that went with it: {rules}. {stays}{still}"
