"""`rollcall backup` and `rollcall restore`: a copy of the whole installation, and the way back from it."""

import logging
import sys
from pathlib import Path
from typing import Annotated

import typer

from engine import shut, stack
from engine.backup import loading, making, passphrase
from engine.cli.audited import audited
from engine.cli.check import DIFFERENT, show_report
from engine.cli.output import show, tell
from engine.cli.restore import carried_out_again, require_closed
from engine.errors import SettingsInvalid
from engine.settings import Settings, load
from engine.stores.audit import AuditLog

Folder = Annotated[Path, typer.Argument(help="Folder of the backup.", metavar="FOLDER")]
PassphraseFile = Annotated[Path | None, typer.Option(help="File with the passphrase, one line; without it, it is asked for.")]


def register(app: typer.Typer) -> None:
    """Adds the commands of this group."""
    app.command()(backup)
    app.command()(restore)


def backup(
    folder: Folder,
    keys: Annotated[Path | None, typer.Option(help="File for the key ring, sealed with a passphrase; elsewhere.")] = None,
    passphrase_file: PassphraseFile = None,
) -> None:
    """Copy rows, markers, aggregates, commands, register, requests, audit and accounts into a new folder, as of one moment.

    A running stream stands still meanwhile for some seconds. The key ring goes into a file of its own, or nowhere; without it
    nobody can read the backup, you neither. Example: rollcall backup backups/monday --keys keys/monday.json
    """
    settings = load()
    making.require_new(settings, folder, keys)
    word = _passphrase(passphrase_file, new=True) if keys else ""
    with audited(settings, "installation.backup", folder.name):
        made = making.make(settings, folder, keys, word, tell)
    show(f"{folder} holds the installation as of {made.made_at}: {made.rows['profiles']} rows, {made.rows['markers']} markers, "
         f"{sum(made.documents.values())} documents, {made.commands} commands; {len(made.files)} files, "
         f"{sum(kept.size for kept in made.files.values()):,} bytes.")
    show(f"The key ring is in {keys}, under your passphrase: keep it apart from the backup." if keys else
         f"The key ring is NOT in it. Without {settings.secrets / 'keys.json'} nobody can read this backup: keep a copy of "
         "that file elsewhere, or give --keys FILE.")


def restore(
    folder: Folder,
    keys: Annotated[Path | None, typer.Option(help="File with the key ring that `rollcall backup --keys` wrote.")] = None,
    passphrase_file: PassphraseFile = None,
    commands: Annotated[Path | None, typer.Option(help="Newest export of the commands: who was erased since.")] = None,
    within: Annotated[float, typer.Option(help="Seconds to wait for the stream.", min=0)] = 3600.0,
) -> None:
    """Put a backup into an empty installation, erase again who was erased since, compare everything, and only then open.

    Leaves servers and stream running, as restore-check does. Interrupted, or after exit code 75, it can be given again.
    Example: rollcall restore backups/monday --keys keys/monday.json --commands commands.jsonl
    """
    from engine.verify import verify  # Spark is imported only by those who need it

    logging.getLogger().addHandler(logging.NullHandler())    # py4j would print a traceback for a Ctrl-C
    settings = load()
    require_closed(settings)
    ring = passphrase.read_keys(keys, _passphrase(passphrase_file)) if keys else None
    made, settings = loading.looked_at(settings, folder, ring, commands, tell)
    stack.servers_up(settings, tell)
    if shut.loaded(settings) == (made.seal, True):
        tell("the backup was loaded before")
    else:
        loading.into_empty(settings, folder, made, commands, tell)
    if commands is None:
        tell(f"without --commands nobody is known who was erased after {made.made_at}: they come back")
    with audited(settings, "installation.restore", folder.name, f"as of {made.made_at}"):
        _chain(settings)
        carried_out_again(settings, commands, within)
        report = verify(settings, tell)
        show_report(report)
        if not report.ok:
            show("Nothing may open yet. docs/operating.md says what to do about each place; `rollcall verify` compares again, "
                 "and `rollcall restore-check` opens.")
            raise typer.Exit(DIFFERENT)
        shut.opened(settings)
    show(f"The backup of {made.made_at} is restored. Everything may open: `rollcall up`.")


def _chain(settings: Settings) -> None:
    """Says how the audit came back; where it was cut, or went on after the backup, its gap is named for ever."""
    with AuditLog.opened(settings) as audit:
        checked = audit.checked()
    show(f"The audit has {checked.entries} entries, and every link holds." if not checked.broken else
         f"The audit has {checked.entries} entries, and {len(checked.broken)} links do not hold: `rollcall audit verify` names "
         "them. What was done after the backup is among them, where this installation knows that there was something.")


def _passphrase(path: Path | None, new: bool = False) -> str:
    """The passphrase, from a file or from whoever is at the terminal. new: it is asked for twice. Raises InputUnreadable,
    SettingsInvalid where nobody can be asked, PassphraseRefused for a new one that is too short."""
    if path is not None:
        word = passphrase.read_passphrase(path)
    elif not sys.stdin.isatty():
        raise SettingsInvalid("The key ring needs a passphrase, and nobody is at a terminal to give it: --passphrase-file F.")
    else:
        word = typer.prompt("Passphrase of the key ring", hide_input=True, confirmation_prompt=new, err=True)
    if new:
        passphrase.require_strong(word)
    return word
