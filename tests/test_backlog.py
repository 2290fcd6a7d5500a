"""The Scrum backlog: one YAML file that holds together, a board and a CSV for Jira made from it, and a history that git has."""

import csv
import io
import subprocess
from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest
import yaml
from pydantic import ValidationError

from engine.settings import CLONE
from tests.backlog_files import BOARD, COLUMNS, CONTENT, JIRA, Backlog, State, Status, backlog, board, jira
from tests.jira_import import LONGEST_DESCRIPTION, MOST_ROWS, faults

TEXT = CONTENT.read_text(encoding="utf-8")
WHOLE = backlog(TEXT)
FRESH = "python -m tests.backlog_files"

Parts = dict[str, Any]
Line = dict[str, str]


@pytest.mark.parametrize(("kept", "made"), [(BOARD, board), (JIRA, jira)], ids=["board", "jira"])
def test_files_are_made_from_the_backlog(kept: Any, made: Callable[[Backlog], str]) -> None:
    assert kept.read_bytes() == made(WHOLE).encode(), f"{kept.name} is behind: {FRESH}"


def test_there_is_an_epic_for_each_issue_of_the_tracker() -> None:
    assert {epic.issue for epic in WHOLE.epics} >= set(range(3, 13))


def test_every_story_is_whole() -> None:
    assert len(WHOLE.stories) > 50
    for epic in WHOLE.epics:
        for story in epic.stories:
            assert story in WHOLE.stories
            assert WHOLE.sprint(story)
            assert story.points
            assert story.criteria
            assert story.story.endswith(".")
            assert " I " in story.story or " we " in story.story, f"{story.key} is told by nobody"


LOG = {"aaaaaaa1": "2026-11-02", "bbbbbbb1": "2026-11-03", "ccccccc1": "2026-11-05"}

# small and made up, so that what is spoiled in it does not depend on how far the real stories are
SAMPLE = """
sprints:
  - {name: first, title: First, state: closed, goal: Begin., start: 2026-11-02, end: 2026-11-03}
  - {name: second, title: Second, state: active, goal: Go on., start: 2026-11-05, end: 2026-11-05}
  - {name: third, title: Third, state: next, goal: End.}
  - {name: backlog, title: Backlog, state: backlog, goal: Later.}
epics:
  - issue: 3
    name: One
    summary: The first epic
    outcome: Done.
    stories:
      - {key: RC-301, summary: Begun, story: I begin., points: 3, sprint: first, status: done, done: 2026-11-03,
         commits: [aaaaaaa, bbbbbbb], criteria: [It is begun.]}
      - {key: RC-302, summary: Gone on, story: I go on., points: 5, sprint: second, status: done, done: 2026-11-05,
         commits: [ccccccc], after: [RC-301], criteria: [It goes on.]}
  - issue: 4
    name: Two
    summary: The second epic
    outcome: Under way.
    stories:
      - {key: RC-401, summary: Half, story: I am halfway., points: 1, sprint: second, status: under way, criteria: [Half.]}
      - {key: RC-402, summary: Next, story: I come next., points: 1, sprint: third, status: to do, criteria: [Next.]}
      - {key: RC-403, summary: Later, story: I come later., points: 1, sprint: backlog, status: to do, criteria: [Later.]}
"""


def sample(spoil: Callable[[Parts, Parts], object]) -> Backlog:
    """The sample, spoiled: `spoil` is given all of its parts, and sprints and stories by name. Raises ValidationError."""
    parts = yaml.safe_load(SAMPLE)
    named = {one["name"]: one for one in parts["sprints"]}
    spoil(parts, named | {one["key"]: one for epic in parts["epics"] for one in epic["stories"]})
    return Backlog.model_validate(parts)


def test_the_sample_fits_together() -> None:
    assert made_up(sample(lambda parts, by: None), LOG | {"ddddddd1": "2026-11-06"}) == []


