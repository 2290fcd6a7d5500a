"""The door: ASGI middleware in front of Streamlit. A stranger gets the sign-in page and nothing else, whatever they ask for.

Every request, websocket message included, is looked at here before Streamlit sees it:

    /healthz           `ok`, for who watches; it tells nothing else
    /sign-in           the form (GET), its answer (POST)
    /sign-in/oidc...   the way to an OpenID Connect provider and back, where one is set up (app/oidc.py)
    /password          a new password of one's own: the form (GET), its answer (POST); only with a session
    /package/...       a person's package by the link they were given, once (app/handed_out.py)
    /sign-out          the question (GET), its answer (POST)
    anything else      only with a session; a page is sent to /sign-in, the rest is refused

What pages learn of the viewer they learn from headers that are set here, and taken off everything that comes in.
"""

import logging
import uuid
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import parse_qs, quote

from anyio import CapacityLimiter
from anyio.to_thread import run_sync
from starlette.datastructures import Headers
from starlette.requests import Request, cookie_parser
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response

from app import handed_out, words
from app.headers import HEADERS, NO_STORE
from app.oidc import Provider, account_of
from app.sessions import Viewer
from app.sign_in import form, leaving, password_changed, password_form, safe_next
from app.stores import Console
from app.unforeseen import noted
from engine.errors import RollcallError, SettingsInvalid, SignInRefused
from engine.log_lines import about
from engine.stores.accounts import Account, AccountRefused, HalfChanged
from engine.tls import pages
from governance.audit import DONE, REFUSED

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Asgi = Callable[[Scope, Receive, Send], Awaitable[None]]

log = logging.getLogger("rollcall.console")

COOKIE = "rollcall_session"
OURS = b"x-console-"
LARGEST_FORM = 4096
JUDGED_AT_ONCE = 2
"""Passwords that are compared at once: each takes 64 MiB, and who is signed in must not wait behind strangers."""

ASKED_AT_ONCE = 8
"""Answers of the provider that are waited for at once, apart from passwords: who makes it wait keeps nobody else out."""

FETCHED_AT_ONCE = 2
"""Packages that are fetched at once by their links, for the same reason."""

UNSAFE = ("POST", "PUT", "PATCH", "DELETE")
POLICY_VIOLATION, SIGNED_OUT = 1008, 4401
UNCHANGING = ("/static/", "/_stcore/component", "/component")


