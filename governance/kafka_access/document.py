"""YAML whose every part knows its line, so that an error can say where; names stay text, whatever they look like.

Anchors are refused: what stands on a line is then what holds there, and no few lines can stand for a billion.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import yaml

DEEPEST = 20

Step = str | int


@dataclass(frozen=True, order=True)
class Fault:
    """What is wrong on a line (from 1) and what to write instead."""

    line: int
    what: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.what}"


class NotWanted(ValueError):
    """What was given is no wanted state; `faults` names each line and its remedy."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        self.faults = tuple(sorted(faults))
        super().__init__("\n".join(map(str, self.faults)))


class Document:
    """A document: its content as dicts, lists and texts, and where each part stands."""

    def __init__(self, text: str) -> None:
        """Raises NotWanted for what is no YAML, and for names that stand twice under one heading."""
        self.content: object = None
        self._lines: dict[tuple[Step, ...], int] = {}
        self._faults: list[Fault] = []
        try:
            _flat(text)
            root = yaml.compose(text, Loader=yaml.BaseLoader)
        except yaml.YAMLError as error:
            raise NotWanted([_fault(error, text)]) from None
        if root is None:
            raise NotWanted([Fault(1, "there is nothing here; write teams under `teams:`")])
        self.content = self._read(root, ())
        if self._faults:
            raise NotWanted(self._faults)

    def line(self, path: Sequence[Step]) -> int:
        """The line of a part; of what it would stand in, if it is missing."""
        for length in range(len(path), 0, -1):
            if found := self._lines.get(tuple(path[:length])):
                return found
        return 1

    def _read(self, node: yaml.Node, path: tuple[Step, ...]) -> object:
        self._lines.setdefault(path, _line(node.start_mark))
        if isinstance(node, yaml.SequenceNode):
            return [self._read(one, (*path, index)) for index, one in enumerate(node.value)]
        if not isinstance(node, yaml.MappingNode):
            return node.value
        content: dict[str, object] = {}
        for key, value in node.value:
            line = _line(key.start_mark)
            if not isinstance(key, yaml.ScalarNode):
                self._faults.append(Fault(line, "a list or a group of names cannot be a name; write one name before the colon"))
                continue
            if key.value in content:
                first = self._lines[(*path, key.value)]
                self._faults.append(Fault(line, f"{key.value!r} stands twice (first on line {first}); put both together"))
                continue
            self._lines[(*path, key.value)] = line
            content[key.value] = self._read(value, (*path, key.value))
        return content


def _line(mark: Any) -> int:
    """From 1; the C and the Python reader have marks of their own."""
    return int(mark.line) + 1 if mark else 1


def _flat(text: str) -> None:
    """Raises NotWanted for aliases and for what is nested deeper than anything here."""
    depth = 0
    for event in yaml.parse(text, Loader=yaml.BaseLoader):
        if isinstance(event, yaml.AliasEvent):
            raise NotWanted([_starred(_line(event.start_mark))])
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > DEEPEST:
            raise NotWanted([Fault(_line(event.start_mark), "this is nested too deeply; nothing here needs so many levels")])


def _starred(line: int) -> Fault:
    return Fault(line, 'what begins with an asterisk must stand in quotes: "*" (names of other places in the file, which YAML '
                       "writes so, are not taken here: write the content out)")


def _fault(error: yaml.YAMLError, text: str) -> Fault:
    if isinstance(error, yaml.MarkedYAMLError):
        line = _line(error.problem_mark or error.context_mark)
        if error.context and "alias" in error.context:
            return _starred(line)
        return Fault(line, f"this is no YAML ({error.problem or error.context}); names below one another begin in the same "
                           "column, with blanks, and what holds : { } [ ] or # stands in quotes")
    position = getattr(error, "position", 0)
    return Fault(text.count("\n", 0, position) + 1, "there is a character that cannot be seen; delete it")
