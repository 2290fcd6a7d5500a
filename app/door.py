"""The door: ASGI middleware in front of Streamlit. A stranger gets the sign-in page and nothing else, whatever they ask for.

Every request, websocket message included, is looked at here before Streamlit sees it:

    /healthz           `ok`, for who watches; it tells nothing else
    /sign-in           the form (GET), its answer (POST)
    /sign-in/oidc...   the way to an OpenID Connect provider and back, where one is set up (app/oidc.py)
    /sign-out          the question (GET), its answer (POST)
    anything else      only with a session; a page is sent to /sign-in, the rest is refused

What pages learn of the viewer they learn from headers that are set here, and taken off everything that comes in.
"""

from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any
from urllib.parse import parse_qs, quote

from anyio.to_thread import run_sync
from starlette.datastructures import Headers
from starlette.requests import Request, cookie_parser
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response

from app import words
from app.headers import HEADERS, NO_STORE
from app.oidc import Provider
from app.sessions import Viewer
from app.sign_in import form, leaving, safe_next
from app.stores import Console
from engine.errors import RollcallError, SignInRefused
from governance.audit import DONE, REFUSED

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Asgi = Callable[[Scope, Receive, Send], Awaitable[None]]

COOKIE = "rollcall_session"
OURS = b"x-console-"
LARGEST_FORM = 4096
UNSAFE = ("POST", "PUT", "PATCH", "DELETE")
POLICY_VIOLATION, SIGNED_OUT = 1008, 4401
UNCHANGING = ("/static/", "/_stcore/component", "/component")