class Door:
    """The middleware. console: of this process, asked for when the first request comes."""

    def __init__(self, app: Asgi, console: Callable[[], Console], provider: Callable[[], Provider | None]) -> None:
        self._app, self._console, self._provider = app, console, provider
        self._judging, self._asking = CapacityLimiter(JUDGED_AT_ONCE), CapacityLimiter(ASKED_AT_ONCE)
        self._fetching = CapacityLimiter(FETCHED_AT_ONCE)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One connection."""
        match scope["type"]:
            case "http":
                with about(uuid.uuid4().hex[:8]):
                    await self._http(scope, receive, _with_headers(scope["path"], send))
            case "websocket":
                await self._websocket(scope, receive, send)
            case _:
                await self._app(scope, receive, send)

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        try:
            answer = await self._ours(request)
        except Exception as error:
            answer = PlainTextResponse(words.unforeseen(noted(error)), 500)
        if answer is None:
            viewer = await self._viewer(request.headers)
            if viewer is not None:
                await self._app(self._introduced(scope, viewer), receive, send)
                return
            answer = self._to_sign_in(request)
        await answer(scope, receive, send)

    async def _ours(self, request: Request) -> Response | None:
        """The answer, if it is one of the door's own paths or not to be answered at all."""
        if request.url.path == "/healthz":
            return PlainTextResponse("ok")
        if not self._known_host(request.headers):
            return PlainTextResponse(words.WRONG_HOST, 400)
        if request.method in UNSAFE and not self._same_origin(request.headers):
            return PlainTextResponse(words.WRONG_ORIGIN, 403)
        if request.url.path.startswith(handed_out.PATH):
            return await handed_out.answer(request, self._console(), self._address(request), self._fetching)
        match request.url.path.rstrip("/"), request.method:
            case "/sign-in", "GET":
                return self._form(request)
            case "/sign-in", "POST":
                return await self._sign_in(request)
            case "/sign-in/oidc", "GET":
                return await self._to_provider(request)
            case "/sign-in/oidc/back", "GET":
                return await self._from_provider(request)
            case "/password", "GET" | "POST" as method if (viewer := await self._viewer(request.headers)) is not None:
                return HTMLResponse(password_form("")) if method == "GET" else await self._password(request, viewer)
            case "/sign-out", "GET":
                viewer = await self._viewer(request.headers)
                return HTMLResponse(leaving(viewer.name)) if viewer else RedirectResponse("/sign-in", 303)
            case "/sign-out" | "/sign-out/everywhere" as path, "POST":
                return await self._sign_out(request, everywhere=path.endswith("everywhere"))
        return None

    async def _websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope)
        viewer = None
        if self._known_host(headers) and self._same_origin(headers):
            viewer = await self._viewer(headers)
        if viewer is None:
            await receive()
            await send({"type": "websocket.close", "code": POLICY_VIOLATION})
            return
        session, ended, over = viewer.session, False, False

        async def heard() -> Message:
            """Messages are heard while the session lasts, for a page that stays open asks by messages, too; after its end one
            more, upon which the page asks who looks, and takes everything away."""
            nonlocal ended, over
            message = await receive()
            if message["type"] == "websocket.receive" and await run_sync(self._console().sessions.get, session) is None:
                if ended:
                    over = True
                    await send({"type": "websocket.close", "code": SIGNED_OUT})
                    return {"type": "websocket.disconnect", "code": SIGNED_OUT}
                ended = True
            return message

        async def said(message: Message) -> None:
            if not over:
                await send(message)

        await self._app(self._introduced(scope, viewer), heard, said)

    async def _viewer(self, headers: Headers) -> Viewer | None:
        cookie = cookie_parser(headers.get("cookie", "")).get(COOKIE, "")
        return await run_sync(self._console().sessions.of_cookie, cookie) if cookie else None

    def _to_sign_in(self, request: Request) -> Response:
        if request.method == "GET" and "text/html" in request.headers.get("accept", ""):
            path = request.url.path
            return RedirectResponse("/sign-in" + (f"?next={quote(path)}" if safe_next(path) != "/" else ""), 303)
        return PlainTextResponse(words.STRANGER, 401)

    def _form(self, request: Request, said: str = "", status: int = 200, name: str = "") -> Response:
        place = safe_next(request.query_params.get("next", "/"))
        return HTMLResponse(form(said, name, place, self._asked_provider() is not None), status)

    async def _sign_in(self, request: Request) -> Response:
        """Answers the form. What was wrong, name or password, is not told."""
        if (fields := await _fields(request)) is None:
            return PlainTextResponse(words.WRONG_FORM, 413)
        name, password = fields.get("name", "").strip().lower()[:64], fields.get("password", "")
        console, whom = self._console(), (f"account {name}", f"address {self._address(request)}")
        if wait := console.throttle.begin(*whom):
            return self._form(request, words.wait_to_sign_in(wait), 429, name)

        def judge() -> Account | None:
            account = console.accounts().admitted(name, password)
            if account is None:    # what is no account may be a password in the wrong place: it is not written down
                known = name if console.accounts().get(name) else "an unknown account"
                console.audit().append_or_keep("stranger", "sign-in", known, REFUSED, f"from {self._address(request)}")
            return account

        try:
            account = await run_sync(judge, limiter=self._judging)
            if account is None:
                return self._form(request, words.NOT_ADMITTED, 403, name)
            console.throttle.not_counted(*whom)
            console.throttle.forgiven(whom[0])
            return await self._admitted(request, account, fields.get("next", "/"), "password")
        except SignInRefused as error:
            return self._form(request, str(error), 403, name)
        except RollcallError as error:
            console.throttle.not_counted(*whom)
            return self._form(request, words.cannot_sign_in(str(error)), 503, name)

    async def _admitted(self, request: Request, account: Account, place: str, how: str) -> Response:
        """Begins a session under a fresh cookie; one that came with the request ends. Raises SignInRefused when the account
        was changed meanwhile: who changed it found no session to end."""
        console, address = self._console(), self._address(request)
        old = await self._viewer(request.headers)

        def begin() -> str:
            accounts = console.accounts()
            if old is not None:
                accounts.end(old.session)
                console.sessions.ended(old.session)
            cookie, made = accounts.begin(account.name, account.roles, address, request.headers.get("user-agent", ""))
            if accounts.get(account.name) != account:
                accounts.end(made.id)
                raise SignInRefused(words.NOT_ADMITTED)
            console.audit().append_or_keep(account.name, "sign-in", account.name, DONE, f"{how}, from {address}")
            return cookie

        cookie = await run_sync(begin)
        answer = RedirectResponse(safe_next(place), 303)
        answer.set_cookie(COOKIE, cookie, max_age=console.settings.console.session_hours * 3600, path="/", httponly=True,
                          samesite="strict", secure=pages.secure_cookie(console.settings))
        return answer

    async def _password(self, request: Request, viewer: Viewer) -> Response:
        """Changes the viewer's own password: for who knows the old one, and as often a minute as one may try to sign in."""
        if (fields := await _fields(request)) is None:
            return PlainTextResponse(words.WRONG_FORM, 413)
        old, new = fields.get("old", ""), fields.get("new", "")
        if new != fields.get("again", ""):
            return HTMLResponse(password_form(words.NOT_TWICE), 400)
        console, name, address = self._console(), viewer.name, self._address(request)
        whom = f"account {name}", f"address {address}"
        if wait := console.throttle.begin(*whom):
            return HTMLResponse(password_form(words.wait_to_sign_in(wait)), 429)

        def change() -> bool:
            accounts, audit = console.accounts(), console.audit()
            if accounts.admitted(name, old) is None:
                audit.append_or_keep(name, "password", name, REFUSED, f"the old one is not right, from {address}")
                return False
            try:
                with audit.acting(name, "password", name):
                    accounts.change_password(name, new, viewer.session)
            except HalfChanged:    # the password stands, so who is signed in elsewhere is forgotten here all the same
                console.sessions.account_ended(name, viewer.session)
                raise
            console.sessions.account_ended(name, viewer.session)
            return True

        try:
            if not await run_sync(change, limiter=self._judging):
                return HTMLResponse(password_form(words.NOT_OLD), 403)
            answer = HTMLResponse(password_changed())
        except HalfChanged as error:
            answer = HTMLResponse(password_changed(str(error)), 503)
        except RollcallError as error:
            answer = HTMLResponse(password_form(words.failed(str(error))), 400 if isinstance(error, AccountRefused) else 503)
        console.throttle.not_counted(*whom)
        return answer

    async def _sign_out(self, request: Request, everywhere: bool) -> Response:
        console, viewer = self._console(), await self._viewer(request.headers)
        answer: Response = RedirectResponse("/sign-in", 303)
        if viewer is not None:
            def end() -> None:
                console.sessions.ended(viewer.session)    # here at once, whatever the store says
                if everywhere:
                    console.sessions.account_ended(viewer.name)
                    console.accounts().end_all(viewer.name)
                console.accounts().end(viewer.session)
                console.audit().append_or_keep(viewer.name, "sign-out", viewer.name, DONE, "everywhere" if everywhere else "")

            try:
                await run_sync(end)
            except RollcallError as error:
                answer = self._form(request, words.cannot_sign_out(str(error)), 503)
        answer.delete_cookie(COOKIE, path="/", httponly=True, samesite="strict")
        return answer

    async def _to_provider(self, request: Request) -> Response:
        provider = self._asked_provider()
        if provider is None:
            return PlainTextResponse(words.STRANGER, 404)
        try:
            return await run_sync(provider.begin, limiter=self._asking)
        except RollcallError as error:
            return self._form(request, str(error), 503)

    def _asked_provider(self) -> Provider | None:
        """The provider, if one is set up rightly: local accounts work whatever is wrong with it."""
        try:
            return self._provider()
        except SettingsInvalid as error:
            log.error("%s", error)
            return None

    async def _from_provider(self, request: Request) -> Response:
        provider = self._asked_provider()
        if provider is None:
            return PlainTextResponse(words.STRANGER, 404)
        console, address = self._console(), self._address(request)
        try:
            name, subject = await run_sync(provider.who, dict(request.query_params), dict(request.cookies),
                                           limiter=self._asking)
            if wait := provider.throttle.begin(address):    # only now: a way back that we did not begin writes nothing down
                return self._form(request, words.wait_to_sign_in(wait), 429)
            try:
                account = await run_sync(lambda: account_of(console.accounts(), console.audit(), name, subject, address),
                                         limiter=self._asking)
            except SignInRefused:    # it counts
                raise
            except RollcallError:
                provider.throttle.not_counted(address)
                raise
            provider.throttle.not_counted(address)
            return provider.gone_on(await self._admitted(request, account, "/", "OIDC"))
        except SignInRefused as error:
            return self._form(request, str(error), 403)
        except RollcallError as error:
            return self._form(request, words.cannot_sign_in(str(error)), 503)

    def _origins(self) -> set[str]:
        settings = self._console().settings
        ours = settings.console
        hosts = (ours.host, "127.0.0.1", "localhost")
        return {f"{pages.scheme(settings)}://{host}:{ours.port}" for host in hosts} | set(ours.origins)

    def _known_host(self, headers: Headers) -> bool:
        """Whether the name that was asked for is one of ours: a foreign page could point its own name here."""
        return headers.get("host", "") in {origin.partition("://")[2] for origin in self._origins()}

    def _same_origin(self, headers: Headers) -> bool:
        """Whether a page of ours asks. Browsers say so with each POST and each websocket, and pages cannot forge it."""
        return headers.get("origin", "") in self._origins()

    def _introduced(self, scope: Scope, viewer: Viewer) -> Scope:
        """The scope as Streamlit sees it: of the headers about the viewer only ours (.streamlit/config.toml names them), and
        itself under the one name that it allows; which names are ours has been looked at here."""
        own = f"127.0.0.1:{self._console().settings.console.port}"
        ours = [(OURS + b"session", viewer.session.encode()), (OURS + b"name", viewer.name.encode()), (b"host", own.encode())]
        theirs = [pair for pair in scope["headers"] if not pair[0].lower().startswith(OURS)
                  and pair[0].lower() not in (b"host", b"origin")]
        if any(name.lower() == b"origin" for name, _ in scope["headers"]):
            ours.append((b"origin", f"{pages.scheme(self._console().settings)}://{own}".encode()))
        return {**scope, "headers": theirs + ours}

    def _address(self, request: Request) -> str:
        """Where the request comes from: what a trusted proxy says, or who connected."""
        peer = request.client.host if request.client else "unknown"
        if peer in self._console().settings.console.trusted_proxies:
            return ",".join(request.headers.getlist("x-forwarded-for")).rpartition(",")[2].strip() or peer
        return peer


async def _fields(request: Request) -> dict[str, str] | None:
    """What a form holds; None when it is far too long."""
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > LARGEST_FORM:
            return None
    return {name: values[0] for name, values in parse_qs(body.decode("utf-8", "replace")).items()}


def _with_headers(path: str, send: Send) -> Send:
    """`send` with the security headers on every answer; nothing is kept by the browser but Streamlit's own files."""
    more = HEADERS if path.startswith(UNCHANGING) else [*HEADERS, NO_STORE]
    names = {name for name, _ in more}

    async def sent(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [pair for pair in message.get("headers", ()) if pair[0].lower() not in names] + more
        await send(message)

    return sent
