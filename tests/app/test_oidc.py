"""Sign-in through a provider: the way there and back, and every answer that must not be believed."""

import threading
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from typing import Any, cast
from urllib.parse import parse_qs, urlsplit

import pytest
from joserfc.jwk import OctKey, RSAKey
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from app import words
from app.door import ASKED_AT_ONCE, COOKIE, Door
from app.oidc import COOKIE as STATE
from app.oidc import Provider
from app.stores import Console
from engine.errors import SettingsInvalid, SourceAway
from engine.stores.accounts import AWAITED
from tests.app.console_fake import PASSWORD, FakeConsole
from tests.app.oidc_provider import CLIENT, SECRET, Issuer, issuing

BASE = "http://127.0.0.1:8501"
WITHIN_S = 20


@pytest.fixture(scope="module")
def running() -> Iterator[Issuer]:
    """One provider for all tests of this file."""
    with issuing() as made:
        yield made


@pytest.fixture
def issuer(running: Issuer) -> Issuer:
    """The provider as it should be."""
    running.claims, running.signing, running.algorithm = {}, running.key, "RS256"
    return running


@pytest.fixture
def console(tmp_path: Path, issuer: Issuer) -> FakeConsole:
    """A console with this provider and one operator, whose account awaits the first sign-in."""
    made = FakeConsole(tmp_path)
    made.store.make("ada", "operator")
    made.store.bind("ada")
    ours = made.settings.console.model_copy(update={"oidc_issuer": issuer.address, "oidc_client_id": CLIENT})
    made.settings = made.settings.model_copy(update={"console": ours})
    made.settings.secrets.mkdir()
    (made.settings.secrets / "oidc.secret").write_text(SECRET + "\n")
    return made


async def behind(request: Request) -> PlainTextResponse:
    """Past the door."""
    return PlainTextResponse(f"behind as {request.headers['x-console-name']}")


@pytest.fixture
def client(console: FakeConsole) -> Iterator[TestClient]:
    """A browser in front of the door."""
    provider = Provider.of(console.settings)
    app = Starlette(routes=[Route("/{path:path}", behind)], middleware=[
        Middleware(Door, console=lambda: cast(Console, console), provider=lambda: provider)])
    with TestClient(app, base_url=BASE, follow_redirects=False) as browser:
        yield browser


def gone(client: TestClient) -> dict[str, str]:
    """Goes to the provider; returns what it is asked."""
    answer = client.get("/sign-in/oidc")
    assert answer.status_code == 303
    assert "samesite=lax" in answer.headers["set-cookie"].lower()
    return {name: values[0] for name, values in parse_qs(urlsplit(answer.headers["location"]).query).items()}


def back(client: TestClient, issuer: Issuer, **changes: str) -> Any:
    """Goes there, signs in, comes back."""
    query = gone(client)
    return client.get("/sign-in/oidc/back", params={"code": issuer.authorized(query), "state": query["state"], **changes})


def test_who_signs_in_there_is_the_account_of_that_name_here(client: TestClient, console: FakeConsole, issuer: Issuer) -> None:
    assert words.SIGN_IN_OIDC in client.get("/sign-in").text
    answer = back(client, issuer)
    assert answer.status_code == 200
    assert 'http-equiv="refresh"' in answer.text
    assert client.get("/").text == "behind as ada"
    assert console.store.sessions()[0].roles == {"operator"}
    assert ("ada", "sign-in", "ada", "done", "OIDC, from testclient") in console.log.wrote


def test_a_name_without_an_account_gets_nothing(client: TestClient, console: FakeConsole, issuer: Issuer) -> None:
    issuer.claims = {"preferred_username": "eve"}
    answer = back(client, issuer)
    assert (answer.status_code, words.OIDC_NOT_OPEN in unescape(answer.text)) == (403, True)
    assert console.store.sessions() == []
    assert console.log.wrote == [("stranger", "sign-in", "an unknown account", "refused",
                                  "OIDC, from testclient: there is no such account")]


def test_what_is_refused_is_told_a_stranger_in_one_sentence_and_the_audit_in_its_own(
        client: TestClient, console: FakeConsole, issuer: Issuer) -> None:
    console.store.make("ben", "operator")
    console.store.make("cleo", "operator")
    console.store.disable("cleo")
    console.store.make("dora", "operator")
    console.store.bind("dora")
    console.store.bind_to("dora", f"{issuer.address} another")
    said = set()
    for name, missing in (("eve", "no such account"), ("ben", "not bound"), ("cleo", "disabled"), ("dora", "somebody else")):
        issuer.claims = {"preferred_username": name}
        answer = back(client, issuer)
        assert answer.status_code == 403
        assert name not in answer.text
        assert missing in console.log.wrote[-1][4]
        said.add(answer.text)
    assert len(said) == 1