class Door:
    """The middleware. console: of this process, asked for when the first request comes."""

    def __init__(self, app: Asgi, console: Callable[[], Console], provider: Callable[[], Provider | None]) -> None:
        self._app, self._console, self._provider = app, console, provider

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One connection."""
        match scope["type"]:
            case "http":
                await self._http(scope, receive, _with_headers(scope["path"], send))
            case "websocket":
                await self._websocket(scope, receive, send)
            case _:
                await self._app(scope, receive, send)

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        answer = await self._ours(request)
        if answer is None:
            viewer = await self._viewer(request.headers)
            if viewer is not None:
                await self._app(_introduced(scope, viewer), receive, send)
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
        match request.url.path.rstrip("/"), request.method:
            case "/sign-in", "GET":
                return self._form(request)
            case "/sign-in", "POST":
                return await self._sign_in(request)
            case "/sign-in/oidc", "GET":
                return await self._to_provider()
            case "/sign-in/oidc/back", "GET":
                return await self._from_provider(request)
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
        session, over = viewer.session, False

        async def heard() -> Message:
            """Each message is heard only while the session lasts: a page that stays open asks by messages, too."""
            nonlocal over
            message = await receive()
            if message["type"] == "websocket.receive" and await run_sync(self._console().sessions.get, session) is None:
                over = True
                await send({"type": "websocket.close", "code": SIGNED_OUT})
                return {"type": "websocket.disconnect", "code": SIGNED_OUT}
            return message

        async def said(message: Message) -> None:
            if not over:
                await send(message)

        await self._app(_introduced(scope, viewer), heard, said)

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
        return HTMLResponse(form(said, name, place, self._provider() is not None), status)

    async def _sign_in(self, request: Request) -> Response:
        """Answers the form. What was wrong, name or password, is not told."""
        body = b""
        async for part in request.stream():
            body += part
            if len(body) > LARGEST_FORM:
                return PlainTextResponse(words.WRONG_FORM, 413)
        fields = {name: values[0] for name, values in parse_qs(body.decode("utf-8", "replace")).items()}
        name, password = fields.get("name", "").strip().lower()[:64], fields.get("password", "")
        console, address = self._console(), self._address(request)
        wait = console.throttle.wait_s(f"account {name}", f"address {address}")
        if wait:
            return self._form(request, words.wait_to_sign_in(wait), 429, name)

        def judge() -> Any:
            account = console.accounts().admitted(name, password)
            if account is None:
                console.throttle.failed(f"account {name}", f"address {address}")
                console.audit().append_or_keep("stranger", "sign-in", name, REFUSED, f"from {address}")
            return account

        try:
            account = await run_sync(judge)
            if account is None:
                return self._form(request, words.NOT_ADMITTED, 403, name)
            console.throttle.succeeded(f"account {name}")
            return await self._admitted(request, account.name, account.roles, fields.get("next", "/"), "password")
        except RollcallError as error:
            return self._form(request, words.cannot_sign_in(str(error)), 503, name)

    async def _admitted(self, request: Request, name: str, roles: Iterable[str], place: str, how: str) -> Response:
        """Begins a session under a fresh cookie; one that came with the request ends."""
        console, address = self._console(), self._address(request)
        old = await self._viewer(request.headers)

        def begin() -> str:
            accounts = console.accounts()
            if old is not None:
                accounts.end(old.session)
                console.sessions.ended(old.session)
            cookie, _ = accounts.begin(name, list(roles), address, request.headers.get("user-agent", ""))
            console.audit().append_or_keep(name, "sign-in", name, DONE, f"{how}, from {address}")
            return cookie

        cookie = await run_sync(begin)
        answer = RedirectResponse(safe_next(place), 303)
        answer.set_cookie(COOKIE, cookie, max_age=console.settings.console.session_hours * 3600, path="/", httponly=True,
                          samesite="strict", secure=console.settings.console.secure_cookie)
        return answer

    async def _sign_out(self, request: Request, everywhere: bool) -> Response:
        console, viewer = self._console(), await self._viewer(request.headers)
        if viewer is not None:
            def end() -> None:
                if everywhere:
                    console.accounts().end_all(viewer.name)
                console.accounts().end(viewer.session)
                for session in console.sessions.of_account(viewer.name) if everywhere else [viewer.session]:
                    console.sessions.ended(session)
                console.audit().append_or_keep(viewer.name, "sign-out", viewer.name, DONE, "everywhere" if everywhere else "")

            try:
                await run_sync(end)
            except RollcallError as error:
                return self._form(request, words.cannot_sign_out(str(error)), 503)
        answer = RedirectResponse("/sign-in", 303)
        answer.delete_cookie(COOKIE, path="/", httponly=True, samesite="strict")
        return answer

    async def _to_provider(self) -> Response:
        provider = self._provider()
        if provider is None:
            return PlainTextResponse(words.STRANGER, 404)
        return await run_sync(provider.begin)

    async def _from_provider(self, request: Request) -> Response:
        provider = self._provider()
        if provider is None:
            return PlainTextResponse(words.STRANGER, 404)
        console, address = self._console(), self._address(request)
        try:
            name = await run_sync(provider.name_of, dict(request.query_params), dict(request.cookies))
            account = await run_sync(console.accounts().get, name)
            if account is None or account.disabled:
                await run_sync(console.audit().append_or_keep, "stranger", "sign-in", name, REFUSED, f"OIDC, from {address}")
                return self._form(request, words.no_account(name), 403)
            return provider.gone_on(await self._admitted(request, account.name, account.roles, "/", "OIDC"))
        except SignInRefused as error:
            return self._form(request, str(error), 403)
        except RollcallError as error:
            return self._form(request, words.cannot_sign_in(str(error)), 503)

    def _origins(self) -> set[str]:
        ours = self._console().settings.console
        return {f"http://{host}:{ours.port}" for host in (ours.host, "127.0.0.1", "localhost")} | set(ours.origins)

    def _known_host(self, headers: Headers) -> bool:
        """Whether the name that was asked for is one of ours: a foreign page could point its own name here."""
        return headers.get("host", "") in {origin.partition("://")[2] for origin in self._origins()}

    def _same_origin(self, headers: Headers) -> bool:
        """Whether a page of ours asks. Browsers say so with each POST and each websocket, and pages cannot forge it."""
        return headers.get("origin", "") in self._origins()

    def _address(self, request: Request) -> str:
        """Where the request comes from: what a trusted proxy says, or who connected."""
        peer = request.client.host if request.client else "unknown"
        if peer in self._console().settings.console.trusted_proxies:
            return request.headers.get("x-forwarded-for", peer).rpartition(",")[2].strip() or peer
        return peer


def _introduced(scope: Scope, viewer: Viewer) -> Scope:
    """The scope as Streamlit sees it: no such header but ours (app/server.py names them)."""
    ours = [(OURS + b"session", viewer.session.encode()), (OURS + b"name", viewer.name.encode())]
    return {**scope, "headers": [pair for pair in scope["headers"] if not pair[0].lower().startswith(OURS)] + ours}


def _with_headers(path: str, send: Send) -> Send:
    """`send` with the security headers on every answer; nothing is kept by the browser but Streamlit's own files."""
    more = HEADERS if path.startswith(UNCHANGING) else [*HEADERS, NO_STORE]
    names = {name for name, _ in more}

    async def sent(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [pair for pair in message.get("headers", ()) if pair[0].lower() not in names] + more
        await send(message)

    return sent
