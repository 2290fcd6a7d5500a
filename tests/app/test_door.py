"""The door, with Starlette's own client: what a stranger gets, from where one may send, how sessions begin and end."""

import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, cast
from unittest.mock import MagicMock

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from starlette.testclient import TestClient
from starlette.websockets import WebSocket, WebSocketDisconnect
from streamlit.web.server.starlette.starlette_app import create_streamlit_routes

from app import words
from app.door import COOKIE, Door
from app.listing import PAGES
from app.stores import Console
from engine.errors import StoreAway
from tests.app.console_fake import FakeConsole

BASE = "http://127.0.0.1:8501"
ORIGIN = {"origin": BASE}
PASSWORD, TYPED = "a good password", "ada@example.com"
HTML = {"accept": "text/html"}


async def behind(request: Request) -> PlainTextResponse:
    """Stands for Streamlit: whoever reads this is past the door."""
    if request.url.path == "/headers":
        return PlainTextResponse(json.dumps(dict(request.headers)))
    return PlainTextResponse(f"behind the door as {request.headers.get('x-console-name')}"
                             f" {request.headers.get('x-console-roles', '')}")


async def socket(websocket: WebSocket) -> None:
    """Stands for Streamlit's websocket: answers each message."""
    await websocket.accept()
    with suppress(WebSocketDisconnect):
        while True:
            heard = await websocket.receive_text()
            await websocket.send_text(f"{websocket.headers['x-console-name']} {heard}")


@pytest.fixture
def console(tmp_path: Path) -> FakeConsole:
    """A console with one operator."""
    made = FakeConsole(tmp_path)
    made.store.make("ada", "operator")
    return made


@pytest.fixture
def client(console: FakeConsole) -> Iterator[TestClient]:
    """A browser in front of the door."""
    routes = [WebSocketRoute("/{path:path}", socket), Route("/{path:path}", behind, methods=["GET", "POST", "PUT", "DELETE"])]
    app = Starlette(routes=routes, middleware=[Middleware(Door, console=lambda: cast(Console, console), provider=lambda: None)])
    with TestClient(app, base_url=BASE, follow_redirects=False) as browser:
        yield browser


def sign_in(client: TestClient, name: str = "ada", password: str = PASSWORD, **more: str) -> Any:
    """Sends the form."""
    return client.post("/sign-in", data={"name": name, "password": password, **more}, headers=ORIGIN)


def streamlit_paths() -> list[str]:
    """Every path that this version of Streamlit answers, and every page of ours."""
    found = {str(getattr(route, "path", "/")) for route in create_streamlit_routes(MagicMock())}
    pages = {f"/{page.key}" for page in PAGES} | {f"/{Path(page.file).stem}" for page in PAGES}
    return sorted({path.replace("{path:path}", "x").replace("{", "").replace("}", "") for path in found} | pages | {
        "/", "/password", "/Home", "/static/js/index.js", "/media/x.png", "/app/static/x", "/component/x", "/_stcore/health",
        "/_stcore/metrics", "/_stcore/host-config", "/_stcore/stream", "/_stcore/upload_file/x/y", "/..%2fsettings",
        "/healthz/x", "/sign-inn", "//", "/oauth2callback"})


@pytest.mark.parametrize("path", streamlit_paths())
def test_a_stranger_gets_nothing_from_any_path(client: TestClient, path: str) -> None:
    for method in ("GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH"):
        answer = client.request(method, path, headers=ORIGIN)
        assert answer.status_code in (401, 400, 403), f"{method} {path}"
        assert "behind" not in answer.text
    page = client.get(path, headers=HTML)
    assert page.status_code == 303
    assert page.headers["location"].startswith("/sign-in")


@pytest.mark.parametrize("path", [path for path in streamlit_paths() if path != "//"])
def test_no_websocket_opens_for_a_stranger(client: TestClient, path: str) -> None:
    for headers in (ORIGIN, {}, {"origin": "http://evil.example"}, {**ORIGIN, "cookie": f"{COOKIE}=guessed"},
                    {**ORIGIN, "x-console-session": "s", "x-console-name": "ada"}):
        address = f"ws://127.0.0.1:8501{path}"
        with pytest.raises(WebSocketDisconnect) as refused, client.websocket_connect(address, headers=headers):
            raise AssertionError("it opened")
        assert refused.value.code == 1008


def test_health_tells_that_it_lives_and_nothing_else(client: TestClient) -> None:
    assert client.get("/healthz").text == "ok"


def test_signing_in_leads_behind_the_door(client: TestClient, console: FakeConsole) -> None:
    answer = sign_in(client, next="/stream")
    assert (answer.status_code, answer.headers["location"]) == (303, "/stream")
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert "a good password" not in cookie
    assert client.get("/stream").text.startswith("behind the door as ada")
    assert ("ada", "sign-in", "ada", "done", "password, from testclient") in console.log.wrote


