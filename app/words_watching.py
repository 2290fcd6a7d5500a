"""What the pages Accounts and Audit alone say. What others say too: app/words.py."""

from collections.abc import Collection

# --- accounts
ROLES, DISABLED, CHANGED, SESSIONS = "Roles", "Disabled", "Changed", "Sessions"
ADD, RESET, SET_ROLES, DISABLE, ENABLE, REVOKE = "Add", "New password", "Set roles", "Disable", "Enable", "End its sessions"
BIND, UNBIND, PROVIDER = "Bind to the provider", "Unbind", "Provider"
PROVIDERS = {"no": "password only", "awaited": "awaits its first sign-in", "bound": "bound"}
BIND_HELP = "Whoever next signs in under this name through your organisation's sign-in has the account from then on."
ACCOUNT_SURE, NOT_NAMED = "Type the account's name", "Not done. Type the name of the account to be sure."
NEW_ACCOUNT, CHANGE_ACCOUNT = "New account", "Change an account"
ACCOUNT_NAME_HELP = "2 to 64 of a-z, 0-9 and . _ @ -; with OpenID Connect the name that the provider gives."
NOT_YOURSELF = ("Not done: nobody changes their own account here. Another admin can, or `rollcall accounts`; for a new "
                "password of your own there is Change password in the side bar.")
SIGNED_IN, BEGAN, ADDRESS, BROWSER = "Signed in", "Began", "Address", "Browser"
CHOOSE_ACCOUNT = "Choose the account that is to change."
SHOWN_ONCE, HAVE_IT = "Password, shown this once", "I have it"


def shown_once(name: str, minutes: float) -> str:
    """Above a password that was made."""
    return (f"{SHOWN_ONCE}, of {name}. Give it to its owner by a safe way. It goes when you press {HAVE_IT}, and after "
            f"{minutes:.0f} minutes.")


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


def account_bound(name: str, bound: bool) -> str:
    """After Bind and Unbind."""
    return (f"Account {name} is bound to who next signs in under this name." if bound
            else f"Account {name} is bound to nobody of the provider.")


def sessions_ended(number: int, name: str) -> str:
    """After the end of an account's sessions."""
    return f"{number} sessions of {name} are ended."


# --- audit
ENTRY, WHEN, WHO, ACT, TARGET, RESULT, WHY = "Entry", "When", "Who", "Act", "On", "Result", "Why"
AUDIT_SEARCH, OLDER, NEWEST_FIRST = "Contains", "Older", "Newest"
NO_ENTRIES = "No entry fits."
AUDIT_SEARCH_HELP = "In who, act, on, result or why; or the number of an entry."


def audit_whole(number: int) -> str:
    """Every link holds."""
    return f"The audit is whole: {number:,} entries, each as it was written."


def audit_progress(number: int) -> str:
    """How far a check has come."""
    return f"{number:,} entries are looked at"


def audit_looked(newest: int, last: int) -> str:
    """What a search has read."""
    return f"Looked through entries {newest:,} to {last:,}" + ("; Older goes on." if last > 1 else ", which is the oldest.")


def audit_broken(what: Collection[str], more: int) -> str:
    """Links that do not hold."""
    others = f"; and {more} more" if more > 0 else ""
    return (f"The audit does not hold: {'; '.join(what)}{others}. Keep a copy of the table as it is, and find out who may "
            "write to Cassandra.")


def audit_kept(number: int) -> str:
    """Entries that wait for Cassandra."""
    return f"{number} entries of starts and stops wait in a file until Cassandra takes them."


def audit_not_chained(number: int, error: str) -> str:
    """Entries that could not be chained in now. number: 0 where even that cannot be read."""
    return f"What waits in the file is not in the chain yet{f' ({number} entries)' if number else ''}: {error}"
