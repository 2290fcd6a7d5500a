"""`rollcall dead-letters list|show|redrive|discard`: what became of records that could not be used, and mending it."""

from collections import Counter
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import asdict
from typing import Annotated, Any

import typer

from engine.cli.audited import audited
from engine.cli.output import show, show_json, tell
from engine.dead_letters.alone import alone
from engine.dead_letters.discard import discard as discard_letters
from engine.dead_letters.discard import discardable
from engine.dead_letters.outcomes import SAYS, told
from engine.dead_letters.redrive import PRINCIPAL, Redriven
from engine.dead_letters.redrive import redrive as redrive_letters
from engine.sealing import load_keys
from engine.settings import Settings, load
from engine.sources import parsed
from engine.stores import dead_letters
from engine.stores.dead_letters import Box, DeadLetter
from governance.outline import first_bytes, outline

Json = Annotated[bool, typer.Option("--json", help="Print it as JSON.")]
Places = Annotated[list[str] | None, typer.Argument(metavar="[PLACE]...", help="Places of letters, as `list` names them.")]
Reason = Annotated[str, typer.Option(help="Those whose reason contains this text, in any case.")]
All = Annotated[bool, typer.Option("--all", help="All that are not handled.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do it; without this it is only said what would be done.")]


def register(app: typer.Typer) -> None:
    """Adds the commands of this group."""
    group = typer.Typer(help="Records that could not be used: look, send them again, discard them.", no_args_is_help=True)
    group.command("list")(list_letters)
    group.command("show")(show_letter)
    group.command("redrive")(redrive)
    group.command("discard")(discard)
    app.add_typer(group, name="dead-letters")


def list_letters(
    reason: Reason = "",
    limit: Annotated[int, typer.Option(min=0, help="Letters that are listed; all are counted.")] = 20,
    as_json: Json = False,
) -> None:
    """Count the dead letters by reason and list them: place, when the record was first met, attempts, state.

    Example: rollcall dead-letters list --reason e-mail --limit 50
    """
    box = _box(load(), "verify")
    letters = _chosen(box, (), reason)
    reasons = Counter(letter.reason for letter in letters).most_common()
    if as_json:
        show_json({"counts": box.counts, "chosen": len(letters),
                   "reasons": [{"reason": text, "letters": n} for text, n in reasons],
                   "letters": [_facts(letter) for letter in letters[:limit]]})
        return
    show(", ".join(f"{n} {state}" for state, n in box.counts.items()) + ".")
    for text, n in reasons:
        show(f"  {n} x {text}")
    for letter in letters[:limit]:
        show(f"{letter.place}  first met {letter.first_append or 'unknown'}  attempts {letter.attempts}  {letter.state}")
    if len(letters) > limit:
        show(f"and {len(letters) - limit} more: --limit {len(letters)} lists them.")
    if letters:
        show("Next: rollcall dead-letters show PLACE · rollcall dead-letters redrive --all")


def show_letter(
    place: Annotated[str, typer.Argument(metavar="PLACE", help="Its place, as `list` names it.")],
    as_json: Json = False,
) -> None:
    """Show what one letter is made of; of no field its value.

    Example: rollcall dead-letters show user_profiles-2-4711
    """
    letter = _chosen(_box(load(), "verify"), [place], "")[0]
    facts: dict[str, Any] = {**_facts(letter), "headers": sorted(letter.origin), "bytes": len(letter.value)}
    try:
        facts["parts"] = [asdict(part) for part in outline(parsed(letter.value))]
    except ValueError:
        facts["holds"] = first_bytes(letter.value) if letter.opened else "it cannot be opened: is keys.json the right one?"
    if as_json:
        show_json(facts)
        return
    show(f"{letter.place}: {letter.reason}")
    show(f"first met {letter.first_append or 'unknown'}, attempts {letter.attempts}, {letter.state}, {len(letter.value)} bytes")
    for part in facts.get("parts", ()):
        show(f"  {part['path']}: {part['holds']}" + (f" ({part['category']})" if part["category"] else ""))
    if "holds" in facts:
        show(f"  {facts['holds']}")


