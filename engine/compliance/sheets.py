"""The register as files: which forms there are, written with what the product itself knows, and read back."""

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime

import yaml

from engine.compliance.breaches import Breaches
from engine.compliance.forms import READ_BACK, Form
from engine.compliance.register import Kept, RegisterRefused
from engine.compliance.retention import newest
from engine.compliance.survey import PRINCIPAL
from engine.settings import Settings
from engine.stores.records import Records
from governance.register import Derived, Entry, NotAnEntry, Version, based_on, entries
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
            return as_yaml(versions).encode()


def as_yaml(versions: Sequence[Version]) -> str:
    """Versions as YAML that can be edited and imported again: it says on which versions it is based."""
    content = {"based_on": {version.entry.ref: version.n for version in versions},
               "entries": [version.entry.model_dump(mode="json") for version in versions]}
    return str(yaml.safe_dump(content, allow_unicode=True, sort_keys=False, width=120))


def read(form: Form, content: bytes, kept: Mapping[str, Kept]) -> Imported:
    """The entries of a file, laid over the versions on which it says that it is based, or over the newest: of them those fields
    are kept that the form has no column for. kept: by ref.

    Raises RegisterRefused.
    """
    found = _read(form, content, {ref: one.newest.entry for ref, one in kept.items()})
    bases = {ref: one.versions[min(found.based_on.get(ref, one.newest.n), one.newest.n) - 1].entry for ref, one in kept.items()}
    if all(bases[ref] == one.newest.entry for ref, one in kept.items()):
        return found
    return _read(form, content, bases)


def _read(form: Form, content: bytes, known: Mapping[str, Entry]) -> Imported:
    readers: Mapping[Form, Callable[[], Imported]] = {
        Form.CNIL: lambda: cnil.read(content, known), Form.ICO: lambda: ico.read(content, known),
        Form.CSV: lambda: table.read(content.decode("utf-8-sig")),
        Form.YAML: lambda: _of_yaml(content.decode("utf-8-sig"))}
    if form not in readers:
        raise RegisterRefused(f"{form} cannot be read back; {', '.join(READ_BACK)} can.")
    try:
        return readers[form]()
    except UnicodeDecodeError:
        raise RegisterRefused("The file is no text in UTF-8; save it so, or say its form with --as.") from None
    except (NotASheet, NotAnEntry) as wrong:
        raise RegisterRefused(str(wrong)) from None


def _of_yaml(text: str) -> Imported:
    found = tuple(entries(text))
    return Imported(found, (), based_on(text))


def derived(settings: Settings, versions: Sequence[Version]) -> dict[str, Derived]:
    """What the product knows of each activity: its breaches, and whether its data are kept no longer than stated, as it was
    measured last (not measured now: that reads whole tables). Raises StoreAway, SignInRefused."""
    refs = [version.entry.ref for version in versions]
    with Records.opened(settings, PRINCIPAL) as records:
        log = Breaches(records)
        breaches = {ref: tuple(log.concerning(ref)) for ref in refs}
        kept = newest(records)
    known: dict[str, Derived] = {}
    for ref in refs:
        lines = [line for line in kept.lines if ref in line["entries"]] if kept else []
        late = "; ".join(f"{line['place']}: {line['limit']} ({line['keeping']})" for line in lines if line["keeping"] in LATE)
        known[ref] = Derived(breaches[ref], not late if lines else None, late)
    return known
