"""The parts of the Register page: entries, an edit that loses nothing to another's, versions, checks, files."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import streamlit as st

from app import words_law as words
from app.acts import act, begin
from app.jobs import JOBS
from app.parts import TIME, say, table
from app.parts import now as moment
from app.programs import job_panel
from app.register_form import (
    begin_again,
    both_changed,
    drop,
    drop_reason,
    fields_of,
    plain,
    reason,
    shown_of,
    stale_table,
    stands,
    typed,
    typed_reason,
    typing,
    widget,
)
from app.sessions import Viewer
from app.stores import console
from app.words import failed
from engine.compliance.checks import checked, well
from engine.compliance.forms import READ_BACK, SUFFIX, Form
from engine.compliance.register import Kept, Register, StaleEdit, news
from engine.compliance.sheets import derived, read, written
from engine.compliance.shorter import made_due
from engine.errors import Final, RollcallError
from engine.stores.records import Records
from governance.register import Entry, Version, changed, entry, laid_over
from governance.sheets.page import NARROW, article

CHECK = "register check"
_FORM, _IMPORT, _FILE, _SAID = "register", "register-import", "register-file", "register-made-due"


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
    st.html(f"<style>article th {{text-align: left}}{NARROW}</style>{article(version, None)}")


def edit(kept: Kept) -> None:
    """The form of an entry. What is typed stands in the session until it is saved or dropped."""
    now = stands(_FORM, kept.ref, kept.newest.n, shown_of(kept.newest.entry))
    base = kept.versions[now.n - 1].entry
    stale = now.n != kept.newest.n
    if stale:
        _stale_panel(kept, base, now.texts)
    st.caption(words.EDIT_SAYS)
    why = reason(_FORM, kept.ref)
    with st.form("register-edit", border=False):
        for name, kind, _ in fields_of(base):    # what stands in them was put there by `stands`, or typed
            label = f"{name.replace('_', ' ')} ({kind})" if kind else name.replace("_", " ")
            if kind:
                st.text_area(label, key=widget(_FORM, kept.ref, name))
            else:
                st.text_input(label, key=widget(_FORM, kept.ref, name))
        st.text_input(words.WHY, key=why, help=words.WHY_HELP)
        with st.container(horizontal=True):    # all of one form: a click sends what is typed; Enter is the first of them
            st.form_submit_button(words.SAVE, key="register-save", icon=":material/save:", on_click=_save, args=(kept,))
            if stale:
                st.form_submit_button(words.ON_TOP, key="register-on-top", help=words.ON_TOP_HELP, on_click=_on_top,
                                      args=(kept,))
            st.form_submit_button(words.PUBLISH, key="register-publish", icon=":material/publish:", help=words.PUBLISH_SAYS,
                                  on_click=_step, args=("publish", kept))
            st.form_submit_button(words.ARCHIVE, key="register-archive", help=words.ARCHIVE_SAYS,
                                  on_click=_step, args=("archive", kept))
    st.button(words.BEGIN_AGAIN, key="register-undo", on_click=_begin_again, args=(kept,))


def versions(kept: Kept) -> None:
    """Every version with what it changed."""
    table([{words.VERSION: one.n, words.STATE: str(one.state), words.CHANGED: one.at, words.BY: one.by, words.WHY: one.why}
           for one in reversed(kept.versions)], "register-versions", {words.CHANGED: TIME})
    n = st.selectbox(words.VERSION, [one.n for one in reversed(kept.versions)], key="register-version")
    before = kept.versions[n - 2].entry if n > 1 else None
    table([{words.FIELD: name, words.BEFORE: plain(old), words.AFTER: plain(new)}
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


def export_panel(kept: Sequence[Kept]) -> None:
    """A file of the entries in force: prepared first, as the audit has it first, then fetched while it is of these versions."""
    st.caption(words.EXPORT_SAYS)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        form = st.selectbox(words.FORM, list(words.FORMS), format_func=words.FORMS.__getitem__, key="register-form")
        st.button(words.PREPARE, key="register-prepare", on_click=_prepare, args=(form,))
    in_force = [one.in_force for one in kept if one.in_force is not None]
    if (ready := st.session_state.get(_FILE)) is not None and ready[0] == (form, _numbers(in_force)):
        st.download_button(words.DOWNLOAD, ready[2], file_name=ready[1], key="register-download", icon=":material/download:")


def import_panel() -> None:
    """Entries of a file become drafts."""
    st.subheader(words.IMPORT, anchor=False)
    st.caption(words.IMPORT_SAYS)
    why = reason(_IMPORT, _IMPORT)
    with st.form("register-import", border=False):
        st.file_uploader(words.IMPORT_FILE, key="register-upload", type=["xlsx", "csv", "yaml", "yml"])
        st.selectbox(words.FORM, [form.value for form in READ_BACK], format_func=words.FORMS.__getitem__,
                     key="register-import-form")
        st.text_input(words.WHY, key=why, help=words.WHY_HELP)
        st.form_submit_button(words.IMPORT_DO, key="register-import-do", on_click=_import)


def _stale_panel(kept: Kept, base: Entry, texts: Mapping[str, str]) -> None:
    newest = kept.newest
    theirs = changed(base, newest.entry)
    try:
        mine = changed(base, entry(typed(base, texts)))
    except ValueError as wrong:    # NotAnEntry too
        mine = {}
        st.error(words.unreadable(str(wrong)))
    st.warning(words.STALE, icon=":material/sync_problem:")
    st.write(words.stale(newest.by, newest.at, newest.why, both_changed(theirs, mine)))
    stale_table(theirs, mine, "register-stale-fields")
    st.button(words.TAKE_THEIRS, key="register-take", on_click=_begin_again, args=(kept,))


def _begin_again(kept: Kept) -> None:
    """The form as the newest version has it."""
    begin_again(_FORM, kept.ref, kept.newest.n, shown_of(kept.newest.entry))


def _wanted(kept: Kept) -> tuple[int, Entry, Entry] | None:
    """Number and entry of the version the form is based on, and the entry it says now; None if that is none, which is said."""
    if (now := typing(_FORM, kept.ref)) is None:
        say("failed", words.FORM_GONE)
        return None
    base = kept.versions[now.n - 1].entry
    try:
        wanted = entry(typed(base, now.texts))
    except ValueError as wrong:    # NotAnEntry too
        say("failed", words.unreadable(str(wrong)))
        return None
    if not changed(base, wanted):
        say("failed", words.NOTHING_CHANGED)
        return None
    return now.n, base, wanted


def _save(kept: Kept) -> None:
    if (said := _wanted(kept)) is not None:
        base_n, _, wanted = said
        _keep(wanted, base_n)


def _on_top(kept: Kept) -> None:
    """What the form says otherwise than its base, at this click, over the newest version that the panel showed."""
    if (said := _wanted(kept)) is not None:
        _, base, wanted = said
        _keep(laid_over(kept.newest.entry, base, wanted), kept.newest.n)


def _keep(wanted: Entry, base_n: int) -> None:
    why = typed_reason(_FORM, wanted.ref)

    def do(name: str) -> str:
        with opened() as register:
            version = register.save(wanted, base_n, name, why)
        drop(_FORM, wanted.ref)
        drop_reason(_FORM, wanted.ref)
        return words.saved(wanted.ref, version.n)

    act("register.change", wanted.ref, do, why)


def _step(step: str, kept: Kept) -> None:
    """Publishes or archives what the form shows."""
    why, ref = typed_reason(_FORM, kept.ref), kept.ref
    if (now := typing(_FORM, ref)) is None or now.touched:
        say("failed", words.SAVE_FIRST if now else words.FORM_GONE)
        return
    n = now.n
    if step == "publish" and not _warned(ref, n):
        return

    def do(name: str) -> str:
        try:
            with opened() as register:
                if step == "publish":
                    told = words.published(ref, register.publish(ref, n, name, why).n)
                else:
                    told = words.archived(ref, register.archive(ref, n, name, why).n)
        except StaleEdit:    # nothing is typed: the form may show the newest
            drop(_FORM, ref)
            raise
        drop(_FORM, ref)
        drop_reason(_FORM, ref)
        return told

    act("register.publish", ref, do, why)


def _warned(ref: str, n: int) -> bool:
    """Whether this version may be published: what its shorter limits make due was said at the click before, or is nothing."""
    if st.session_state.get(_SAID) == (ref, n):
        return True
    try:
        with opened() as register:
            found = made_due(console().settings, register, ref, moment())
    except RollcallError as error:
        say("failed", failed(str(error)))
        return False
    if found:
        st.session_state[_SAID] = ref, n
        say("failed", words.becomes_due(found))
    return not found


def _prepare(form: str) -> None:
    def do(_: str) -> str:
        with opened() as register:
            in_force = register.in_force()
        content = written(Form(form), in_force, derived(console().settings, in_force))
        st.session_state[_FILE] = (form, _numbers(in_force)), f"register-{form}.{SUFFIX[Form(form)]}", content
        return f"{words.FORMS[form]}: {len(in_force)}"

    act("register.export", form, do)


def _import() -> None:
    form, why = st.session_state["register-import-form"], typed_reason(_IMPORT, _IMPORT)
    file = st.session_state["register-upload"]
    if file is None:
        say("failed", words.NO_FILE)
        return
    content: bytes = file.getvalue()

    def do(name: str) -> str:
        with opened() as register:
            kept = {one.ref: one for one in register.all()}
            found = read(Form(form), content, kept)
            fresh = news(kept, found)
            for one, base_n in fresh:
                register.save(one, base_n, name, why)
        drop_reason(_IMPORT, _IMPORT)
        same = [one.ref for one in found.entries if one.ref not in {new.ref for new, _ in fresh}]
        drafts = [words.based(one.ref, base_n, changed(kept[one.ref].newest.entry, one) if base_n else (),
                              one.ref in found.based_on) for one, base_n in fresh]
        return words.imported(drafts, same, found.unfit)

    act("register.change", f"import {form}", do, why)


def _numbers(in_force: Sequence[Version]) -> list[tuple[str, int]]:
    """Which versions a file is of."""
    return sorted((one.entry.ref, one.n) for one in in_force)
