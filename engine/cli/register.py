"""`rollcall register list|check|show|export|import|publish|archive`: the record of processing activities (Art. 30 GDPR)."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from engine.cli.audited import acting_as, audited
from engine.cli.output import show, show_json, tell
from engine.compliance.checks import checked, well
from engine.compliance.forms import Form
from engine.compliance.register import Register, RegisterRefused, news
from engine.settings import Settings, load
from engine.stores.records import Records

UNWELL = 1

Ref = Annotated[str, typer.Argument(metavar="REF", help="Short name of the entry.")]
Why = Annotated[str, typer.Option(help="The reason, kept with the version.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print it as JSON.")]


class ShowAs(StrEnum):
    """How `show` prints an entry."""

    YAML = "yaml"
    JSON = "json"


def register(app: typer.Typer) -> None:
    """Adds the commands of this group."""
    group = typer.Typer(help="The register of processing activities, checked against the running systems.",
                        no_args_is_help=True)
    group.command("list")(list_entries)
    for command in (check, publish, archive):
        group.command()(command)
    group.command("show")(show_entry)
    group.command("export")(export)
    group.command("import")(import_sheet)
    app.add_typer(group, name="register")


def list_entries(as_json: AsJson = False) -> None:
    """List the entries with their newest version.

    Example: rollcall register list
    """
    with _opened(load()) as kept_in:
        kept = kept_in.all()
    if as_json:
        show_json([{"ref": one.ref, "activity": one.newest.entry.activity, "n": one.newest.n, "state": one.newest.state,
                    "in_force": one.in_force.n if one.in_force else None, "at": one.newest.at, "by": one.newest.by}
                   for one in kept])
        return
    for one in kept:
        force = f"version {one.in_force.n} in force" if one.in_force else "not in force"
        show(f"{one.ref:26} {one.newest.entry.activity:40} {one.newest.state} (version {one.newest.n}), {force}")
    if not kept:
        show("The register is empty. `rollcall up` publishes the first content.")


def check(
    as_json: AsJson = False,
    live: Annotated[bool, typer.Option("--live/--paper", help="Whether it is compared with the running systems, too.")] = True,
) -> None:
    """Check the entries in force, on paper and against the running systems; exit 1 on an error or drift.

    Example: rollcall register check
    """
    found = checked(load(), live)
    if as_json:
        show_json({"ok": well(found), "findings": [asdict(finding) for finding in found]})
    else:
        for finding in found:
            show(str(finding))
        bad = sum(not well([finding]) for finding in found)
        compared = "what the law asks and what the systems are" if live else "what the law asks"
        show(f"{bad} errors or differences, {len(found) - bad} warnings." if bad else
             f"The register says {compared}; {len(found)} warnings.")
    if not well(found):
        raise typer.Exit(UNWELL)


def show_entry(
    ref: Ref,
    version: Annotated[int, typer.Option(help="Number of a version; the newest if not given.", min=0)] = 0,
    form: Annotated[ShowAs, typer.Option("--as", help="YAML, or JSON.")] = ShowAs.YAML,
) -> None:
    """Print an entry, in the form in which it can be edited and imported.

    Example: rollcall register show people-stream > people-stream.yaml
    """
    from engine.compliance.sheets import as_yaml  # workbooks are imported only by those who need them

    with _opened(load()) as kept_in:
        versions = kept_in.get(ref).versions
    if version > len(versions):
        raise RegisterRefused(f"{ref} has {len(versions)} versions; there is no version {version}.")
    chosen = versions[version - 1 if version else -1]
    show(json.dumps(chosen.entry.model_dump(mode="json"), indent=2, ensure_ascii=False) if form is ShowAs.JSON else
         as_yaml([chosen]).rstrip())


def export(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="File to write.")],
    form: Annotated[Form, typer.Option("--as", help="Which form.")] = Form.CNIL,
    drafts: Annotated[bool, typer.Option("--drafts", help="The newest versions, drafts among them.")] = False,
) -> None:
    """Write the entries in force: cnil and ico are workbooks, html prints well, csv, json (DPV) and yaml are for machines.

    Example: rollcall register export register.xlsx --as cnil
    """
    from engine.compliance.sheets import derived, written  # workbooks are imported only by those who need them

    settings = load()
    with _opened(settings) as kept_in, audited(settings, "register.export", str(form)):
        versions = [one.newest for one in kept_in.all()] if drafts else kept_in.in_force()
        file.write_bytes(written(form, versions, derived(settings, versions)))
    show(f"{len(versions)} entries are in {file}.")


def import_sheet(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, metavar="FILE", help="A file as `export` writes it.")],
    why: Why,
    form: Annotated[Form, typer.Option("--as", help="Which form it has.")] = Form.CNIL,
) -> None:
    """Take the entries of a file over as drafts; what did not fit is said. Exit 1 if something did not. A file that was made
    of a version on top of which somebody else has saved is refused, with what they changed.

    Example: rollcall register import people-stream.yaml --as yaml --why "new recipient"
    """
    from engine.compliance.sheets import read  # workbooks are imported only by those who need them

    settings = load()
    with _opened(settings) as kept_in:
        kept = {one.ref: one for one in kept_in.all()}
        found = read(form, file.read_bytes(), kept)
        fresh = news(kept, found)
        for one, base_n in fresh:
            if base_n and one.ref not in found.based_on:
                tell(f"{one.ref}: the file does not say on which version it is based, so it is a new draft on top of version "
                     f"{base_n}")
            with audited(settings, "register.change", one.ref, why):
                version = kept_in.save(one, base_n, acting_as(), why)
            show(f"{one.ref}: version {version.n} is a draft now; `rollcall register publish {one.ref}` puts it in force")
    for ref in sorted({one.ref for one in found.entries} - {one.ref for one, _ in fresh}):
        tell(f"{ref}: nothing in it is new")
    for sentence in found.unfit:
        show(f"did not fit: {sentence}")
    if found.unfit:
        raise typer.Exit(UNWELL)


def publish(
    ref: Ref, why: Why,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would become due by a shorter time limit.")] = False,
) -> None:
    """Put the newest version of an entry in force; refused while an error stands in the way. What becomes due by a shorter time
    limit is said before.

    Example: rollcall register publish people-stream --why "reviewed"
    """
    from engine.compliance.shorter import made_due  # clients of Kafka and Cassandra are imported only by those who need them

    settings = load()
    with _opened(settings) as kept_in:
        found = made_due(settings, kept_in, ref, datetime.now(UTC))
    for sentence in found:
        (show if dry_run else tell)(sentence)
    if dry_run:
        show(f"{ref}: nothing was published" + ("." if found else ", and it would make nothing due."))
        return
    with _opened(settings) as kept_in, audited(settings, "register.publish", ref, why):
        version = kept_in.publish(ref, kept_in.get(ref).newest.n, acting_as(), why)
    show(f"{ref}: version {version.n} is in force since {datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC.")


def archive(ref: Ref, why: Why) -> None:
    """Take an entry out of force; its versions stay.

    Example: rollcall register archive people-stream --why "the activity has ended"
    """
    settings = load()
    with _opened(settings) as kept_in, audited(settings, "register.publish", ref, why):
        version = kept_in.archive(ref, kept_in.get(ref).newest.n, acting_as(), why)
    show(f"{ref}: archived as version {version.n}.")


@contextmanager
def _opened(settings: Settings) -> Iterator[Register]:
    with Records.opened(settings) as records:
        yield Register(records)
