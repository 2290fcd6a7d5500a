"""What Jira's CSV importer takes: its rules as Atlassian's pages have them, for a file of epics and stories.

- well-formed, header, quotes, commas: confluence.atlassian.com/adminjiraserver102/importing-data-from-csv-1473877079.html and
  support.atlassian.com/jira-software-cloud/docs/prepare-a-csv-file-for-import
- parents: support.atlassian.com/jira/kb/keep-issue-parent-child-mapping-during-csv-import-to-jira-cloud
- rows of one file: support.atlassian.com/jira-software-cloud/docs/create-issues-using-the-csv-importer
"""

import csv
import io
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import date

REQUIRED = ("Issue Type", "Issue Key", "Issue ID", "Summary", "Parent")
REPEATED = "Labels"
MOST_ROWS = 250            # what somebody who is no administrator may bring in at once
LONGEST_SUMMARY = 255
LONGEST_DESCRIPTION = 32_767
STATUSES = ("To Do", "In Progress", "Done")

Row = dict[str, str]


def faults(data: bytes) -> list[str]:
    """What the importer would refuse or get wrong in a file, a sentence each; none if it is well."""
    if data.startswith(b"\xef\xbb\xbf"):
        return ["the file starts with a byte order mark, which becomes part of the first heading"]
    try:
        header, *lines = csv.reader(io.StringIO(data.decode("utf-8"), newline=""), strict=True)
    except UnicodeDecodeError:
        return ["the file is not UTF-8"]
    except (csv.Error, ValueError) as error:
        return [f"the file is no CSV: {error}"]
    found = [*_faults_of_header(header), *_faults_of_shape(header, lines)]
    return found or list(_faults_of_rows(header, lines))


def _faults_of_header(header: Sequence[str]) -> Iterator[str]:
    yield from (f"heading {name!r} holds more than letters, figures and spaces" for name in header
                if not re.fullmatch(r"[A-Za-z0-9]+( [A-Za-z0-9]+)*", name))
    yield from (f"there is no column {name!r}" for name in REQUIRED if name not in header)
    yield from (f"heading {name!r} is there twice" for name, times in Counter(name.lower() for name in header).items()
                if times > 1 and name != REPEATED.lower())


def _faults_of_shape(header: Sequence[str], lines: Sequence[Sequence[str]]) -> Iterator[str]:
    yield from (f"row {number} has {len(line)} cells of {len(header)}" for number, line in enumerate(lines, 2)
                if len(line) != len(header))
    if len(lines) > MOST_ROWS:
        yield f"{len(lines)} rows are more than {MOST_ROWS}"


def _faults_of_rows(header: Sequence[str], lines: Sequence[Sequence[str]]) -> Iterator[str]:
    rows = [Row(zip(header, line, strict=True)) for line in lines]
    for name in ("Issue ID", "Issue Key"):
        yield from (f"{name} {value!r} is there twice" for value, times in Counter(row[name] for row in rows).items()
                    if times > 1)
    names = Counter(row["Epic Name"] for row in rows if row["Issue Type"] == "Epic")
    yield from (f"Epic Name {name!r} is there twice" for name, times in names.items() if times > 1)
    if len({row["Sprint"].isdigit() for row in rows if row["Sprint"]}) > 1:
        yield "Sprint holds ids and names"
    epics: dict[str, str] = {}
    for row, line in zip(rows, lines, strict=True):
        labels = [cell for name, cell in zip(header, line, strict=True) if name == REPEATED and cell]
        if row["Issue Type"] == "Epic":
            epics[row["Issue ID"]] = row["Epic Name"]
        yield from (f"{row['Issue Key']}: {fault}" for fault in
                    [*_faults_of_text(row, line), *_faults_of_row(row, labels), *_faults_of_family(row, epics)])


def _faults_of_text(row: Row, line: Sequence[str]) -> Iterator[str]:
    if not 0 < len(row["Summary"]) <= LONGEST_SUMMARY:
        yield f"a summary has 1 to {LONGEST_SUMMARY} characters"
    if "\n" in row["Summary"]:
        yield "a summary is one line"
    if len(row["Description"]) > LONGEST_DESCRIPTION:
        yield f"a description has at most {LONGEST_DESCRIPTION} characters"
    if re.search(r"[\[\]{}|]", re.sub(r"\{\{[^{}]+\}\}", "", row["Description"])):
        yield "a bracket or a bar would be read as markup"
    if any(re.search(r"[^\n -~\u00a0-\U0010ffff]", cell) for cell in line):
        yield "a control character"
    if any(re.match(r"[=+@-]", cell) for cell in line):
        yield "a spreadsheet would read a cell as a formula"


def _faults_of_row(row: Row, labels: Sequence[str]) -> Iterator[str]:
    if not row["Issue ID"].isdigit():
        yield "Issue ID is no number"
    if not re.fullmatch(r"[A-Z][A-Z0-9]+-[1-9]\d*", row["Issue Key"]):
        yield "Issue Key is none"
    if row["Issue Type"] not in ("Epic", "Story"):
        yield "Issue Type is neither Epic nor Story"
    if row["Status"] not in STATUSES:
        yield f"Status is none of {', '.join(STATUSES)}"
    done = row["Status"] == "Done"
    if (row["Resolution"] == "Done") != done or bool(row["Resolved"]) != done:
        yield "what is done, and nothing else, has Resolution and Resolved"
    if row["Resolved"] and not _day(row["Resolved"]):
        yield "Resolved is no day as yyyy-MM-dd"
    if any(re.search(r"\s", label) for label in labels):
        yield "a label holds a space"


def _faults_of_family(row: Row, epics: dict[str, str]) -> Iterator[str]:
    if row["Issue Type"] == "Epic":
        if not row["Epic Name"]:
            yield "an epic has an Epic Name"
        if any(row[name] for name in ("Parent", "Epic Link", "Sprint", "Story Points")):
            yield "an epic has no parent, no sprint and no points"
        return
    if row["Parent"] not in epics:
        yield "Parent is the Issue ID of no epic above"
    elif row["Epic Link"] != epics[row["Parent"]]:
        yield "Epic Link is not the Epic Name of the parent"
    if row["Epic Name"]:
        yield "a story has no Epic Name"
    if not row["Story Points"].isdigit():
        yield "Story Points is no number"


def _day(text: str) -> bool:
    if not re.fullmatch(r"\d{4}-\d\d-\d\d", text):    # fromisoformat takes other forms, too
        return False
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True