def test_a_name_of_any_length_is_neither_an_account_nor_written_down(client: TestClient, console: FakeConsole,
                                                                     issuer: Issuer) -> None:
    console.store.make("a" * 64, "operator")
    console.store.bind("a" * 64)
    issuer.claims = {"preferred_username": "a" * 5000}
    assert back(client, issuer).status_code == 403
    assert console.store.sessions() == []
    assert "aaa" not in str(console.log.wrote)


def test_refused_returns_of_one_address_fill_no_audit(client: TestClient, console: FakeConsole, issuer: Issuer) -> None:
    for _ in range(3):
        assert back(client, issuer).status_code == 200, "what succeeds is not counted"
    client.cookies.clear()
    for _ in range(10):    # a page of somebody else can have a browser do this: it keeps nobody out
        assert client.get("/sign-in/oidc/back", params={"code": "x", "state": "guessed"}).status_code == 403
    issuer.claims = {"preferred_username": "eve"}
    tries = console.settings.console.tries_a_minute
    assert [back(client, issuer).status_code for _ in range(tries + 2)] == [403] * tries + [429] * 2
    assert len([entry for entry in console.log.wrote if entry[3] == "refused"]) == tries
    issuer.claims = {}
    answer = back(client, issuer)
    assert (answer.status_code, "Try again in" in answer.text) == (429, True)
    form = {"name": "ada", "password": PASSWORD}
    assert client.post("/sign-in", data=form, headers={"origin": BASE}).status_code == 303, "the password way has its own"


def test_a_store_that_is_away_is_no_refusal(client: TestClient, console: FakeConsole, issuer: Issuer) -> None:
    console.log.away = True
    for _ in range(console.settings.console.tries_a_minute + 1):
        assert back(client, issuer).status_code == 503


def test_the_first_sign_in_binds_the_account_and_nobody_else_gets_in_under_its_name(
        client: TestClient, console: FakeConsole, issuer: Issuer) -> None:
    assert back(client, issuer).status_code == 200
    assert console.store.there["ada"].subject == f"{issuer.address} 1"
    bound = [entry for entry in console.log.wrote if entry[1] == "accounts.change"]
    assert [entry[2:4] for entry in bound] == [("ada", "begun"), ("ada", "done")]
    assert back(client, issuer).status_code == 200
    assert len([entry for entry in console.log.wrote if entry[1] == "accounts.change"]) == 2, "it is bound once"
    client.cookies.clear()
    issuer.claims = {"sub": "2"}
    answer = back(client, issuer)
    assert (answer.status_code, words.OIDC_NOT_OPEN in unescape(answer.text)) == (403, True)
    assert COOKIE not in client.cookies
    assert console.store.there["ada"].subject == f"{issuer.address} 1"
    assert console.log.wrote[-1][:4] == ("stranger", "sign-in", "ada", "refused")
    console.store.bind("ada")
    assert back(client, issuer).status_code == 200, "an admin has bound it anew"


def test_an_account_that_no_admin_opened_is_not_entered(client: TestClient, console: FakeConsole, issuer: Issuer) -> None:
    console.store.bind("ada", False)
    answer = back(client, issuer)
    assert (answer.status_code, words.OIDC_NOT_OPEN in unescape(answer.text)) == (403, True)
    assert console.store.there["ada"].subject == ""
    assert console.store.sessions() == []
    assert console.log.wrote[-1][:4] == ("stranger", "sign-in", "ada", "refused")


def test_who_has_an_account_takes_no_other_by_another_name(client: TestClient, console: FakeConsole, issuer: Issuer) -> None:
    back(client, issuer)
    client.cookies.clear()
    console.store.make("root", "admin")
    console.store.bind("root")
    issuer.claims = {"preferred_username": "root"}
    answer = back(client, issuer)
    assert (answer.status_code, words.OIDC_NOT_OPEN in unescape(answer.text)) == (403, True)
    assert "Another account is bound" in console.log.wrote[-1][4]
    assert console.store.there["root"].subject == AWAITED
    assert [one.account for one in console.store.sessions()] == ["ada"]


def test_an_account_is_not_bound_while_the_audit_is_away(client: TestClient, console: FakeConsole, issuer: Issuer) -> None:
    console.log.away = True
    assert back(client, issuer).status_code == 503
    assert console.store.there["ada"].subject == AWAITED
    assert console.store.sessions() == []