def test_what_a_client_says_of_itself_is_not_believed(client: TestClient) -> None:
    sign_in(client)
    answer = client.get("/", headers={"X-Console-Name": "admin", "x-console-roles": "admin", "X-CONSOLE-SESSION": "1"})
    assert answer.text.strip() == "behind the door as ada"


@pytest.mark.parametrize(("name", "password"), [("ada", "wrong"), ("nobody", "a good password"), ("", ""), ("ada", "")])
def test_a_wrong_sign_in_says_the_same_whatever_was_wrong(client: TestClient, console: FakeConsole, name: str,
                                                          password: str) -> None:
    answer = sign_in(client, name, password)
    assert answer.status_code == 403
    assert words.NOT_ADMITTED in answer.text
    assert COOKIE not in answer.headers.get("set-cookie", "")
    known = name if name in console.store.there else "an unknown account"    # what was typed may be a password
    assert console.log.wrote[-1][:4] == ("stranger", "sign-in", known, "refused")


def test_a_disabled_account_does_not_get_in(client: TestClient, console: FakeConsole) -> None:
    console.store.disable("ada")
    assert sign_in(client).status_code == 403


def test_what_was_typed_comes_back_as_text(client: TestClient) -> None:
    answer = sign_in(client, '"><script>alert(1)</script>')
    assert "<script" not in answer.text


def test_after_five_failures_nobody_tries_for_a_minute(client: TestClient, console: FakeConsole) -> None:
    for _ in range(5):
        assert sign_in(client, password="wrong").status_code == 403
    answer = sign_in(client)
    assert answer.status_code == 429
    assert "Try again in" in answer.text
    console.store.make("bob", "analyst")
    assert sign_in(client, "bob").status_code == 429, "the address waits, too"


def test_a_session_begins_under_a_fresh_cookie_and_the_old_one_ends(client: TestClient, console: FakeConsole) -> None:
    sign_in(client)
    old = client.cookies[COOKIE]
    sign_in(client)
    assert client.cookies[COOKIE] != old
    assert len(console.store.running) == 1
    assert client.get("/", headers={"cookie": f"{COOKIE}={old}"}).status_code == 401


@pytest.mark.parametrize("place", ["//evil.example", "https://evil.example", "/\\evil.example", "/sign-out", "/_stcore/stream",
                                   "javascript:alert(1)", "/a\nb", "flow"])
def test_a_sign_in_leads_to_no_other_place(client: TestClient, place: str) -> None:
    assert sign_in(client, next=place).headers["location"] == "/"


@pytest.mark.parametrize("headers", [{"origin": "http://evil.example"}, {"origin": "null"}, {},
                                     {"origin": "http://127.0.0.1:9999"}, {"origin": "https://127.0.0.1:8501"}])
@pytest.mark.parametrize("path", ["/sign-in", "/sign-out", "/sign-out/everywhere", "/password", "/_stcore/upload_file/x"])
def test_what_another_site_sends_is_not_done(client: TestClient, console: FakeConsole, headers: dict[str, str],
                                             path: str) -> None:
    sign_in(client)
    answer = client.post(path, data={"name": "ada", "password": "a good password"}, headers=headers)
    assert (answer.status_code, answer.text) == (403, words.WRONG_ORIGIN)
    assert len(console.store.running) == 1


def test_another_sites_websocket_is_refused_although_the_cookie_is_right(client: TestClient) -> None:
    sign_in(client)
    with pytest.raises(WebSocketDisconnect), client.websocket_connect(
            "ws://127.0.0.1:8501/_stcore/stream", headers={"origin": "http://evil.example"}):
        raise AssertionError("it opened")


def test_a_foreign_name_that_points_here_is_not_answered(client: TestClient) -> None:
    sign_in(client)
    answer = client.get("/", headers={"host": "evil.example:8501"})
    assert (answer.status_code, answer.text) == (400, words.WRONG_HOST)


def test_signing_out_ends_the_session(client: TestClient, console: FakeConsole) -> None:
    sign_in(client)
    assert "Sign out everywhere" in client.get("/sign-out").text
    cookie = client.cookies[COOKIE]
    assert client.post("/sign-out", headers=ORIGIN).status_code == 303
    assert client.get("/", headers={"cookie": f"{COOKIE}={cookie}"}).status_code == 401
    assert console.log.wrote[-1][:3] == ("ada", "sign-out", "ada")


