"""The register as it is kept: entries with their versions, from draft to published to archived.

    draft ──publish──▶ published ──archive──▶ archived
      ▲                    │                     │
      └──────── save ──────┴─────────────────────┘      each step is a new version; of an entry, the newest published
                                                        version is in force until a newer one is published or archived
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from engine.errors import Final
from engine.stores.records import REGISTER, Record, Records, Stale
from governance.register import CONTENT, Entry, State, Version, changed, entries, laid_over
from governance.register_checks import Level, check
from governance.sheets.imported import Imported


class RegisterRefused(Final):
    """An entry cannot be kept or published as asked."""

    exit_code = 65


class StaleEdit(Stale):
    """Somebody else has saved the entry meanwhile: what they changed, and whether one's own changes touch the same fields.

    theirs: field -> (before, after) of what the other changed. mine: the same of what was to be saved. conflicts: fields in
    both that do not say the same. merged: one's own entry with the other's changes of fields one did not touch.
    """

    def __init__(self, newest: Record, base: Entry | None, wanted: Entry) -> None:
        super().__init__(newest)
        there = entry_of(newest)
        self.newest_n = newest.n
        self.theirs, self.mine = changed(base, there), changed(base, wanted)
        self.conflicts = [name for name in self.mine if name in self.theirs and self.mine[name][1] != self.theirs[name][1]]
        self.merged = laid_over(there, base, wanted)

    def __str__(self) -> str:
        return (f"{super().__str__()} They changed {', '.join(self.theirs) or 'nothing'}; you changed "
                f"{', '.join(self.mine) or 'nothing'}"
                + (f"; both changed {', '.join(self.conflicts)}, and not to the same." if self.conflicts else "."))


@dataclass(frozen=True)
class Kept:
    """One entry with all its versions, oldest first."""

    ref: str
    versions: tuple[Version, ...]

    @property
    def newest(self) -> Version:
        """The version that was written last."""
        return self.versions[-1]

    @property
    def in_force(self) -> Version | None:
        """The newest published version, unless it was archived since."""
        for version in reversed(self.versions):
            if version.state is not State.DRAFT:
                return version if version.state is State.PUBLISHED else None
        return None


class Register:
    """The register of an installation, over its records."""

    def __init__(self, records: Records) -> None:
        self._records = records

    def all(self) -> list[Kept]:
        """Every entry, by ref."""
        by_name: dict[str, list[Version]] = {}
        for record in self._records.all(REGISTER):
            by_name.setdefault(record.name, []).append(version_of(record))
        return [Kept(name, tuple(versions)) for name, versions in sorted(by_name.items())]

    def get(self, ref: str) -> Kept:
        """One entry. Raises RegisterRefused if there is none of this name."""
        versions = tuple(version_of(record) for record in self._records.versions(REGISTER, ref))
        if not versions:
            raise RegisterRefused(f"The register has no entry {ref!r}. `rollcall register list` names them.")
        return Kept(ref, versions)

    def in_force(self) -> list[Version]:
        """The versions in force, by ref: what the checks look at and an authority is shown."""
        return [version for kept in self.all() if (version := kept.in_force) is not None]

    def seed(self, by: str) -> list[str]:
        """Publishes register.yaml where the register is empty; the refs that were made."""
        if self._records.all(REGISTER):
            return []
        made = entries(CONTENT.read_text(encoding="utf-8"))
        for one in made:
            self._records.add(_record(one, 1, State.PUBLISHED, by, "first content"))
        return [one.ref for one in made]

    def save(self, wanted: Entry, base_n: int, by: str, why: str) -> Version:
        """Keeps a draft that is based on version `base_n` (0: a new entry). Raises StaleEdit, RegisterRefused."""
        return self._add(wanted, base_n, State.DRAFT, by, why)

    def publish(self, ref: str, base_n: int, by: str, why: str) -> Version:
        """Puts the newest version in force. Raises StaleEdit, and RegisterRefused with the errors that stand in the way."""
        kept = self.get(ref)
        if errors := [finding for finding in check([kept.newest.entry], datetime.now(UTC).date())
                      if finding.level is Level.ERROR]:
            raise RegisterRefused(f"{ref} cannot be published: " + "; ".join(f"{one.where}: {one.what}" for one in errors))
        return self._add(kept.newest.entry, base_n, State.PUBLISHED, by, why)

    def archive(self, ref: str, base_n: int, by: str, why: str) -> Version:
        """Takes an entry out of force; its versions stay. Raises StaleEdit, RegisterRefused."""
        return self._add(self.get(ref).newest.entry, base_n, State.ARCHIVED, by, why)

    def _add(self, wanted: Entry, base_n: int, state: State, by: str, why: str) -> Version:
        if not why.strip():
            raise RegisterRefused("Say why: a version of the register is kept with its reason.")
        try:
            return version_of(self._records.add(_record(wanted, base_n + 1, state, by, why.strip())))
        except Stale as stale:
            if stale.newest is None:
                raise RegisterRefused(f"The register has no entry {wanted.ref!r} to base this on.") from None
            based = self._records.versions(REGISTER, wanted.ref)[:base_n]
            raise StaleEdit(stale.newest, entry_of(based[-1]) if based else None, wanted) from None


def _record(one: Entry, n: int, state: State, by: str, why: str) -> Record:
    return Record(REGISTER, one.ref, n, str(state), one.model_dump_json(), datetime.now(UTC), by, why)


def _record_of(version: Version) -> Record:
    return Record(REGISTER, version.entry.ref, version.n, str(version.state), version.entry.model_dump_json(), version.at,
                  version.by, version.why)


def entry_of(record: Record) -> Entry:
    """The entry of a version. Raises RegisterRefused if it was altered in the store."""
    return version_of(record).entry


def version_of(record: Record) -> Version:
    """A version as the store has it. Raises RegisterRefused if it was altered there."""
    try:
        return Version(Entry.model_validate_json(record.body), record.n, State(record.state), record.at, record.by, record.why)
    except ValueError:
        raise RegisterRefused(f"Version {record.n} of {record.name} is damaged in Cassandra (table records); "
                              "restore it from its backup.") from None


def news(kept: Mapping[str, Kept], found: Imported) -> list[tuple[Entry, int]]:
    """Of the entries of a file those that say something new, each with the number of the version it goes on top of (0: none).

    An entry goes on top of the version it says that it is based on, or where it says none on top of the newest; what it says
    as that version does is not new. Raises StaleEdit where an entry is based on a version that is not the newest any more,
    RegisterRefused where there is no such version; then nothing of the file may be kept.
    """
    fresh = []
    for one in found.entries:
        there = kept.get(one.ref)
        newest_n = there.newest.n if there else 0
        n = found.based_on.get(one.ref, newest_n) if there else 0
        if n > newest_n:
            raise RegisterRefused(f"{one.ref} is said to be based on version {n}; there are {newest_n}. Export it again.")
        if there is not None and one == there.versions[n - 1].entry and (
                n != newest_n or there.newest.state is not State.ARCHIVED):
            continue
        if there is not None and n != newest_n:
            raise StaleEdit(_record_of(there.newest), there.versions[n - 1].entry, one)
        fresh.append((one, n))
    return fresh


def searched(kept: Sequence[Kept], text: str) -> list[Kept]:
    """The entries whose newest version holds a text somewhere, in any case."""
    return [one for one in kept if text.casefold() in one.newest.entry.model_dump_json().casefold()]

