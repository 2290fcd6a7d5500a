"""docs/backlog/board.md and docs/backlog/jira.csv, made from docs/backlog/backlog.yaml.

    .venv/bin/python -m tests.backlog_files
"""

import csv
import io
import re
from collections.abc import Iterable, Iterator
from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from engine.settings import CLONE

FOLDER = CLONE / "docs" / "backlog"
CONTENT = FOLDER / "backlog.yaml"
BOARD = FOLDER / "board.md"
JIRA = FOLDER / "jira.csv"

Line = Annotated[str, StringConstraints(min_length=1, pattern=r"^[^\r\n]+$")]
Key = Annotated[str, StringConstraints(pattern=r"^RC-\d{3,4}$")]
Commit = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{7,40}$")]
Label = Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]+$")]

HEAD = """# Board

Made from [backlog.yaml](backlog.yaml) by `python -m tests.backlog_files`; a test compares. [README.md](README.md) says how to
read it, how to bring it into Jira and how to change it. Acceptance criteria stand in the YAML and in the CSV.

**Points of stories that were begun were given afterwards**; those of the others are the makers' first guess. They say how
large a story is beside the others. They are no forecast that was met, and the sums of past sprints are no velocity to plan
with. Sprints that are closed are the days on which commits were made; nothing was planned as a sprint at the time.

A story is **done** when its issue is resolved and what was submitted landed; **declared** when its issue was declared
resolved and CI refused what was submitted.
"""


class Part(BaseModel):
    """A part of the backlog: frozen; an unknown name is an error rather than a silent typo."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)


class Status(StrEnum):
    """How far a story is."""

    DONE = "done"              # its issue is resolved, and what was submitted landed
    DECLARED = "declared"      # its issue was declared resolved, and CI refused what was submitted
    UNDER_WAY = "under way"
    TO_DO = "to do"


class State(StrEnum):
    """How far a sprint is; `backlog` is no sprint but what is in none yet."""

    CLOSED = "closed"
    ACTIVE = "active"
    NEXT = "next"
    BACKLOG = "backlog"


class Sprint(Part):
    """A sprint, in the order of time: those that have dates are days of the git log."""

    name: Label
    title: Line
    state: State
    goal: Line
    start: date | None = None
    end: date | None = None
    jira_id: Annotated[int, Field(gt=0)] | None = None    # what Jira calls it, once it stands there


class Story(Part):
    """One story. `after` names stories that it needs; `commits` where it stands in git once it landed, the last one being what
    ended it."""

    key: Key
    summary: Line
    story: Line
    points: Literal[1, 2, 3, 5, 8, 13, 21]
    sprint: Label
    status: Status
    criteria: Annotated[tuple[Line, ...], Field(min_length=1)]
    done: date | None = None
    commits: tuple[Commit, ...] = ()
    after: tuple[Key, ...] = ()
    note: Line | None = None

    @property
    def number(self) -> int:
        """The figures of the key: the issue times 100, and the story's place."""
        return int(self.key.removeprefix("RC-"))


class Epic(Part):
    """One epic for each issue of the tracker, in its order."""

    issue: Annotated[int, Field(gt=0)]
    name: Line
    summary: Line
    outcome: Line
    stories: Annotated[tuple[Story, ...], Field(min_length=1)]

    @property
    def number(self) -> int:
        """The figures of the key."""
        return self.issue * 100

    @property
    def key(self) -> str:
        """As stories have it."""
        return f"RC-{self.number}"

    @property
    def status(self) -> Status:
        """Done when every story is, to do when none was begun."""
        every = {story.status for story in self.stories}
        return every.pop() if len(every) == 1 else Status.UNDER_WAY


