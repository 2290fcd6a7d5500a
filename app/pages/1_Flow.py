"""Every hop of the flow, live: is it well, how fast, how far behind, and do the stores agree."""

from datetime import UTC, datetime

import streamlit as st

from app import words
from app.parts import fresh, live, open_page
from app.programs import rate
from app.sessions import Viewer
from app.stores import console
from engine.health import Hop


def figures(hops: dict[str, Hop]) -> None:
    """The numbers an operator looks for first."""
    producer, kafka, stream, rows, users = (hops[name].facts for name in ("producer", "kafka", "stream", "cassandra", "mongo"))
    sending = rate(producer, producer.get("program", ""))
    with st.container(horizontal=True):
        st.metric(words.RATE, "-" if sending is None else f"{sending:.0f}", border=True)
        st.metric(words.BEHIND, f"{stream['behind']:,}" if "behind" in stream else "-", border=True)
        age = words.seconds_ago((datetime.now(UTC) - stream["at"]).total_seconds()) if "at" in stream else "-"
        st.metric(words.NEWEST, age, border=True)
        st.metric(words.DEAD, f"{kafka['standing']:,}" if "standing" in kafka else "-", border=True)
        st.metric(words.ROWS, f"{rows['rows']:,}" if "rows" in rows else "-", border=True, help=words.AGREE_HELP)
        st.metric(words.COUNTED, f"{users['users']:,}" if "users" in users else "-", border=True)
    quiet = stream.get("behind") == 0 and not sending
    if quiet and "restricted" in rows and "users" in users and rows["rows"] - rows["restricted"] != users["users"]:
        st.info(words.stores_differ(rows["rows"], rows["restricted"], users["users"]), icon=":material/balance:")


def draw(_: Viewer) -> None:
    """The state in a sentence, the numbers, and a card a hop."""
    hops = fresh(console().hops.now())
    if hops is None:
        return
    if ill := [words.HOPS[hop.name] for hop in hops if not hop.ok]:
        st.error(words.not_well(ill), icon=words.ICON_FAILED)
    else:
        st.success(words.ALL_WELL, icon=words.ICON_DONE)
    if ending := [words.HOPS[hop.name] for hop in hops if "certificate_ends" in hop.facts]:
        st.warning(words.certificates_end(ending), icon=words.ICON_WARNING)
    figures({hop.name: hop for hop in hops})
    for hop in hops:
        with st.container(border=True, horizontal=True, vertical_alignment="center"):
            st.markdown(f"**{words.HOPS[hop.name]}**", width=110)
            st.badge(words.HOP_OK if hop.ok else words.HOP_NOT, color="green" if hop.ok else "red",
                     icon=words.ICON_DONE if hop.ok else words.ICON_FAILED)
            st.text(hop.says, width="stretch")


open_page("flow")
live("flow.read", draw)
