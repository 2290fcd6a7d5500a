"""`rollcall doctor`: is everything around the flow as it must be?"""

from dataclasses import asdict
from typing import Annotated

import typer

from engine.cli.output import show, show_json
from engine.doctor import Finding, examine
from engine.errors import SettingsInvalid
from engine.settings import load

NOT_WELL = 1


def register(app: typer.Typer) -> None:
    """Adds the command of this group."""
    app.command("doctor")(look_around)


def look_around(as_json: Annotated[bool, typer.Option("--json", help="Print every finding as JSON.")] = False) -> None:
    """Check tools, folders, room, secrets, ports, programs and stores; changes nothing; exit 1 if one is not well.

    Works before the first `rollcall up` and beside a running installation. Example: rollcall doctor
    """
    findings: list[Finding] = []
    try:
        settings = load()
        findings.append(Finding("settings", True, f"{settings.home / 'settings.toml'} and ROLLCALL_*"))
    except SettingsInvalid as error:    # then nothing else can be looked at
        findings.append(Finding("settings", False, str(error)))
        settings = None
    if not as_json:
        _say(findings[0])
    for finding in examine(settings) if settings else ():
        findings.append(finding)
        if not as_json:
            _say(finding)
    wrong = [finding for finding in findings if not finding.ok]
    if as_json:
        show_json({"ok": not wrong, "findings": [asdict(finding) for finding in findings]})
    else:
        show("All is well." if not wrong else f"{len(wrong)} of {len(findings)} are not well.")
    if wrong:
        raise typer.Exit(NOT_WELL)


def _say(finding: Finding) -> None:
    todo = f" -> {finding.todo}" if finding.todo else ""
    show(f"{'ok ' if finding.ok else 'NOT'}  {finding.name:22} {finding.found}{todo}")
