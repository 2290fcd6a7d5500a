"""A session that is open in somebody's browser on another machine: what its page asks of the console, without drawing it.

It signs in by the form, opens a page over the websocket as Streamlit's own front end does, and has the page's live parts run
again as often as they ask for. Drawing is left out: people's browsers do not run on the machine of the console, and ten of
them on two cores would be all that is measured.
"""

import threading
import time
from typing import Any

import httpx
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin, Subprotocol

COOKIE = "rollcall_session"
WAITS_S = 0.2


class OpenSession(threading.Thread):
    """One session on one page, until `close`. runs: how often a script or a part of one has ended since it was opened."""

    def __init__(self, address: str, account: str, password: str, page: str) -> None:
        """address: `http://127.0.0.1:8501`. page: the page's address, as `flow`."""
        super().__init__(name=f"session on {page}", daemon=True)
        self._address, self._page = address, page
        self._cookie = signed_in(address, account, password)
        self._over = threading.Event()
        self._parts: dict[str, tuple[float, float]] = {}
        self._script = ""
        self.runs, self.broken = 0, ""

    def run(self) -> None:
        """Opens the page and keeps it alive."""
        try:
            with connect(self._address.replace("http", "ws") + "/_stcore/stream", subprotocols=[Subprotocol("streamlit")],
                         additional_headers={"Cookie": f"{COOKIE}={self._cookie}"}, origin=Origin(self._address),
                         max_size=None, ping_timeout=None) as socket:
                self._ask(socket)
                while not self._over.is_set():
                    self._listen(socket)
                    self._again(socket)
        except (ConnectionClosed, OSError) as error:
            self.broken = str(error)

    def close(self) -> None:
        """Ends it."""
        self._over.set()
        self.join(10)

    def _ask(self, socket: ClientConnection, part: str = "") -> None:
        message = BackMsg()
        message.rerun_script.page_name = "" if self._script else self._page
        message.rerun_script.page_script_hash = self._script
        if part:
            message.rerun_script.fragment_id = part
            message.rerun_script.is_auto_rerun = True
        socket.send(message.SerializeToString())

    def _listen(self, socket: ClientConnection) -> None:
        try:
            received: Any = socket.recv(timeout=WAITS_S)
        except TimeoutError:
            return
        said = ForwardMsg.FromString(received)
        match said.WhichOneof("type"):
            case "new_session":
                self._script = said.new_session.page_script_hash
            case "auto_rerun":
                every = said.auto_rerun.interval
                self._parts[said.auto_rerun.fragment_id] = every, time.monotonic() + every
            case "stop_auto_rerun":
                self._parts.clear()
            case "script_finished":
                self.runs += 1

    def _again(self, socket: ClientConnection) -> None:
        now = time.monotonic()
        for part, (every, due) in list(self._parts.items()):
            if due <= now:
                self._parts[part] = every, now + every
                self._ask(socket, part)


def signed_in(address: str, account: str, password: str) -> str:
    """Signs in by the form; returns the session's cookie."""
    answer = httpx.post(f"{address}/sign-in", data={"name": account, "password": password},
                        headers={"origin": address}, timeout=60)
    return answer.cookies[COOKIE]