@pytest.mark.parametrize(("spoil", "said"), [
    (lambda parts, by: by["RC-301"].pop("points"), "points"),
    (lambda parts, by: by["RC-301"].update(points=4), "points"),
    (lambda parts, by: by["RC-301"].pop("criteria"), "criteria"),
    (lambda parts, by: by["RC-301"].update(criteria=[]), "criteria"),
    (lambda parts, by: by["RC-301"].update(criteria=["two\nlines"]), "criteria"),
    (lambda parts, by: by["RC-301"].pop("sprint"), "sprint"),
    (lambda parts, by: by["RC-301"].update(owner="nobody"), "Extra inputs"),
    (lambda parts, by: by["RC-301"].update(status="finished"), "status"),
    (lambda parts, by: by["RC-301"].update(sprint="fourth"), "there is no sprint 'fourth'"),
    (lambda parts, by: by["RC-302"].update(key="RC-301"), "key RC-301 is there twice"),
    (lambda parts, by: by["RC-301"].update(key="RC-300"), "key RC-300 is there twice"),
    (lambda parts, by: by["RC-301"].update(key="RC-499"), "RC-499 is no key of issue 3"),
    (lambda parts, by: by["RC-302"].update(after=["RC-399"]), "RC-302 is after RC-399, which there is not"),
    (lambda parts, by: by["RC-402"].update(after=["RC-403"]), "RC-402 is in an earlier sprint than RC-403"),
    (lambda parts, by: by["RC-302"].update(after=["RC-401"]), "RC-302 is done before RC-401"),
    (lambda parts, by: by["RC-301"].update(after=["RC-301"]), "RC-301 needs itself"),
    (lambda parts, by: by["RC-301"].update(after=["RC-302"]), "RC-301 needs itself"),
    (lambda parts, by: by["RC-301"].pop("done"), "RC-301: what is done has a day"),
    (lambda parts, by: by["RC-401"].update(done="2026-11-05"), "RC-401: what is done has a day"),
    (lambda parts, by: by["RC-301"].update(done="2026-11-04"), "RC-301 was done outside first"),
    (lambda parts, by: by["RC-301"].pop("commits"), "RC-301 is done without a commit"),
    (lambda parts, by: by["RC-401"].update(commits=["ccccccc"]), "RC-401 has commits and is not done"),
    (lambda parts, by: by["RC-401"].update(sprint="first"), "RC-401 is not done, and first is closed"),
    (lambda parts, by: by["RC-401"].update(sprint="third"), "RC-401 was begun, and third was not"),
    (lambda parts, by: parts["epics"][0].update(stories=[]), "stories"),
    (lambda parts, by: parts["epics"][0].update(name="Two"), "epic Two is there twice"),
    (lambda parts, by: parts["epics"][1].update(issue=3), "key RC-300 is there twice"),
    (lambda parts, by: by["RC-402"].update(sprint="backlog"), "third has no story"),
    (lambda parts, by: by["second"].update(title="First"), "sprint First is there twice"),
    (lambda parts, by: by["third"].update(name="first"), "sprint first is there twice"),
    (lambda parts, by: parts["sprints"].reverse(), "sprints are not in the order of time"),
    (lambda parts, by: by["second"].update(start="2026-11-06"), "sprints are not in the order of time"),
    (lambda parts, by: by["first"].pop("end"), "first: closed and active sprints have a start"),
    (lambda parts, by: by["third"].update(start="2026-12-01"), "third: closed and active sprints have a start"),
    (lambda parts, by: by["first"].update(jira_id=41), "jira_id: every sprint has one, or none has"),
    (lambda parts, by: [by[name].update(jira_id=41) for name in ("first", "second", "third")], "jira_id 41 is there twice"),
])
def test_what_does_not_fit_together_is_named(spoil: Callable[[Parts, Parts], object], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        sample(spoil)


def test_jira_takes_the_file() -> None:
    assert faults(JIRA.read_bytes()) == []


def rows() -> list[Line]:
    """Rows of the CSV; the last of the labels only."""
    return list(csv.DictReader(io.StringIO(JIRA.read_text(encoding="utf-8"), newline=""), strict=True))


def test_every_story_of_the_file_has_epic_sprint_points_and_criteria() -> None:
    read = {row["Issue Key"]: row for row in rows()}
    assert list(read) == [*(epic.key for epic in WHOLE.epics), *(story.key for story in WHOLE.stories)]
    for epic in WHOLE.epics:
        for one in epic.stories:
            row, planned = read[one.key], WHOLE.sprint(one)
            assert (row["Parent"], row["Epic Link"]) == (read[epic.key]["Issue ID"], read[epic.key]["Epic Name"])
            assert row["Sprint"] == ("" if planned.state is State.BACKLOG else str(planned.jira_id or planned.title))
            assert float(row["Story Points"]) == one.points
            assert row["Description"].count("\n* ") == len(one.criteria)
            assert (row["Status"] == "Done") == (one.status is Status.DONE)


def test_pandas_reads_the_same() -> None:
    table = pd.read_csv(JIRA, dtype=str, keep_default_na=False)
    assert list(table.columns) == [*COLUMNS[:-2], "Labels.1", "Labels.2"]
    assert table.drop(columns=["Labels", "Labels.1"]).to_numpy().tolist() == [
        [cell for name, cell in row.items() if name != "Labels"] + [row["Labels"]] for row in rows()]
    stories = table[table["Issue Type"] == "Story"]
    assert set(stories["Labels.1"]) == {sprint.name for sprint in WHOLE.sprints}, "the sprint's label, for Jira without ids"


def test_ids_of_sprints_stand_in_the_file_once_jira_has_them() -> None:
    text = jira(sample(lambda parts, by: [by[name].update(jira_id=number) for name, number in
                                          (("first", 41), ("second", 42), ("third", 43))]))
    assert faults(text.encode()) == []
    sprints = {row["Sprint"] for row in csv.DictReader(io.StringIO(text, newline="")) if row["Issue Type"] == "Story"}
    assert sprints == {"41", "42", "43", ""}


def spoiled(change: Callable[[Line, Line], object]) -> bytes:
    """The file with its first epic and its first story changed."""
    header, *lines = csv.reader(io.StringIO(JIRA.read_text(encoding="utf-8"), newline=""))
    read = [Line(zip(header, line, strict=True)) for line in lines]
    first = next(place for place, row in enumerate(read) if row["Issue Type"] == "Story")
    change(read[0], read[first])
    written = io.StringIO()
    csv.writer(written, lineterminator="\n").writerows([header, *([row[name] for name in header] for row in read)])
    return written.getvalue().encode()


def test_a_file_that_is_only_written_again_is_well() -> None:
    assert faults(spoiled(lambda epic, story: None)) == []


@pytest.mark.parametrize(("change", "said"), [
    (lambda epic, story: story.update({"Summary": "x" * 256}), "RC-301: a summary has 1 to 255"),
    (lambda epic, story: story.update({"Summary": ""}), "RC-301: a summary has 1 to 255"),
    (lambda epic, story: story.update({"Summary": "one\ntwo"}), "RC-301: a summary is one line"),
    (lambda epic, story: story.update({"Description": "x" * (LONGEST_DESCRIPTION + 1)}), "RC-301: a description has"),
    (lambda epic, story: story.update({"Description": "see [RC-302]"}), "RC-301: a bracket"),
    (lambda epic, story: story.update({"Description": "a\tb"}), "RC-301: a control character"),
    (lambda epic, story: story.update({"Summary": "=1+1"}), "RC-301: a spreadsheet"),
    (lambda epic, story: story.update({"Issue ID": "x"}), "RC-301: Issue ID is no number"),
    (lambda epic, story: story.update({"Issue ID": "302"}), "Issue ID '302' is there twice"),
    (lambda epic, story: story.update({"Issue Key": "RC-302"}), "Issue Key 'RC-302' is there twice"),
    (lambda epic, story: story.update({"Issue Key": "R-1"}), "R-1: Issue Key is none"),
    (lambda epic, story: story.update({"Issue Type": "Sub-task"}), "RC-301: Issue Type is neither"),
    (lambda epic, story: story.update({"Status": "Refused"}), "RC-301: Status is none of"),
    (lambda epic, story: story.update({"Resolution": ""}), "RC-301: what is done"),
    (lambda epic, story: story.update({"Resolved": "24/Nov/26"}), "RC-301: Resolved is no day"),
    (lambda epic, story: story.update({"Resolved": "2026-11-31"}), "RC-301: Resolved is no day"),
    (lambda epic, story: story.update({"Labels": "two words"}), "RC-301: a label holds a space"),
    (lambda epic, story: story.update({"Parent": ""}), "RC-301: Parent is the Issue ID of no epic above"),
    (lambda epic, story: story.update({"Parent": "302"}), "RC-301: Parent is the Issue ID of no epic above"),
    (lambda epic, story: story.update({"Epic Link": "The console"}), "RC-301: Epic Link is not"),
    (lambda epic, story: story.update({"Epic Name": "Another"}), "RC-301: a story has no Epic Name"),
    (lambda epic, story: story.update({"Story Points": ""}), "RC-301: Story Points is no number"),
    (lambda epic, story: story.update({"Sprint": "41"}), "Sprint holds ids and names"),
    (lambda epic, story: epic.update({"Epic Name": ""}), "RC-300: an epic has an Epic Name"),
    (lambda epic, story: epic.update({"Epic Name": "The console"}), "Epic Name 'The console' is there twice"),
    (lambda epic, story: epic.update({"Sprint": "Rollcall 1"}), "RC-300: an epic has no parent"),
])
def test_what_jira_refuses_in_a_row_is_named(change: Callable[[Line, Line], object], said: str) -> None:
    assert any(fault.startswith(said) for fault in faults(spoiled(change)))


@pytest.mark.parametrize(("change", "said"), [
    (lambda data: b"\xef\xbb\xbf" + data, "the file starts with a byte order mark"),
    (lambda data: data.replace(b"The flow", "Flüsse".encode("latin-1")), "the file is not UTF-8"),
    (lambda data: data[:-2], "the file is no CSV"),
    (lambda data: b"", "the file is no CSV"),
    (lambda data: data.replace(b'"Summary"', b'"Title"', 1), "there is no column 'Summary'"),
    (lambda data: data.replace(b'"Story Points"', b'"Story-Points"', 1), "heading 'Story-Points' holds more"),
    (lambda data: data.replace(b'"Sprint"', b'"status"', 1), "heading 'status' is there twice"),
    (lambda data: data + b'"1","RC-1"\n', "has 2 cells of 16"),
    (lambda data: data + b",\n" * MOST_ROWS, "rows are more than 250"),
])
def test_what_jira_refuses_in_a_file_is_named(change: Callable[[bytes], bytes], said: str) -> None:
    assert any(said in fault for fault in faults(change(JIRA.read_bytes())))


def test_a_parent_stands_above_its_children() -> None:
    header, first, *others = csv.reader(io.StringIO(JIRA.read_text(encoding="utf-8"), newline=""))
    written = io.StringIO()
    csv.writer(written, lineterminator="\n").writerows([header, *others, first])
    assert "RC-301: Parent is the Issue ID of no epic above" in faults(written.getvalue().encode())


def days() -> dict[str, str]:
    """Commit -> day of its author, as git has them."""
    told = subprocess.run(["git", "log", "--format=%H %as"], cwd=CLONE, capture_output=True, check=True, text=True).stdout
    return dict(line.split() for line in told.splitlines())


def made_up(whole: Backlog, log: dict[str, str]) -> list[str]:
    """What the backlog says of the past and git does not. What has not landed yet may be committed anew, on another day, so
    the backlog says nothing of it that git must know."""
    said = []
    closed = [sprint for sprint in whole.sprints if sprint.state is State.CLOSED]
    for one in whole.stories:
        known = [next((day for commit, day in log.items() if commit.startswith(name)), None) for name in one.commits]
        if None in known:
            said.append(f"{one.key} names a commit that git has not")
        elif one.done and str(one.done) != known[-1]:
            said.append(f"{one.key} was done on {known[-1]}")
    for sprint in closed:
        span = {day for day in log.values() if str(sprint.start) <= day <= str(sprint.end)}
        if {str(sprint.start), str(sprint.end)} - span:
            said.append(f"{sprint.name} begins or ends on a day without a commit")
    said += [f"{day} is in no sprint" for day in sorted(set(log.values())) if day <= str(closed[-1].end)
             and not any(str(sprint.start) <= day <= str(sprint.end) for sprint in closed)]
    return said


@pytest.mark.skipif((CLONE / ".git" / "shallow").exists(), reason="a shallow clone has not the history")
def test_the_history_is_what_git_has() -> None:
    assert made_up(WHOLE, days()) == []


@pytest.mark.parametrize(("spoil", "log", "said"), [
    (lambda parts, by: by["RC-301"]["commits"].append("ddddddd"), LOG, "RC-301 names a commit that git has not"),
    (lambda parts, by: by["RC-301"]["commits"].append("aaaaaaa"), LOG, "RC-301 was done on 2026-11-02"),
    (lambda parts, by: by["first"].update(end="2026-11-04"), LOG, "first begins or ends on a day without a commit"),
    (lambda parts, by: by["first"].update(start="2026-11-03"), LOG, "2026-11-02 is in no sprint"),
])
def test_a_history_that_is_made_up_is_seen(spoil: Callable[[Parts, Parts], object], log: dict[str, str], said: str) -> None:
    assert made_up(sample(spoil), log) == [said]
