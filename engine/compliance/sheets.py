"""The register as files: which forms there are, written with what the product itself knows, and read back."""

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime

import yaml

from engine.compliance.breaches import Breaches
from engine.compliance.forms import READ_BACK, Form
from engine.compliance.register import RegisterRefused
from engine.compliance.retention import measured
from engine.compliance.survey import PRINCIPAL
from engine.settings import Settings
from engine.stores.records import Records
from governance.register import Derived, Entry, NotAnEntry, Version, entries
from governance.retention import Keeping
from governance.sheets import cnil, dpv, ico, page, table
from governance.sheets.imported import Imported, NotASheet, TooLong

LATE = (Keeping.DUE, Keeping.OVERDUE)


def written(form: Form, versions: Sequence[Version], known: Mapping[str, Derived]) -> bytes:
    """The register in a form, as bytes of a file. Raises RegisterRefused where a text is too long for a workbook."""
    try:
        return _content(form, versions, known)
    except TooLong as wrong:
        raise RegisterRefused(str(wrong)) from None


def _content(form: Form, versions: Sequence[Version], known: Mapping[str, Derived]) -> bytes:
    match form:
        case Form.CNIL:
            return cnil.workbook(versions, known)
        case Form.ICO:
            return ico.workbook(versions, known)
        case Form.CSV:
            return table.csv_text(versions).encode()
        case Form.JSON:
            return json.dumps(dpv.document(versions), indent=2, ensure_ascii=False).encode()
        case Form.HTML:
            return page.html_page(versions, known, datetime.now(UTC)).encode()
        case Form.YAML:
            fields = [version.entry.model_dump(mode="json") for version in versions]
            return yaml.safe_dump({"entries": fields}, allow_unicode=True, sort_keys=False, width=120).encode()


def read(form: Form, content: bytes, known: Mapping[str, Entry]) -> Imported:
    """The entries of a file. known: ref -> the entry of which those fields are kept that the form has no column for.

    Raises RegisterRefused.
    """
    readers: Mapping[Form, Callable[[], Imported]] = {
        Form.CNIL: lambda: cnil.read(content, known), Form.ICO: lambda: ico.read(content, known),
        Form.CSV: lambda: table.read(content.decode("utf-8-sig")),
        Form.YAML: lambda: Imported(tuple(entries(content.decode("utf-8-sig"))), ())}
    if form not in readers:
        raise RegisterRefused(f"{form} cannot be read back; {', '.join(READ_BACK)} can.")
    try:
        return readers[form]()
    except UnicodeDecodeError:
        raise RegisterRefused("The file is no text in UTF-8; save it so, or say its form with --as.") from None
    except (NotASheet, NotAnEntry) as wrong:
        raise RegisterRefused(str(wrong)) from None


def derived(settings: Settings, versions: Sequence[Version]) -> dict[str, Derived]:
    """What the product knows of each activity: its breaches, and whether its data are kept no longer than stated."""
    entries_now = [version.entry for version in versions]
    with Records.opened(settings, PRINCIPAL) as records:
        log = Breaches(records)
        breaches = {one.ref: tuple(log.concerning(one.ref)) for one in entries_now}
    late = [line for line in measured(settings, entries_now, datetime.now(UTC)) if line.keeping in LATE]
    return {one.ref: Derived(breaches[one.ref], not any(one.ref in line.refs for line in late),
                             "; ".join(f"{line.place}: {line.limit.said} ({line.keeping})"
                                       for line in late if one.ref in line.refs))
            for one in entries_now}
