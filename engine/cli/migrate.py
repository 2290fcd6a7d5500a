"""`rollcall migrate`: what an older Rollcall kept takes the form in which this one keeps it."""

from typing import Annotated

import typer

from engine import shut, stack
from engine.cli.audited import audited
from engine.cli.output import show, tell
from engine.cli.restore import require_closed
from engine.migrations import migrating, settings_form
from engine.migrations.settings_form import SettingsOlder
from engine.secrets import write_secret
from engine.settings import Settings, load

TO_DO = 1


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command()(migrate)


def migrate(
    dry_run: Annotated[bool, typer.Option(
        "--dry-run", help="Only say what would be changed; change and start nothing.")] = False,
) -> None:
    """Bring settings and stores of an older Rollcall into the form of this one, with everything of ours down.

    Starts the servers and leaves them running. Killed, it can be given again. A dry run ends with exit code 1 where there is
    something to do. Example: rollcall migrate --dry-run
    """
    settings = _of_now(dry_run)
    if dry_run:
        _shown(settings)
        return
    shut.require_loaded(settings)
    require_closed(settings)
    stack.servers_up(settings, tell)
    if not migrating.look(settings):
        show("Everything is of the form of this Rollcall already: `rollcall up`.")
        return
    with audited(settings, "installation.migrate", "installation"):
        taken = migrating.run(settings, tell)
    show(f"{taken} step{'s' if taken != 1 else ''} taken. `rollcall up` starts everything; then `rollcall verify` compares.")


def _of_now(dry_run: bool) -> Settings:
    """The settings, after settings.toml was migrated if it had to be; the file of before stays beside it."""
    try:
        return load()
    except SettingsOlder as older:
        before = older.path.read_text(encoding="utf-8")
        fresh, said = settings_form.migrated(before, older.path)
        for change in said:
            show(f"settings.toml: {change}")
        if dry_run:
            show("Nothing was changed. The stores can be looked at after that: the servers are found by these settings.")
            raise typer.Exit(TO_DO) from None
        write_secret(aside := older.path.with_suffix(".toml.before"), before.encode())
        write_secret(older.path, fresh.encode())
        show(f"The file as it was: {aside}")
        return load()


def _shown(settings: Settings) -> None:
    found = migrating.look(settings)
    for one in found:
        show(f"{one}. {one.step.what}")
    if found:
        show("Nothing was changed. `rollcall down`, then `rollcall migrate` does this.")
        raise typer.Exit(TO_DO)
    show("Nothing to do: everything is of the form of this Rollcall.")
