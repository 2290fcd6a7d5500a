"""Files of people, in every form and with every kind of damage."""

import gzip
import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from engine.errors import InputUnreadable
from engine.settings import Producer, Settings
from engine.sources import Item
from engine.sources.replay import BROKEN_LINE, Replay
from tests.people import CAPTURED, GENERATED, generated

PEOPLE: list[dict[str, Any]] = [{"login": {"uuid": f"u{number}"}} for number in range(4)]
LINES = [json.dumps(person) for person in PEOPLE]


def no_wait(seconds: float, why: str) -> bool:
    raise AssertionError("a file is never waited for")


def read(file: Path | str, page: int = 500) -> list[Item]:
    source = Replay(Settings(producer=Producer(file=str(file), page=page)))
    pages = list(source.pages(None, no_wait))
    assert all(len(one.items) == page for one in pages[:-1])
    return [item for one in pages for item in one.items]


def written(folder: Path, content: str | bytes, name: str = "people.json") -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@pytest.mark.parametrize(("file", "count"), [
    (CAPTURED["0.4"], 100), (CAPTURED["1.1"], 1), (CAPTURED["1.2"], 50), (CAPTURED["1.4"], 115), (GENERATED, 5000)])
def test_the_captured_files_are_read_to_the_last_person(file: Path, count: int) -> None:
    items = read(file)
    assert len(items) == count
    assert not any(item.problem for item in items)
    assert items[-1].place == f"{file.name}:{count}"
    assert all(isinstance(item.person, dict) and "gender" in item.person for item in items)


def test_lines_a_list_an_answer_and_gzip_give_the_same_people(tmp_path: Path) -> None:
    people = generated()[:50]
    lines = "\n".join(json.dumps(person, ensure_ascii=False) for person in people)
    answer = {"results": people, "info": {"seed": "a", "results": 50, "page": 1, "version": "1.4"}}
    forms: list[str | bytes] = [
        lines, lines + "\n\n", lines.replace("\n", "\r\n"), b"\xef\xbb\xbf" + lines.encode(),
        gzip.compress(lines.encode()),
        json.dumps(people), json.dumps(people, indent=2), "[\n" + lines.replace("\n", ",\n") + "\n]\n",
        json.dumps(answer), json.dumps(answer, indent=1), gzip.compress(json.dumps(answer, indent=1).encode()),
        json.dumps([{"results": people[:20]}, {"results": people[20:]}]),
        json.dumps({"results": [{"user": person, "seed": "x", "version": "0.4"} for person in people]}),
    ]
    for form in forms:
        assert [item.person for item in read(written(tmp_path, form))] == people


def test_places_name_line_and_index(tmp_path: Path) -> None:
    answer = json.dumps({"results": PEOPLE[:2]})
    file = written(tmp_path, f"{LINES[0]}\n\n{answer}\n", "a.jsonl")
    assert [item.place for item in read(file)] == ["a.jsonl:1", "a.jsonl:3[0]", "a.jsonl:3[1]"]
    assert [item.place for item in read(written(tmp_path, json.dumps(PEOPLE, indent=2)))] == [
        f"people.json[{index}]" for index in range(4)]
    assert [item.place for item in read(written(tmp_path, json.dumps({"results": PEOPLE}, indent=2)))] == [
        f"people.json[{index}]" for index in range(4)]


@pytest.mark.parametrize("broken", [
    '{"login": {"uuid": "u9", "pass', '{"login": }', "nonsense", '{"age": NaN}', "[" * 5000, "1" * 5000,
    '{"a": 1} {"b": 2}', "\x00\x01", '"\ud800'.encode("utf-8", "surrogatepass").decode("latin-1"), "{",
])
@pytest.mark.parametrize("at", [0, 2, 4])
def test_a_broken_line_is_an_item_with_its_bytes_and_the_others_are_read(tmp_path: Path, broken: str, at: int) -> None:
    lines = [*LINES[:at], broken, *LINES[at:]]
    items = read(written(tmp_path, "\n".join(lines), "p.jsonl"))
    assert [item.place for item in items] == [f"p.jsonl:{number}" for number in range(1, 6)]
    assert items[at] == Item(f"p.jsonl:{at + 1}", None, broken.encode(), BROKEN_LINE)
    assert [item.person for item in items if not item.problem] == PEOPLE


def test_a_file_with_one_broken_line_is_that_item(tmp_path: Path) -> None:
    (item,) = read(written(tmp_path, LINES[0][:-3]))
    assert (item.problem, item.raw) == (BROKEN_LINE, LINES[0][:-3].encode())


def test_pages_have_the_size_of_the_settings(tmp_path: Path) -> None:
    assert len(read(written(tmp_path, "\n".join(LINES * 5)), page=7)) == 20


def test_an_empty_file_has_no_people(tmp_path: Path) -> None:
    assert read(written(tmp_path, "")) == []
    assert read(written(tmp_path, "\n \n")) == []


def test_standard_input_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = "\n".join(LINES).encode()
    for content in (lines, gzip.compress(lines), json.dumps(PEOPLE, indent=1).encode()):
        given: Any = io.BufferedReader(io.BytesIO(content))
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(given))
        items = read("-")
        assert [item.person for item in items] == PEOPLE
        assert items[0].place in ("stdin:1", "stdin[0]")


def test_a_large_file_is_streamed(tmp_path: Path) -> None:
    file = tmp_path / "large.jsonl"
    with file.open("w") as out:
        out.writelines(line + "\n" for line in LINES * 20_000)
    pages = Replay(Settings(producer=Producer(file=str(file)))).pages(None, no_wait)
    next(pages)
    assert len(next(pages).items) == 500


@pytest.mark.parametrize(("content", "said"), [
    (b"gender,name.first\nfemale,Ada\n", "holds no JSON in its first 2 lines"),
    (b"\x89PNG\r\n\x1a\n" + bytes(100), "holds no JSON"),
    (json.dumps(PEOPLE, indent=2)[:-20].encode(), "one JSON document that cannot be read (line"),
    (json.dumps({"results": PEOPLE}, indent=2)[:-20].encode(), "one JSON document that cannot be read (line"),
    (gzip.compress("\n".join(LINES * 5000).encode())[:-200], "damaged gzip"),
    (gzip.compress(b"x" * 100)[:10] + b"garbage" * 20, "damaged gzip"),
])
def test_an_unreadable_file_says_what_to_do(tmp_path: Path, content: bytes, said: str) -> None:
    with pytest.raises(InputUnreadable) as refused:
        read(written(tmp_path, content))
    assert said in str(refused.value)
    assert str(tmp_path) in str(refused.value)


def test_a_missing_file_a_folder_and_no_file_are_said(tmp_path: Path) -> None:
    with pytest.raises(InputUnreadable, match="No such file"):
        read(tmp_path / "missing.jsonl")
    with pytest.raises(InputUnreadable, match="Is a directory"):
        read(tmp_path)
    with pytest.raises(InputUnreadable, match="--file"):
        read("")
