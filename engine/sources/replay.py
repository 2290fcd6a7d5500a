"""People from a file: JSON lines, a JSON array or API answers, gzip too; for tests, demos and back-fills.

Lines are streamed, so a file may be of any size; a file that is one JSON document is read whole. A broken line is an
item with its problem, never the end. A replay starts from the top each time and ends with the file.
"""

import gzip
import io
import sys
import zlib
from collections.abc import Iterable, Iterator
from itertools import chain, islice
from pathlib import Path
from typing import Any, BinaryIO

from engine.errors import InputUnreadable
from engine.settings import Settings
from engine.sources import Item, Page, Wait, parsed, people_in

LOOKED_AT = 20
"""First lines by which a file is judged to be JSON at all."""

LARGEST_DOCUMENT = 512 * 1024 * 1024
"""Bytes of a file that is one document; larger ones are sent as lines, which need no memory."""

GZIP = b"\x1f\x8b"
FORMS = "Allowed are JSON lines, a JSON array and answers of the randomuser API, gzip or not."
BROKEN_LINE = "The line is not JSON: mend it and replay the file."

_Line = tuple[int, bytes]


class Replay:
    """A file of people. `-` is standard input."""

    name = "replay"
    synthetic = False
    resumes = False

    def __init__(self, settings: Settings) -> None:
        self._file = settings.producer.file
        self._page = settings.producer.page
        if not self._file:
            raise InputUnreadable("No file was given. `rollcall produce --source replay --file people.jsonl` "
                                  f"reads one, `--file -` standard input. {FORMS}")
        self._label = "stdin" if self._file == "-" else Path(self._file).name

    def pages(self, position: str | None, wait: Wait) -> Iterator[Page]:
        """The file's people from its top, whatever the position. Raises InputUnreadable."""
        items = self._items()
        number = 0
        while page := tuple(islice(items, self._page)):
            number += 1
            yield Page(page, f'{{"page": {number}}}')

    def _items(self) -> Iterator[Item]:
        line = 0
        try:
            with _opened(self._file) as file:
                for number, item in self._read(file):
                    line = number
                    yield item
        except (EOFError, zlib.error, gzip.BadGzipFile):
            raise InputUnreadable(f"{self._file} is a damaged gzip file: it breaks off after line {line}. What stood "
                                  "before was read. Fetch or pack the file again and replay it.") from None
        except OSError as error:
            raise InputUnreadable(f"{self._file} cannot be read: {error.strerror}. {FORMS}") from None

    def _read(self, file: BinaryIO) -> Iterator[tuple[int, Item]]:
        lines: Iterator[_Line] = _numbered(file, 1)
        head = list(islice(lines, 1))
        if head and not _is_person(head[0][1]):
            if head[0][1].lstrip(b"\xef\xbb\xbf \t").startswith((b"{", b"[")):
                rest = file.read(LARGEST_DOCUMENT + 1)
                document = self._document(head[0][1], rest)
                if document is not None:
                    yield from ((0, item) for item in document)
                    return
                lines = _numbered(chain(io.BytesIO(rest), file), head[0][0] + 1)    # lines, the first one broken
            head += islice(lines, LOOKED_AT)
            if not any(line.lstrip().startswith((b"{", b"[")) for _, line in head):
                raise InputUnreadable(f"{self._file} holds no JSON in its first {len(head)} lines. {FORMS}")
        for number, line in chain(head, lines):
            for item in self._line(number, line):
                yield number, item

    def _line(self, number: int, line: bytes) -> Iterator[Item]:
        place = f"{self._label}:{number}"
        try:
            value = parsed(line)
        except ValueError:
            yield Item(place, None, line.rstrip(b"\r\n"), BROKEN_LINE)
            return
        yield from _taken_apart(place, value)

    def _document(self, first: bytes, rest: bytes) -> Iterator[Item] | None:
        """The people of a file that is one JSON document; None when it is lines. Raises InputUnreadable."""
        if len(rest) <= LARGEST_DOCUMENT:
            try:
                return _taken_apart(self._label, parsed(first + rest))
            except ValueError as error:
                where = _where(error)
        else:
            where = f"more than {LARGEST_DOCUMENT >> 20} MiB"
        others = [line for _, line in islice(_numbered(io.BytesIO(rest), 2), LOOKED_AT)]
        if not others or any(map(_is_person, others)):
            return None
        raise InputUnreadable(f"{self._file} is one JSON document that cannot be read ({where}); nothing of it was "
                              f"sent. Mend it, or write one person a line. {FORMS}")


def _numbered(lines: Iterable[bytes], first: int) -> Iterator[_Line]:
    return ((number, line) for number, line in enumerate(lines, first) if line.strip())


def _taken_apart(place: str, value: object) -> Iterator[Item]:
    for outer, answer in enumerate(value) if isinstance(value, list) else [(None, value)]:
        for index, person in people_in(answer):
            yield Item(place + ("" if outer is None else f"[{outer}]") + index, person)


def _is_person(line: bytes) -> bool:
    """Whether a line stands for itself: an object or a list, complete."""
    try:
        return isinstance(parsed(line), dict | list)
    except ValueError:
        return False


def _where(error: ValueError) -> str:
    line, column = getattr(error, "lineno", None), getattr(error, "colno", None)
    return f"line {line}, column {column}" if line else "it holds what JSON does not allow"


def _opened(name: str) -> BinaryIO:
    if name == "-":
        given: Any = sys.stdin.buffer
        return gzip.GzipFile(fileobj=given) if given.peek(2)[:2] == GZIP else given  # type: ignore[return-value]
    with open(name, "rb") as file:
        packed = file.read(2) == GZIP
    return gzip.open(name) if packed else open(name, "rb")  # type: ignore[return-value]
