"""infra/supervisord.conf, filled in: for all programs of an installation, or for one that has a supervisord of its own."""

import os
import re
import shlex
import sys
from pathlib import Path
from string import Template

from engine.errors import FOR_A_PERSON
from engine.native import cassandra, kafka, mongo, mongod, tools
from engine.native.server import Server
from engine.settings import CLONE, Settings
from engine.tls import pages

SERVERS: dict[str, Server] = {"kafka": kafka, "mongo": mongo, "cassandra": cassandra}
PROGRAMS = ("stream", "producer", "view", "console", "keeper")

BELIEVED_AFTER_S = 5
"""Seconds a stream or producer must live before supervisord takes note of the exit code it ends with; sooner it is tried
again whatever the code says, so a program that ends for good lives a little longer (engine/cli)."""

FOR_GOOD = ",".join(["0", *sorted({str(kind.exit_code) for kind in FOR_A_PERSON})])
"""Exit codes after which a program is not started again: it has ended well, or only a person can put it right."""


def native_servers(settings: Settings) -> dict[str, Server]:
    """The servers that are ours to run: not those that run elsewhere."""
    every = {**SERVERS, "mongo": mongod} if tools.runs_mongod(settings) else SERVERS
    return {name: server for name, server in every.items() if name not in settings.elsewhere}


def named(word: str, only: str) -> str:
    """What a supervisord's own files are called; only: the one program it keeps, if it does not keep them all."""
    return f"{word}-{only}" if only else word


def configuration(settings: Settings, socket: Path, only: str = "") -> str:
    """The text of a supervisord's configuration; only: the one program it keeps, which then starts with it."""
    python = sys.executable
    commands = {
        **{name: server.command(settings) for name, server in native_servers(settings).items() if not only},
        "producer": [python, "-m", "engine.cli", "produce", "--supervised"],
        # whoever looks at the console waits; a batch that is a little later does not (bench/console.py)
        "stream": ["nice", "-n", "5", python, "-m", "engine.cli", "stream", "run"],
        "keeper": ["nice", "-n", "10", python, "-m", "engine.cli", "retention", "keep"],
        # figures may be late, people may not: where everything starts at once, the flow goes first
        "view": ["nice", "-n", "10", python, "-m", "gunicorn", "--bind", f"{settings.view.host}:{settings.view.port}",
                 "--workers", "1", "--threads", "4", "--no-control-socket", *pages.gunicorn(settings),
                 "--logger-class", "app.public.lines.Lines", "app.public.dashboard:server"],
        # uvicorn would believe X-Forwarded-For of this machine; whom to believe is for the door to say
        "console": ["env", "FORWARDED_ALLOW_IPS=", python, "-m", "streamlit", "run", "app/server.py",
                    "--server.address", settings.console.host, "--server.port", str(settings.console.port),
                    *pages.streamlit(settings)]}
    kept = {only: commands[only]} if only else commands
    common = "\n".join([
        "redirect_stderr=true", f"stdout_logfile={_quoted(settings.logs_dir)}/%(program_name)s.log",
        f"stdout_logfile_maxbytes={settings.logs.max_bytes}", f"stdout_logfile_backups={settings.logs.backups}",
        "stopasgroup=false", "killasgroup=true",
        f'environment=ROLLCALL_HOME="{_quoted(settings.home)}",PYTHONUNBUFFERED="1"'])
    return Template(_template(tuple(kept))).substitute(
        {name: _quoted(shlex.join(command)) for name, command in kept.items()},
        socket=_quoted(socket), clone=_quoted(CLONE), common=common, at_once=str(bool(only)).lower(),
        own_log=_quoted(settings.logs_dir / f"{named('supervisord', only)}.log"),
        pid_file=_quoted(settings.run / f"{named('supervisord', only)}.pid"), logs=_quoted(settings.logs_dir),
        log_bytes=settings.logs.max_bytes, log_backups=settings.logs.backups,
        believed=BELIEVED_AFTER_S, for_good=FOR_GOOD, user_line="user=root" if os.getuid() == 0 else "")


def _template(programs: tuple[str, ...]) -> str:
    """infra/supervisord.conf with the sections of these programs alone."""
    head, *sections = re.split(r"^(?=\[program:)", (CLONE / "infra/supervisord.conf").read_text(), flags=re.MULTILINE)
    return head + "".join(section for section in sections if section[len("[program:"):section.index("]")] in programs)


def _quoted(value: object) -> str:
    """A value for supervisord's configuration, where a percent sign starts an expansion."""
    return str(value).replace("%", "%%")
