"""The parts of the Register page: entries, an edit that loses nothing to another's, versions, checks, files."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import streamlit as st
import yaml

from app import words_law as words
from app.acts import act, begin
from app.jobs import JOBS
from app.parts import TIME, say, table
from app.programs import job_panel
from app.register_form import fields_of, typed
from app.sessions import Viewer
from app.stores import console
from engine.compliance.checks import checked, well
from engine.compliance.forms import READ_BACK, SUFFIX, Form
from engine.compliance.register import Kept, Register, StaleEdit
from engine.compliance.sheets import derived, read, written
from engine.errors import Final
from engine.stores.records import Records
from governance.register import Entry, NotAnEntry, State, Version, changed, entry
from governance.sheets.page import article

CHECK = "register check"
_BASE, _STALE, _FILE = "register-base", "register-stale", "register-file"


class NotWell(Final):
    """The register does not say what the systems are, or lacks what the law asks."""


@contextmanager
def opened() -> Iterator[Register]:
    """The register, over the officer's session. Raises StoreAway, SignInRefused."""
    with console().stores.cassandra("officer") as session:
        yield Register(Records(console().settings, session))


def listed(kept: Sequence[Kept]) -> None:
    """All entries at a glance."""
    table([{words.REF: one.ref, words.ACTIVITY: one.newest.entry.activity,
            words.STATE: f"{one.newest.n}: {one.newest.state}", words.IN_FORCE: str(one.in_force.n) if one.in_force else "",
            words.CHANGED: one.newest.at, words.BY: one.newest.by, words.NEXT_REVIEW: one.newest.entry.next_review}
           for one in kept], "register-entries", {words.CHANGED: TIME}, words.NO_ENTRY)


def shown(version: Version) -> None:
    """One version as it prints, each item under its letter of Art. 30; what is empty says why."""
    st.html(article(version, None))


def edit(kept: Kept) -> None:
    """The form of an entry. What is typed stands in the session until it is saved or dropped."""
    if st.session_state.get(_BASE, (None, 0))[0] != kept.ref:
        _begin_again(kept)
    base_n = st.session_state[_BASE][1]
    base = kept.versions[base_n - 1].entry
    if (stale := st.session_state.get(_STALE)) is not None:
        _stale_panel(kept, stale)
    st.caption(words.EDIT_SAYS)
    with st.form("register-edit", border=False):
        for name, kind, _ in fields_of(base):    # what stands in them was put there by `_begin_again`, or typed
            label = f"{name.replace('_', ' ')} ({kind})" if kind else name.replace("_", " ")
            if kind:
                st.text_area(label, key=f"register-f-{name}")
            else:
                st.text_input(label, key=f"register-f-{name}")
        st.text_input(words.WHY, key="register-why", help=words.WHY_HELP)
        st.form_submit_button(words.SAVE, key="register-save", icon=":material/save:", on_click=_save, args=(base, base_n))
    with st.container(horizontal=True):
        st.button(words.BEGIN_AGAIN, key="register-undo", on_click=_begin_again, args=(kept,))
        st.button(words.PUBLISH, key="register-publish", icon=":material/publish:", help=words.PUBLISH_SAYS,
                  on_click=_step, args=("publish", kept.ref, kept.newest.n))
        st.button(words.ARCHIVE, key="register-archive", help=words.ARCHIVE_SAYS,
                  on_click=_step, args=("archive", kept.ref, kept.newest.n))


def versions(kept: Kept) -> None:
    """Every version with what it changed."""
    table([{words.VERSION: one.n, words.STATE: str(one.state), words.CHANGED: one.at, words.BY: one.by, words.WHY: one.why}
           for one in reversed(kept.versions)], "register-versions", {words.CHANGED: TIME})
    n = st.selectbox(words.VERSION, [one.n for one in reversed(kept.versions)], key="register-version")
    before = kept.versions[n - 2].entry if n > 1 else None
    table([{words.FIELD: name, words.BEFORE: _plain(old), words.AFTER: _plain(new)}
           for name, (old, new) in changed(before, kept.versions[n - 1].entry).items()], "register-changes",
          empty=words.NOTHING_CHANGED)


def check() -> None:
    """Compares as a job: the systems are read."""
    def work(_: str, tell: Any) -> str:
        found = checked(console().settings)
        for finding in found:
            tell(str(finding))
        bad = sum(not well([finding]) for finding in found)
        if bad:
            raise NotWell(words.findings(bad, len(found) - bad))
        return f"{words.CHECK_WELL} {words.findings(0, len(found))}"

    begin("register.check", CHECK, "register", work)


def check_panel(_: Viewer) -> None:
    """How the check gets on, and each finding of the last one."""
    job_panel(CHECK)
    job = JOBS.get(CHECK)
    if job is not None and not job.running and job.lines:
        table([dict(zip((words.LEVEL, words.FOUND), line.split(": ", 1), strict=True)) for line in job.lines],
              "register-findings")


def export_panel() -> None:
    """A file of the entries in force: prepared first, as the audit has it first, then fetched."""
    st.caption(words.EXPORT_SAYS)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        form = st.selectbox(words.FORM, list(words.FORMS), format_func=words.FORMS.__getitem__, key="register-form")
        st.button(words.PREPARE, key="register-prepare", on_click=_prepare, args=(form,))
    if (ready := st.session_state.get(_FILE)) is not None and ready[0] == form:
        st.download_button(words.DOWNLOAD, ready[2], file_name=ready[1], key="register-download", icon=":material/download:")


