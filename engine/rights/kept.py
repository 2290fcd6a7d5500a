"""What of erased people is kept on purpose, said as it is: sealed, and not gone."""

from collections.abc import Iterator, Sequence

from engine.commands import Command
from governance.rights.verdict import Outcome, Verdict

CONTROL, RECORDS, AUDIT, MARKED = "kafka:control", "cassandra:records", "cassandra:audit", "cassandra:markers"
COPIES = "backups"
"""Copies of the stores, in verdicts, and in the register as the place of a limit."""
NODE = "who runs Cassandra"
"""A recipient: who has it in hand what the node's files hold."""


def of_markers(named: int) -> Verdict:
    """Their markers. named: how many of them hold corrected values, as no marker of an erasure may."""
    if named:
        return Verdict(MARKED, Outcome.NOT_ERASED, f"{named} markers of theirs hold corrected values; run this again")
    return Verdict(MARKED, Outcome.GOVERNED, "a marker without a name keeps the erasure in force, as the register states")


def of_commands(said: Sequence[Command]) -> Verdict:
    """The commands about them, corrected values among these."""
    corrected = sum(one.verb == "rectify" for one in said)
    more = f"; {corrected} of them hold values that were corrected at request, which no program uses any more" if corrected \
        else ""
    return Verdict(CONTROL, Outcome.GOVERNED, f"{len(said)} commands stay, in exports of the commands too, for they keep the "
                   f"erasure in force after a restore: they hold the number{more}. All are sealed, with a key that is not "
                   "changed: whoever has both the key ring and the topic or an export could open them")


def of_records(count: int) -> Verdict:
    """Records of the officer whose newest version speaks of them."""
    return Verdict(RECORDS, Outcome.GOVERNED, f"{count} records of the officer (requests, breaches and the like) are "
                   "about this, sealed; their versions are proofs and stay as long as the register states; whom a request is "
                   "about is deleted when it is closed, and then stays, sealed, in Cassandra's files until they are compacted")


def of_audit(count: int) -> Verdict:
    """Entries of the audit about them."""
    return Verdict(AUDIT, Outcome.GOVERNED, f"{count} entries, by the beginning of a token or the number of a request; the "
                   "audit is a chain, and stays as long as the register states")


def of_copies(stated: Sequence[str], tags: Sequence[str] | None, keyspace: str) -> Iterator[Verdict]:
    """Copies of the stores, a verdict for each who has something to do. stated: limits of the register for them; tags: of
    snapshots in the folder of the node of this machine, None where there is no such one. Nobody looks into a copy."""
    said = [f"copies of the stores stay {' or '.join(stated)}, as the register states" if stated else
            f"the register states no limit for copies of the stores (place `{COPIES}`, enforced_by hand): whoever makes them "
            "has to end them"]
    if tags is None:
        said.append("snapshots in the folders of Cassandra's nodes were not looked for (`nodetool listsnapshots`)")
    said.append("after a restore `rollcall restore-check` takes them out before anything opens")
    yield Verdict(COPIES, Outcome.GOVERNED if stated else Outcome.EXTERNAL, "; ".join(said),
                  recipient="" if stated else "who makes the copies")
    if tags:
        yield Verdict(COPIES, Outcome.EXTERNAL, f"snapshots stand in Cassandra's own folder ({', '.join(tags)}): `nodetool "
                      f"clearsnapshot -t NAME {keyspace}` on the node ends one; incremental backups are deleted by hand",
                      recipient=NODE)
