"""`rollcall register check`: the entries in force, as the law asks for them and as the running systems are."""

from datetime import UTC, datetime

from engine.compliance.register import Register
from engine.compliance.retention import newest, stale
from engine.compliance.survey import PRINCIPAL, survey
from engine.settings import Settings
from engine.stores.records import Records
from governance.drift import drift
from governance.register_checks import Finding, Level, check

WELL = frozenset({Level.WARNING})
"""Levels that leave a check well."""


MEASUREMENT = "retention"
"""Where it is said that the measurement is old."""


def checked(settings: Settings, live: bool = True) -> list[Finding]:
    """Every finding, the worst first. live: whether the systems are read, too. Raises StoreAway, SignInRefused."""
    now = datetime.now(UTC)
    with Records.opened(settings, PRINCIPAL) as records:
        entries = [version.entry for version in Register(records).in_force()]
        kept = newest(records)
    found = check(entries, now.date()) + (drift(entries, survey(settings)) if live else [])
    if live and stale(settings, kept, now):
        since = f"since {kept.at:%Y-%m-%d %H:%M} UTC" if kept else "ever"
        found.append(Finding(Level.WARNING, "", MEASUREMENT, f"nothing was measured {since}: does the keeper run? `rollcall "
                             "status` shows it, `rollcall retention measure` does it now"))
    return sorted(found, key=lambda finding: (list(Level).index(finding.level), finding.ref, finding.where))


def well(findings: list[Finding]) -> bool:
    """Whether there is no error and no drift."""
    return all(finding.level in WELL for finding in findings)