class Backlog(Part):
    """The whole of it; what does not fit together is a ValidationError that names each place."""

    sprints: Annotated[tuple[Sprint, ...], Field(min_length=1)]
    epics: Annotated[tuple[Epic, ...], Field(min_length=1)]

    @property
    def stories(self) -> tuple[Story, ...]:
        """Stories of every epic."""
        return tuple(story for epic in self.epics for story in epic.stories)

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        faults = [*self._faults_of_names(), *self._faults_of_sprints()]
        if not faults:    # the rest looks names up
            faults = [fault for story in self.stories for fault in self._faults_of(story)]
        if faults:
            raise ValueError("; ".join(faults))
        return self

    def _faults_of_names(self) -> Iterator[str]:
        yield from _twice("key", [*(epic.key for epic in self.epics), *(story.key for story in self.stories)])
        yield from _twice("epic", (epic.name for epic in self.epics))
        yield from _twice("sprint", (sprint.name for sprint in self.sprints))
        yield from _twice("sprint", (sprint.title for sprint in self.sprints))
        for epic in self.epics:
            yield from (f"{story.key} is no key of issue {epic.issue}" for story in epic.stories
                        if story.number // 100 != epic.issue)
        sprints, keys = {sprint.name for sprint in self.sprints}, {story.key for story in self.stories}
        for story in self.stories:
            if story.sprint not in sprints:
                yield f"{story.key}: there is no sprint {story.sprint!r}"
            yield from (f"{story.key} is after {key}, which there is not" for key in story.after if key not in keys)

    def _faults_of_sprints(self) -> Iterator[str]:
        used, states = {story.sprint for story in self.stories}, list(State)
        for sprint in self.sprints:
            if sprint.name not in used:
                yield f"{sprint.name} has no story"
            dated = sprint.state in (State.CLOSED, State.ACTIVE)
            if dated != (sprint.start is not None) or dated != (sprint.end is not None):
                yield f"{sprint.name}: closed and active sprints have a start and an end, others have none"
        order = [(states.index(sprint.state), sprint.start or date.max, sprint.end or date.max) for sprint in self.sprints]
        if order != sorted(order) or any(start > end for _, start, end in order):
            yield "sprints are not in the order of time"
        if len({sprint.jira_id is None for sprint in self.sprints if sprint.state is not State.BACKLOG}) > 1:
            yield "jira_id: every sprint has one, or none has"
        yield from _twice("jira_id", (str(sprint.jira_id) for sprint in self.sprints if sprint.jira_id))

    def _faults_of(self, story: Story) -> Iterator[str]:
        sprint = self.sprint(story)
        finished = story.status is Status.DONE
        if finished != (story.done is not None):
            yield f"{story.key}: what is done has a day, and nothing else has"
        if story.done and not (sprint.start and sprint.end and sprint.start <= story.done <= sprint.end):
            yield f"{story.key} was done outside {sprint.name}"
        if finished and not story.commits:
            yield f"{story.key} is done without a commit"
        if story.commits and not finished:
            yield f"{story.key} has commits and is not done: what has not landed may still become another commit"
        if sprint.state is State.CLOSED and not finished:
            yield f"{story.key} is not done, and {sprint.name} is closed: carry it over"
        if sprint.state in (State.NEXT, State.BACKLOG) and story.status is not Status.TO_DO:
            yield f"{story.key} was begun, and {sprint.name} was not"
        places = {one.name: place for place, one in enumerate(self.sprints)}
        for needed in (one for one in self.stories if one.key in story.after):
            if places[needed.sprint] > places[story.sprint]:
                yield f"{story.key} is in an earlier sprint than {needed.key}, which it needs"
            if finished and needed.status is not Status.DONE:
                yield f"{story.key} is done before {needed.key}, which it needs"
            if needed.key in self._needs(needed.key):
                yield f"{needed.key} needs itself"

    def _needs(self, key: str) -> set[str]:
        after = {story.key: story.after for story in self.stories}
        found: set[str] = set()
        waiting = list(after[key])
        while waiting:
            one = waiting.pop()
            if one not in found:
                found.add(one)
                waiting += after[one]
        return found

    def sprint(self, story: Story) -> Sprint:
        """The sprint of a story."""
        return next(sprint for sprint in self.sprints if sprint.name == story.sprint)


def _twice(what: str, names: Iterable[str]) -> Iterator[str]:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            yield f"{what} {name} is there twice"
        seen.add(name)


def backlog(text: str) -> Backlog:
    """The backlog of a YAML text. Raises ValidationError, YAMLError."""
    return Backlog.model_validate(yaml.safe_load(text))


def board(whole: Backlog) -> str:
    """The page by sprint."""
    return "\n".join([HEAD, *_summary(whole), *(line for sprint in whole.sprints for line in _sprint(whole, sprint)),
                      *_epics(whole), ""])


def _summary(whole: Backlog) -> Iterator[str]:
    yield "| sprint | days | state | stories | points | of them done |\n|---|---|---|---|---|---|"
    for sprint in whole.sprints:
        stories = [story for story in whole.stories if story.sprint == sprint.name]
        yield (f"| {sprint.title} | {_days(sprint)} | {sprint.state} | {len(stories)} | {_points(stories)} | "
               f"{_points(stories, Status.DONE)} |")


def _sprint(whole: Backlog, sprint: Sprint) -> Iterator[str]:
    yield f"\n## {sprint.title} ({sprint.state}, {_days(sprint)})\n\n{sprint.goal}\n"
    yield "| key | story | epic | points | status | after |\n|---|---|---|---|---|---|"
    for epic in whole.epics:
        for story in epic.stories:
            if story.sprint == sprint.name:
                after = ", ".join(story.after) or "-"
                yield f"| {story.key} | {story.summary} | {epic.name} | {story.points} | {story.status} | {after} |"


def _epics(whole: Backlog) -> Iterator[str]:
    yield "\n## Epics\n\n| key | epic | issue | points | of them done | how it stands |\n|---|---|---|---|---|---|"
    for epic in whole.epics:
        yield (f"| {epic.key} | {epic.summary} | {epic.issue} | {_points(epic.stories)} | "
               f"{_points(epic.stories, Status.DONE)} | {epic.outcome} |")


def _days(sprint: Sprint) -> str:
    if sprint.start is None or sprint.end is None:
        return "no date"
    return f"{sprint.start}" if sprint.start == sprint.end else f"{sprint.start} to {sprint.end}"


def _points(stories: Iterable[Story], status: Status | None = None) -> int:
    return sum(story.points for story in stories if status in (None, story.status))


COLUMNS = ("Issue ID", "Issue Key", "Issue Type", "Summary", "Parent", "Epic Name", "Epic Link", "Description",
           "Story Points", "Sprint", "Status", "Resolution", "Resolved", "Labels", "Labels", "Labels")

# only what every Scrum project of Jira has from the start: a status that is not there makes the importer refuse the row
STATUSES = {Status.DONE: "Done", Status.DECLARED: "In Progress", Status.UNDER_WAY: "In Progress", Status.TO_DO: "To Do"}


def jira(whole: Backlog) -> str:
    """The CSV for Jira's importer: epics first, for a child may only name a parent above it."""
    written = io.StringIO()
    lines = csv.writer(written, quoting=csv.QUOTE_ALL, lineterminator="\n")
    lines.writerow(COLUMNS)
    lines.writerows(_epic_row(epic) for epic in whole.epics)
    lines.writerows(_story_row(whole, epic, story) for epic in whole.epics for story in epic.stories)
    return written.getvalue()


def _epic_row(epic: Epic) -> list[str]:
    ended = max((story.done for story in epic.stories if story.done), default=None) if epic.status is Status.DONE else None
    return [str(epic.number), epic.key, "Epic", epic.summary, "", epic.name, "", _marked_up(epic.outcome), "", "",
            *_ending(epic.status, ended), _label(epic), "", ""]


def _story_row(whole: Backlog, epic: Epic, story: Story) -> list[str]:
    sprint = whole.sprint(story)
    named = "" if sprint.state is State.BACKLOG else str(sprint.jira_id or sprint.title)
    refused = "refused-by-ci" if story.status is Status.DECLARED else ""
    return [str(story.number), story.key, "Story", story.summary, str(epic.number), "", epic.name, _description(story),
            str(story.points), named, *_ending(story.status, story.done), _label(epic), sprint.name, refused]


def _ending(status: Status, day: date | None) -> tuple[str, str, str]:
    return STATUSES[status], "Done" if status is Status.DONE else "", day.isoformat() if day else ""


def _label(epic: Epic) -> str:
    return f"issue-{epic.issue}"


def _description(story: Story) -> str:
    parts = [story.story, "*Acceptance criteria*\n" + "\n".join(f"* {one}" for one in story.criteria)]
    if story.note:
        parts.append(f"*Note*\n{story.note}")
    if story.after:
        parts.append(f"After {', '.join(story.after)}.")
    if story.commits:
        parts.append(f"Commits {', '.join(story.commits)}.")
    return _marked_up("\n\n".join([f"{story.key} of docs/backlog.", *parts]))


def _marked_up(text: str) -> str:
    """Markdown's `code` as Jira writes it."""
    return re.sub(r"`([^`]+)`", r"{{\1}}", text)


def write(folder: Path = FOLDER) -> None:
    """Writes both files."""
    whole = backlog(CONTENT.read_text(encoding="utf-8"))
    (folder / BOARD.name).write_text(board(whole), encoding="utf-8")
    (folder / JIRA.name).write_text(jira(whole), encoding="utf-8", newline="")


if __name__ == "__main__":
    write()
