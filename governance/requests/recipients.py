"""Whom Art. 19 names: those to whom data of people were disclosed, who are told of a correction, erasure or restriction."""

from collections.abc import Iterable, Mapping, Sequence

from governance.register import Entry
from governance.requests.request import NotARequest
from governance.requests.result import Result

OF_PEOPLE = ("cassandra:profiles", "kafka:people")
"""Where data of the people of the source stand."""

NO_RECIPIENTS = "The register in force names nobody to whom data were passed on"


def recipients_of(entries: Iterable[Entry]) -> tuple[str, ...]:
    """Their names, each once, by name. entries: those in force. Who works within the stores, as a principal, sees what becomes
    of the data there, and need not be told."""
    return tuple(sorted({one.name for entry in entries if any(place.startswith(OF_PEOPLE) for place in entry.places)
                         for one in entry.recipients if not one.principals}))


def told(before: Mapping[str, str], wanted: Sequence[str], to: str, says: str) -> Result:
    """What the step of Art. 19 came to, with one more recipient who was told. before: its evidence until now; wanted: all who
    have to be told. Raises NotARequest."""
    if not wanted:
        return Result(done=True, says=NO_RECIPIENTS, evidence={NO_RECIPIENTS: says})
    if to not in wanted:
        raise NotARequest(f"Say which recipient was told: one of {', '.join(wanted)}.")
    evidence = {**before, to: says}
    missing = [one for one in wanted if one not in evidence]
    return Result(done=not missing, evidence=evidence, says=f"{len(wanted) - len(missing)} of {len(wanted)} recipients are told"
                  + (f"; not yet: {', '.join(missing)}" if missing else ""))