def import_panel() -> None:
    """Entries of a file become drafts."""
    st.subheader(words.IMPORT, anchor=False)
    st.caption(words.IMPORT_SAYS)
    with st.form("register-import", border=False):
        st.file_uploader(words.IMPORT_FILE, key="register-upload", type=["xlsx", "csv", "yaml", "yml"])
        st.selectbox(words.FORM, [form.value for form in READ_BACK], format_func=words.FORMS.__getitem__,
                     key="register-import-form")
        st.text_input(words.WHY, key="register-import-why", help=words.WHY_HELP)
        st.form_submit_button(words.IMPORT_DO, key="register-import-do", on_click=_import)


def _stale_panel(kept: Kept, stale: StaleEdit) -> None:
    assert stale.newest is not None    # noqa: S101 - the register says so when there is none
    st.warning(words.STALE, icon=":material/sync_problem:")
    st.write(words.stale(stale.newest.by, stale.newest.at, stale.newest.why, stale.conflicts))
    table([{words.FIELD: name, words.BEFORE: _plain((stale.theirs.get(name) or stale.mine[name])[0]),
            words.THEIRS: _plain(stale.theirs[name][1]) if name in stale.theirs else "",
            words.MINE: _plain(stale.mine[name][1]) if name in stale.mine else ""}
           for name in dict.fromkeys((*stale.theirs, *stale.mine))], "register-stale-fields")
    with st.container(horizontal=True):
        st.button(words.ON_TOP, key="register-on-top", help=words.ON_TOP_HELP, on_click=_on_top, args=(stale,))
        st.button(words.TAKE_THEIRS, key="register-take", on_click=_begin_again, args=(kept,))


def _begin_again(kept: Kept) -> None:
    """The form as the newest version has it."""
    st.session_state[_BASE] = kept.ref, kept.newest.n
    st.session_state.pop(_STALE, None)
    for name, _, text in fields_of(kept.newest.entry):
        st.session_state[f"register-f-{name}"] = text


def _save(base: Entry, base_n: int) -> None:
    texts = {name: st.session_state[f"register-f-{name}"] for name, _, _ in fields_of(base)}
    try:
        wanted = entry(typed(base, texts))
    except (NotAnEntry, ValueError) as wrong:
        say("failed", f"Not saved. {wrong}")
        return
    if not changed(base, wanted):
        say("failed", words.NOTHING_CHANGED)
        return
    _keep(wanted, base_n)


def _on_top(stale: StaleEdit) -> None:
    _keep(stale.merged, stale.newest_n)


def _keep(wanted: Entry, base_n: int) -> None:
    why = st.session_state["register-why"]

    def do(name: str) -> str:
        try:
            with opened() as register:
                version = register.save(wanted, base_n, name, why)
        except StaleEdit as stale:
            st.session_state[_STALE] = stale
            raise
        st.session_state.pop(_BASE, None)
        st.session_state.pop(_STALE, None)
        return words.saved(wanted.ref, version.n)

    act("register.change", wanted.ref, do, why)


def _step(step: str, ref: str, n: int) -> None:
    why = st.session_state["register-why"]

    def do(name: str) -> str:
        with opened() as register:
            if step == "publish":
                return words.published(ref, register.publish(ref, n, name, why).n)
            return words.archived(ref, register.archive(ref, n, name, why).n)

    if act("register.publish", ref, do, why):
        st.session_state.pop(_BASE, None)


def _prepare(form: str) -> None:
    def do(_: str) -> str:
        with opened() as register:
            in_force = register.in_force()
        content = written(Form(form), in_force, derived(console().settings, in_force))
        st.session_state[_FILE] = form, f"register-{form}.{SUFFIX[Form(form)]}", content
        return f"{words.FORMS[form]}: {len(in_force)}"

    act("register.export", form, do)


def _import() -> None:
    form, why = st.session_state["register-import-form"], st.session_state["register-import-why"]
    file = st.session_state["register-upload"]
    if file is None:
        say("failed", words.NO_FILE)
        return
    content: bytes = file.getvalue()

    def do(name: str) -> str:
        with opened() as register:
            kept = {one.ref: one.newest for one in register.all()}
            found = read(Form(form), content, {ref: one.entry for ref, one in kept.items()})
            fresh = [one for one in found.entries
                     if one.ref not in kept or kept[one.ref].entry != one or kept[one.ref].state is State.ARCHIVED]
            for one in fresh:
                register.save(one, kept[one.ref].n if one.ref in kept else 0, name, why)
        same = [one.ref for one in found.entries if one not in fresh]
        return words.imported([one.ref for one in fresh], same, found.unfit)

    act("register.change", f"import {form}", do, why)


def _plain(value: Any) -> str:
    """A value as a person reads it."""
    if value in (None, "", [], {}):
        return ""
    if isinstance(value, str):
        return value
    return str(yaml.safe_dump(value, allow_unicode=True, sort_keys=False, width=100)).removesuffix("...\n").rstrip()

