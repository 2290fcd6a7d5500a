"""`rollcall produce`: people from a source to Kafka."""

import signal
import threading
from contextlib import nullcontext
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from engine.cli.output import log, show, show_json, tell
from engine.errors import SettingsInvalid
from engine.settings import Settings, load

if TYPE_CHECKING:
    from engine.producer import Produced

INTERRUPTED = 130


class SourceName(StrEnum):
    """Sources by name."""

    AUTO = "auto"
    RANDOMUSER = "randomuser"
    SYNTHETIC = "synthetic"
    REPLAY = "replay"


def register(app: typer.Typer) -> None:
    """Adds the commands of this group."""
    app.command("produce")(produce_people)


def produce_people(
    source: Annotated[SourceName | None, typer.Option(help="Where people come from; otherwise the settings say.")] = None,
    file: Annotated[Path | None, typer.Option(
        help="File of the replay source: JSON, JSON lines, API answers, gzip; - for standard input.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Stop after so many people were read.")] = None,
    rate: Annotated[float | None, typer.Option(min=0, help="People a second at most; 0: as fast as it goes.")] = None,
    skip_erased: Annotated[bool | None, typer.Option(
        "--skip-erased/--no-skip-erased", help="Leave out erased people here already; the stream does so anyway, of "
        "what is set aside this does always, so it waits for Cassandra.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print what was done as JSON.")] = False,
    supervised: Annotated[bool, typer.Option(hidden=True)] = False,
) -> None:
    """Send people to Kafka until the source ends or Ctrl-C; then say what was sent, skipped and set aside.

    Example: rollcall produce --source replay --file people.jsonl --rate 0
    """
    # imported here: they take a quarter of the time in which any command answers
    from engine.metrics import ProducerMetrics, served
    from engine.producer import produce
    from engine.sources.auto import open_source

    if file is not None and source not in (None, SourceName.REPLAY):
        raise SettingsInvalid(f"--file belongs to --source replay; received --source {source.value}.")
    settings = _with(load(), source=source and source.value, file=file and str(file), rate=rate, skip_erased=skip_erased)
    stop = threading.Event()
    interrupted = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())

    def interrupt(*_: object) -> None:
        interrupted.set()
        stop.set()

    signal.signal(signal.SIGINT, interrupt)
    say = log if supervised else tell
    metrics = ProducerMetrics()
    with served(settings, metrics, say) if supervised else nullcontext():
        done = produce(settings, open_source(settings, say, stop), say, stop, limit, supervised, metrics)
    if as_json:
        show_json(asdict(done))
    else:
        _show(done, supervised)
    if interrupted.is_set():
        raise typer.Exit(INTERRUPTED)


def _show(done: "Produced", supervised: bool) -> None:
    finish = log if supervised else show
    dropped = ", ".join(f"{path} {n}" for path, n in sorted(done.dropped.items())) or "none"
    finish(f"{done.read} people read: {done.sent} sent, {done.dead} dead letters, {done.erased_skipped} skipped as erased.")
    finish(f"Fields left out: {dropped}.")


def _with(settings: Settings, **given: Any) -> Settings:
    """The settings with the options that were given."""
    update = {name: value for name, value in given.items() if value is not None}
    if update.get("file") and "source" not in update:
        update["source"] = "replay"
    return settings.model_copy(update={"producer": settings.producer.model_copy(update=update)})
