"""Files of the installation that name people: logs, what somebody exported there, the producer's place; gzip and zip opened."""

import gzip
import os
import re
import zipfile
from bisect import bisect_left
from collections.abc import Collection, Iterator, Set
from contextlib import closing
from dataclasses import dataclass
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import IO

from engine.machine.user import whoami
from engine.rights.persons import LONGEST, About
from engine.sealing import token
from engine.settings import Settings
from governance.rights.verdict import Outcome, Verdict

FILES = "files"

SERVERS = ("data", "secrets")
"""Folders of an installation in which its files are not searched: the servers are asked, and secrets are random."""

_AT_ONCE = 1 << 20
_OVERLAP = 4 * LONGEST
"""Bytes of one piece that are looked at again with the next: more than a number or an address is long."""


_MARK = re.compile(r"file:(\d+)-\w+")
"""The mark of a file among the places of a proof: how many of its first bytes, and the token of these."""


@dataclass(frozen=True)
class Searched:
    """What came of a search. files: how many were read; naming: how many of them name somebody, or are known to; unread: how
    many files and folders could not be read, so that nobody knows; addressed: marks of those that name somebody by e-mail
    alone."""

    files: int
    naming: int
    unread: int
    addressed: frozenset[str] = frozenset()


def searched(settings: Settings, about: About, key: bytes = b"", before: Collection[str] = ()) -> Searched:
    """Looks through every file of the installation for numbers and known e-mails of people; linked folders are of it, too.
    key: of the marks' tokens; before: marks of files in which an e-mail was found that was known then."""
    files = naming = unread = 0
    addressed: set[str] = set()
    lengths = {int(found[1]) for mark in before if (found := _MARK.fullmatch(mark))}
    closed: list[OSError] = []
    # what was fetched is programs, no data; each folder is looked at once, however many links lead there
    seen = {*(os.path.realpath(settings.home / name) for name in SERVERS), os.path.realpath(settings.cache)}
    for folder, below, names in os.walk(settings.home, onerror=closed.append, followlinks=True):
        if (real := os.path.realpath(folder)) in seen:
            below.clear()
            continue
        seen.add(real)
        for path in (Path(folder, name) for name in names):
            try:
                if not path.is_file():    # a socket, or a link that leads nowhere
                    continue
                named, marks = _looked_at(path, about, key, before, lengths)
                naming += named
                addressed |= marks
                files += 1
            except FileNotFoundError:    # rotated or removed meanwhile
                continue
            except Exception:    # what is packed and damaged makes its reader raise whatever it comes upon
                unread += 1
    return Searched(files, naming, unread + sum(not isinstance(error, FileNotFoundError) for error in closed),
                    frozenset(addressed))


def of_files(found: Searched, sought: str, known: bool) -> Verdict:
    """What a search comes to. sought: what was looked for; known: whether it could be looked up which e-mails are theirs."""
    said = [f"{found.naming} of {found.files} files in the installation's folder name them, by number or e-mail (or did by one "
            "that is not known any more): logs, or what somebody exported there; delete those"] if found.naming else []
    said += [f"{found.unread} files or folders there cannot be read; let {whoami()} read them"] if found.unread else []
    said += [] if known else ["which e-mails are theirs could not be looked up"]
    if said:
        return Verdict(FILES, Outcome.NOT_ERASED, f"{'; '.join(said)}; then run this again")
    return Verdict(FILES, Outcome.ERASED, f"{found.files} files of the installation (logs, exports, the producer's place), "
                   f"those packed by gzip or zip opened, do not hold {sought}")


def _looked_at(path: Path, about: About, key: bytes, before: Collection[str], lengths: Set[int]) -> tuple[bool, set[str]]:
    """Whether a file names somebody, or is known to; and its marks, where an e-mail alone tells. A mark is of what stands up to
    the first e-mail: so it stays with a file that grows, is renamed or packed, and not with one that is written anew. lengths:
    of how many bytes those of before are."""
    marks, known = set[str](), False
    for stream in _streams(path):
        digest, read, last, told = sha256(), 0, b"", False
        while piece := stream.read(_AT_ONCE):
            text = last + piece
            if about.numbered(text):
                return True, set()
            ends = {length for length in lengths if read < length <= read + len(piece)}
            first = 0
            if not told and about.addressed(text):
                first, told = max(read + 1, read - len(last) + _end_of_first(text, about)), True
            for end in (ends | {first}) - {0}:
                upto = digest.copy()
                upto.update(piece[:end - read])
                mark = f"file:{end}-{token(key, f'file {upto.hexdigest()}')[:16]}"
                known = known or mark in before
                if end == first:
                    marks.add(mark)
            digest.update(piece)
            read, last = read + len(piece), text[-_OVERLAP:]
    return known or bool(marks), marks


def _end_of_first(text: bytes, about: About) -> int:
    """How many bytes of a text it takes until it names somebody by e-mail."""
    return bisect_left(range(len(text)), True, key=lambda end: bool(about.addressed(text[:end])))


def _streams(path: Path) -> Iterator[IO[bytes] | gzip.GzipFile]:
    """What a file holds, from its beginning: as it stands, and as gzip or zip packed it, names of members too."""
    with path.open("rb") as file:
        yield file
        file.seek(0)
        if file.read(2) == b"\x1f\x8b":
            file.seek(0)
            with gzip.open(file) as unpacked:
                yield unpacked
    if zipfile.is_zipfile(path):
        with closing(zipfile.ZipFile(path)) as packed:
            for name in packed.namelist():
                yield BytesIO(name.encode())
                with packed.open(name) as member:
                    yield member