def test_who_makes_the_provider_wait_keeps_nobody_from_their_password(client: TestClient, console: FakeConsole,
                                                                      monkeypatch: pytest.MonkeyPatch) -> None:
    goes_on = threading.Event()
    waiting = threading.Semaphore(0)

    def slow(_: Provider) -> Any:
        waiting.release()
        assert goes_on.wait(WITHIN_S)
        raise SourceAway(words.oidc_away("ReadTimeout"))

    monkeypatch.setattr("app.oidc.Provider.begin", slow)
    statuses: list[int] = []

    def password() -> None:
        form = {"name": "ada", "password": PASSWORD}
        statuses.append(client.post("/sign-in", data=form, headers={"origin": BASE}).status_code)

    many = [threading.Thread(target=client.get, args=("/sign-in/oidc",)) for _ in range(ASKED_AT_ONCE + 1)]
    one = threading.Thread(target=password)
    for thread in many:
        thread.start()
    try:
        for _ in range(ASKED_AT_ONCE):
            assert waiting.acquire(timeout=WITHIN_S)
        one.start()
        one.join(WITHIN_S / 2)
        assert statuses == [303]
    finally:
        goes_on.set()
        for thread in many:
            thread.join(WITHIN_S)


def test_a_disabled_account_gets_nothing(client: TestClient, console: FakeConsole, issuer: Issuer) -> None:
    console.store.disable("ada")
    assert back(client, issuer).status_code == 403


@pytest.mark.parametrize("claims", [
    {"iss": "http://evil.example"}, {"aud": "another client"}, {"exp": 1}, {"nonce": "another"}, {"nonce": None}, {"exp": None},
    {"aud": None}, {"preferred_username": None}, {"preferred_username": ["ada"]}, {"sub": None}, {"sub": ""}, {"sub": 1},
    {"sub": "1" * 256}])
def test_a_token_that_does_not_fit_signs_nobody_in(client: TestClient, console: FakeConsole, issuer: Issuer,
                                                   claims: dict[str, Any]) -> None:
    issuer.claims = claims
    answer = back(client, issuer)
    assert answer.status_code == 403
    assert words.OIDC_UNSOUND in unescape(answer.text)
    assert COOKIE not in client.cookies
    assert console.store.sessions() == []
    assert console.store.there["ada"].subject == AWAITED


@pytest.mark.parametrize("how", ["another key", "a shared secret"])
def test_a_token_of_another_hand_signs_nobody_in(client: TestClient, console: FakeConsole, issuer: Issuer, how: str) -> None:
    if how == "another key":
        issuer.signing = RSAKey.generate_key(2048, {"kid": "one"})
    else:
        issuer.signing, issuer.algorithm = cast(RSAKey, OctKey.import_key(SECRET * 2)), "HS256"
    assert words.OIDC_UNSOUND in unescape(back(client, issuer).text)
    assert console.store.sessions() == []


def test_nobody_comes_back_with_the_state_of_another_or_twice(client: TestClient, console: FakeConsole, issuer: Issuer) -> None:
    query = gone(client)
    code = issuer.authorized(query)
    client.cookies.delete(STATE)
    assert words.OIDC_STALE in client.get("/sign-in/oidc/back", params={"code": code, "state": query["state"]}).text
    assert words.OIDC_STALE in back(client, issuer, state="guessed").text
    assert console.store.sessions() == []


def test_who_declines_is_told_so(client: TestClient) -> None:
    query = gone(client)
    answer = client.get("/sign-in/oidc/back", params={"error": "access_denied", "state": query["state"]})
    assert words.OIDC_DECLINED in unescape(answer.text)


def test_a_provider_that_is_away_is_said(client: TestClient, console: FakeConsole, monkeypatch: pytest.MonkeyPatch,
                                         issuer: Issuer) -> None:
    query = gone(client)
    code = issuer.authorized(query)
    monkeypatch.setattr("app.oidc.Provider._asked", _away)
    answer = client.get("/sign-in/oidc/back", params={"code": code, "state": query["state"]})
    assert answer.status_code == 503
    assert "does not answer" in answer.text


def _away(*_: object, **__: object) -> Any:
    raise SourceAway(words.oidc_away("ConnectError"))


def test_without_a_provider_there_is_no_such_way(tmp_path: Path) -> None:
    assert Provider.of(FakeConsole(tmp_path).settings) is None


def test_a_provider_without_its_secret_says_where_it_belongs(console: FakeConsole) -> None:
    (console.settings.secrets / "oidc.secret").unlink()
    with pytest.raises(SettingsInvalid, match=r"oidc.secret cannot be read"):
        Provider.of(console.settings)
