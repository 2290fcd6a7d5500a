"""Public figures that disclose nobody: what may be published of the live aggregates, given everything that ever was.

    publish(live, earlier, now, next_at) -> Release(snapshot, ledger) | Held(why)

Pure. docs/decisions/0011-public-figures.md has the method, what it defends and what it does not. Read from the top:

    release.py    the one entry point: which tables may move at all, and each in turn
    figures.py    what comes in, exact, and what is wrong with it
    tables.py     one table: threshold, complement, "other", the order in which small categories are merged
    merged.py     whether a category within "other" could be computed (secondary suppression)
    marks.py      one figure over time: the increment test against every earlier snapshot; how many people moved in a table
    snapshot.py   what comes out, for everybody
    ledger.py     what is kept to test the next one, for nobody but the release job and the officer
    method.py     the numbers of the method, and how it is told to the public
"""

from governance.disclosure.release import publish

__all__ = ["publish"]
