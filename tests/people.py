"""Real people for tests: the files of tests/data (SOURCE.md says where they are from)."""

import gzip
import json
from functools import cache
from pathlib import Path
from typing import Any

DATA = Path(__file__).parent / "data"
CAPTURED = {version: DATA / f"captured_v{version}.jsonl" for version in ("0.4", "1.1", "1.2", "1.4")}
GENERATED = DATA / "server_generated_v1.4.jsonl.gz"

Person = dict[str, Any]


@cache
def _lines(path: Path) -> tuple[str, ...]:
    text = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    return tuple(text.decode().splitlines())


def captured(version: str) -> list[Person]:
    """The people of one captured file; of 0.4 without its wrapper."""
    people = [json.loads(line) for line in _lines(CAPTURED[version])]
    return [person.get("user", person) for person in people]


def generated() -> list[Person]:
    """5,000 people of version 1.4, all 21 nationalities."""
    return [json.loads(line) for line in _lines(GENERATED)]


def of_every_nationality() -> list[Person]:
    """One of the generated people for each nationality."""
    return list({person["nat"]: person for person in generated()}.values())