def redrive(
    places: Places = None, reason: Reason = "", everything: All = False, yes: Yes = False,
    within: Annotated[float, typer.Option(help="Seconds to wait for the stream, twice at most.", min=0)] = 120.0,
    as_json: Json = False,
) -> None:
    """Send dead letters again as a source would, and see what becomes of them. Without --yes nothing is changed.

    Interrupted anywhere, the same command goes on. Example: rollcall dead-letters redrive --reason e-mail --yes
    """
    settings = load()
    with alone(settings) if yes else nullcontext():
        box = _box(settings, PRINCIPAL)
        letters = _chosen(box, places or (), reason, everything, must=True)
        with audited(settings, "letters.redrive", f"{len(letters)} letters") if yes else nullcontext():
            done = redrive_letters(settings, letters, box, tell, within, yes)
    if as_json:
        show_json({"done": done.done, "counts": done.counts, "outcomes": [asdict(outcome) for outcome in done.outcomes]})
        return
    _show_redriven(done)


def discard(
    because: Annotated[str, typer.Option(help="Why; it is kept with your name and the time. No personal value in it.")],
    places: Places = None, reason: Reason = "", everything: All = False, yes: Yes = False, as_json: Json = False,
) -> None:
    """Take dead letters away for good, and write down who did, when, why. Without --yes nothing is changed.

    Those that are under way (`sent`) stay: redrive them first.
    Example: rollcall dead-letters discard --reason uuid --because "people of 2016, never wanted" --yes
    """
    settings = load()
    if not because.strip():
        raise typer.BadParameter("--because must say why.")
    with alone(settings) if yes else nullcontext():
        box = _box(settings, PRINCIPAL)
        chosen = _chosen(box, places or (), reason, everything, must=True)
        letters = discardable(chosen)
        number = 0
        if yes:
            with audited(settings, "letters.discard", f"{len(letters)} letters", because.strip()):
                number = discard_letters(settings, letters, box, because.strip())
    reasons = Counter(letter.reason for letter in letters).most_common()
    if as_json:
        show_json({"done": yes, "letters": len(letters), "under_way": len(chosen) - len(letters),
                   "reasons": [{"reason": text, "letters": n} for text, n in reasons]})
        return
    for text, n in reasons:
        show(f"  {n} x {text}")
    show(f"{number} letters are discarded; the collection `discards` says by whom and why." if yes else
         f"{len(letters)} letters would be discarded. Nothing was changed; --yes does it, and nothing brings them back.")
    if len(chosen) > len(letters):
        show(f"{len(chosen) - len(letters)} are under way (sent) and stay. Next: rollcall dead-letters redrive --all --yes")


def _show_redriven(done: Redriven) -> None:
    said = ""
    for what, number, text, why in told(done.outcomes):
        if what != said:
            show(f"{done.counts[what]} {SAYS[what]}")
            said = what
        show(f"  {number} x {text}" + (f" Now: {why}" if why else ""))
    if not done.outcomes:
        show("There is no such dead letter.")
    elif not done.done:
        show("Nothing was changed; --yes does it.")


def _box(settings: Settings, principal: str) -> Box:
    return dead_letters.read(settings, principal, load_keys(settings))


def _chosen(box: Box, places: Sequence[str], reason: str, everything: bool = True, must: bool = False) -> list[DeadLetter]:
    """The letters that are meant. must: whether something must be said of which."""
    if must and not (places or reason or everything):
        raise typer.BadParameter("Which ones? Name places, or give --reason TEXT or --all.")
    standing = {letter.place: letter for letter in box.standing}
    unknown = [place for place in places if place not in standing]
    if unknown:
        mark = box.marks.get(unknown[0])
        known = f": it is {mark.state} since {mark.at}." if mark else "; `rollcall dead-letters list` names them."
        raise typer.BadParameter(f"There is no dead letter {unknown[0]!r}{known}")
    chosen = [standing[place] for place in places] if places else list(standing.values())
    return [letter for letter in chosen if reason.lower() in letter.reason.lower()]


def _facts(letter: DeadLetter) -> dict[str, Any]:
    return {"place": letter.place, "reason": letter.reason, "first_append": letter.first_append,
            "attempts": letter.attempts, "state": letter.state}