def test_signing_out_everywhere_ends_those_elsewhere_too(client: TestClient, console: FakeConsole) -> None:
    elsewhere, _ = console.store.begin("ada", ["operator"], "10.0.0.9", "another browser")
    assert client.get("/", headers={"cookie": f"{COOKIE}={elsewhere}"}).status_code == 200
    sign_in(client)
    client.post("/sign-out/everywhere", headers=ORIGIN)
    assert client.get("/", headers={"cookie": f"{COOKIE}={elsewhere}"}).status_code == 401


def test_an_open_page_ends_within_five_seconds_of_the_revocation(client: TestClient, console: FakeConsole,
                                                                monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(console.sessions, "_clock", lambda: now[0])
    sign_in(client)
    with client.websocket_connect("ws://127.0.0.1:8501/_stcore/stream", headers=ORIGIN) as open_page:
        open_page.send_text("one")
        assert open_page.receive_text() == "ada one"
        console.store.end_all("ada")
        now[0] += 5
        open_page.send_text("two")
        assert open_page.receive_text() == "ada two", "one more, upon which the page takes everything away"
        open_page.send_text("three")
        with pytest.raises(WebSocketDisconnect) as ended:
            open_page.receive_text()
    assert ended.value.code == 4401


def test_signing_out_while_cassandra_is_away_is_forgotten_here(client: TestClient, console: FakeConsole) -> None:
    sign_in(client)
    cookie = {"cookie": f"{COOKIE}={client.cookies[COOKIE]}"}
    assert client.get("/", headers=cookie).status_code == 200
    console.store.away = StoreAway("Cassandra does not answer.", "Cassandra")
    answer = client.post("/sign-out", headers=ORIGIN)
    assert answer.status_code == 503
    assert COOKIE not in client.cookies
    assert client.get("/", headers=cookie).status_code == 401


def test_an_account_that_is_disabled_while_it_signs_in_is_not_in(client: TestClient, console: FakeConsole,
                                                                 monkeypatch: pytest.MonkeyPatch) -> None:
    begun = console.store.begin

    def disabled_just_before(*given: Any) -> Any:
        console.store.disable("ada")
        return begun(*given)

    monkeypatch.setattr(console.store, "begin", disabled_just_before)
    assert sign_in(client).status_code == 403
    assert console.store.sessions() == []


def test_streamlit_sees_itself_under_its_own_name_behind_a_proxy(client: TestClient, console: FakeConsole) -> None:
    proxied = console.settings.console.model_copy(update={"origins": ["https://rollcall.example.org"]})
    console.settings = console.settings.model_copy(update={"console": proxied})
    sign_in(client)
    there = {"host": "rollcall.example.org", "origin": "https://rollcall.example.org"}
    told = client.get("/headers", headers=there).json()
    assert (told["host"], told["origin"]) == ("127.0.0.1:8501", "http://127.0.0.1:8501")


def test_an_error_that_nobody_foresaw_tells_a_number_and_nothing_else(client: TestClient, console: FakeConsole,
                                                                      monkeypatch: pytest.MonkeyPatch,
                                                                      caplog: pytest.LogCaptureFixture) -> None:
    def broken(*_: object) -> Any:
        raise KeyError(TYPED)

    monkeypatch.setattr(console.store, "admitted", broken)
    answer = sign_in(client)
    assert answer.status_code == 500
    assert "nobody foresaw" in answer.text
    assert TYPED not in answer.text + caplog.text
    assert "KeyError" in caplog.text


def test_every_answer_has_the_security_headers(client: TestClient) -> None:
    sign_in(client)
    for answer in (client.get("/"), client.get("/sign-in"), client.get("/healthz"), client.get("/x", headers={"host": "evil"})):
        policy = answer.headers["content-security-policy"]
        assert "unsafe-eval" not in policy
        assert "script-src 'self'" in policy
        assert "'unsafe-inline'" not in policy.partition("style-src")[0]
        assert "frame-ancestors 'none'" in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cache-control"] == "no-store"
    assert "no-store" not in client.get("/static/js/x.js").headers.get("cache-control", "")


def test_a_proxy_is_believed_only_if_it_is_one_of_ours(client: TestClient, console: FakeConsole) -> None:
    client.post("/sign-in", data={"name": "ada", "password": "a good password"},
                headers={**ORIGIN, "x-forwarded-for": "203.0.113.7"})
    assert console.store.sessions()[0].address == "testclient"
    trusted = console.settings.console.model_copy(update={"trusted_proxies": ["testclient"]})
    console.settings = console.settings.model_copy(update={"console": trusted})
    client.post("/sign-in", data={"name": "ada", "password": "a good password"},
                headers={**ORIGIN, "x-forwarded-for": "198.51.100.1, 203.0.113.7"})
    assert [one.address for one in console.store.sessions()] == ["203.0.113.7"]


def test_while_cassandra_is_away_nobody_signs_in_and_who_is_in_stays(client: TestClient, console: FakeConsole,
                                                                    monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(console.sessions, "_clock", lambda: now[0])
    sign_in(client)
    cookie = {"cookie": f"{COOKIE}={client.cookies[COOKIE]}"}
    client.get("/", headers=cookie)
    console.store.away = StoreAway("Cassandra does not answer.", "Cassandra")
    now[0] += 60
    assert client.get("/", headers=cookie).status_code == 200
    answer = sign_in(client)
    assert answer.status_code == 503
    assert "Cassandra does not answer" in answer.text
    now[0] += console.settings.console.believed_minutes * 60 + 1
    assert client.get("/", headers=cookie).status_code == 401


def test_a_form_that_is_far_too_long_is_not_read(client: TestClient) -> None:
    assert sign_in(client, password="x" * 100_000).status_code == 413


NEW = "another good password"


def change(client: TestClient, old: str = PASSWORD, new: str = NEW, again: str = NEW) -> Any:
    """Sends the form of a new password."""
    return client.post("/password", data={"old": old, "new": new, "again": again}, headers=ORIGIN)


def test_one_changes_ones_own_password_and_ones_sessions_elsewhere_end(client: TestClient, console: FakeConsole) -> None:
    elsewhere, _ = console.store.begin("ada", ["operator"], "10.0.0.9", "another browser")
    assert client.get("/", headers={"cookie": f"{COOKIE}={elsewhere}"}).status_code == 200
    sign_in(client)
    assert words.OLD_PASSWORD in client.get("/password").text
    answer = change(client)
    assert (answer.status_code, words.NEW_ONE_HOLDS in answer.text) == (200, True)
    assert client.get("/").text.startswith("behind the door as ada")
    assert client.get("/", headers={"cookie": f"{COOKIE}={elsewhere}"}).status_code == 401
    assert [entry[:4] for entry in console.log.wrote][-2:] == [("ada", "password", "ada", "begun"),
                                                              ("ada", "password", "ada", "done")]
    assert (sign_in(client).status_code, sign_in(client, password=NEW).status_code) == (403, 303)


@pytest.mark.parametrize(("old", "new", "again", "status", "says"), [
    ("wrong", NEW, NEW, 403, words.NOT_OLD), ("", NEW, NEW, 403, words.NOT_OLD),
    (PASSWORD, NEW, NEW + "x", 400, words.NOT_TWICE), (PASSWORD, NEW, "", 400, words.NOT_TWICE),
    (PASSWORD, "short", "short", 400, "at least 12"), (PASSWORD, "", "", 400, "at least 12")])
def test_a_password_that_does_not_fit_is_not_set(client: TestClient, console: FakeConsole, old: str, new: str, again: str,
                                                 status: int, says: str) -> None:
    sign_in(client)
    answer = change(client, old, new, again)
    assert (answer.status_code, says in answer.text) == (status, True)
    assert console.store.passwords["ada"] == PASSWORD
    assert {NEW, "short", "wrong"}.isdisjoint(text for entry in console.log.wrote for text in entry)


def test_an_old_password_is_guessed_no_more_often_than_at_the_sign_in(client: TestClient, console: FakeConsole) -> None:
    sign_in(client)
    for _ in range(5):
        assert change(client, "wrong").status_code == 403
    assert console.log.wrote[-1][:4] == ("ada", "password", "ada", "refused")
    answer = change(client)
    assert (answer.status_code, "Try again in" in answer.text) == (429, True)
    assert console.store.passwords["ada"] == PASSWORD


def test_a_password_is_not_changed_while_the_audit_is_away(client: TestClient, console: FakeConsole) -> None:
    sign_in(client)
    console.log.away = True
    answer = change(client)
    assert (answer.status_code, "so this was not done" in answer.text) == (503, True)
    assert console.store.passwords["ada"] == PASSWORD


def test_a_password_that_stands_is_not_said_to_be_not_changed(client: TestClient, console: FakeConsole) -> None:
    elsewhere, _ = console.store.begin("ada", ["operator"], "10.0.0.9", "another browser")
    assert client.get("/", headers={"cookie": f"{COOKIE}={elsewhere}"}).status_code == 200
    sign_in(client)
    console.store.not_ended = StoreAway("Cassandra does not answer.", "Cassandra")
    answer = change(client)
    assert (answer.status_code, console.store.passwords["ada"]) == (503, NEW)
    assert "Account ada is changed, but" in answer.text
    assert "Cassandra does not answer" in answer.text
    assert "Not done" not in answer.text
    assert words.NEW_ONE_HOLDS not in answer.text
    assert client.get("/", headers={"cookie": f"{COOKIE}={elsewhere}"}).status_code == 401, "here it has ended"
    assert client.get("/").text.startswith("behind the door as ada")
    assert console.log.wrote[-1][3] == "failed"
