"""A small real HTTP server on 127.0.0.1 that behaves like the randomuser API, its limits and error bodies included.

Its people are generated ones under uuids made of seed, page and index: the same seed and page name the same people, and
page 2 of seed `a` is page 1 of seed `a2`, as with the API.

    with Lookalike() as api:
        api.script += [429, "garbage", "slow:0.5"]     # what the next requests get; then it answers rightly
        ... settings.randomuser.base_url = api.url ...
        api.asked                                      # the parameters of each request
"""

import json
import threading
import time
import uuid
from collections import deque
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

from tests.people import generated

NAMESPACE = uuid.UUID("9b1f4c58-3f43-4d0c-9d2c-4f1f3d6f8a11")
COWBOY = {"error": "Whoa, ease up there cowboy. You've requested 20,000 users in the last minute. Help us keep this "
                   "service free and spare some bandwidth for other users please :)"}
UH_OH = {"error": "Uh oh, something has gone wrong. Please tweet us @randomapi about the issue. Thank you."}


class Lookalike:
    """The server. allowed: people per `window_s` and address; after that, 429. most: the largest `results`.

    script: for each of the next requests "ok", a status (429, 500), "garbage", "error", "empty", "cut" (the body breaks
    off), "short" (one person too few), "other page", or "slow:<seconds>".
    """

    def __init__(self, allowed: int = 20_000, window_s: float = 300.0, most: int = 5000) -> None:
        self.allowed, self.window_s, self.most = allowed, window_s, most
        self.script: deque[int | str] = deque()
        self.asked: list[dict[str, str]] = []
        self._given: deque[tuple[float, int]] = deque()
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    @property
    def url(self) -> str:
        """Address of version 1.4."""
        return f"http://127.0.0.1:{self._server.server_port}/api/1.4/"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def answer(self, path: str, asked: dict[str, str]) -> tuple[int, bytes]:
        """Status and body of one request."""
        with self._lock:
            self.asked.append(asked)
            turn = self.script.popleft() if self.script else "ok"
        count = _whole(asked.get("results", "1"), self.most)
        number = _whole(asked.get("page", "1"), 10_000)
        seed = asked.get("seed", "fea8be3e64777240")
        if not path.startswith(("/api/1.4/", "/api/?")) and path != "/api/":
            return 404, b"Cannot GET " + path.encode()
        if not self._within_limit(count):
            return 429, _json(COWBOY)
        match turn:
            case int():
                return turn, _json(COWBOY if turn == 429 else UH_OH)
            case "garbage":
                return 200, b"<html><body>502 Bad Gateway</body></html>"
            case "empty":
                return 200, b""
            case "error":
                return 200, _json(UH_OH)
            case "short":
                count -= 1
            case "other page":
                number = 1
            case str() if turn.startswith("slow:"):
                time.sleep(float(turn[5:]))    # the server's own slowness, not a wait of the test
        body = _json({"results": [_included(_person(seed, number, index), asked.get("inc")) for index in range(count)],
                      "info": {"seed": seed, "results": count, "page": number, "version": "1.4"}})
        return 200, body[:len(body) // 2] if turn == "cut" else body

    def _within_limit(self, count: int) -> bool:
        now = time.monotonic()
        with self._lock:
            while self._given and now - self._given[0][0] > self.window_s:
                self._given.popleft()
            if sum(given for _, given in self._given) + count > self.allowed:
                return False
            self._given.append((now, count))
            return True


def uuids(seed: str, number: int, count: int) -> list[str]:
    """The uuids of one page."""
    return [_person(seed, number, index)["login"]["uuid"] for index in range(count)]


def _person(seed: str, number: int, index: int) -> dict[str, Any]:
    stream = seed if number == 1 else f"{seed}{number}"
    name = uuid.uuid5(NAMESPACE, f"{stream}|{index}")
    people = generated_once()
    person = people[name.int % len(people)]
    return {**person, "login": {**person["login"], "uuid": str(name)}}


_PEOPLE: list[dict[str, Any]] = []


def generated_once() -> list[dict[str, Any]]:
    """The generated people, parsed once."""
    if not _PEOPLE:
        _PEOPLE.extend(generated())
    return _PEOPLE


def _whole(text: str, most: int) -> int:
    """As the API reads numbers: what it does not like is 1, without a word."""
    return int(text) if text.isdecimal() and 1 <= int(text) <= most else 1


def _included(person: dict[str, Any], names: str | None) -> dict[str, Any]:
    return person if not names else {name: value for name, value in person.items() if name in names.split(",")}


def _json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode()


def _handler(api: Lookalike) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            status, body = api.answer(parts.path, {name: values[0] for name, values in parse_qs(parts.query).items()})
            try:
                self.send_response(status)
                self.send_header("Content-Type", "application/json; charset=utf-8")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)
            except OSError:
                pass    # the client gave up, as it may

        def log_message(self, format: str, *args: object) -> None:
            """Says nothing."""

    return Handler
