"""The view as a program: `gunicorn app.public.dashboard:server` serves the page, its CSV files, /healthz and /readyz.

Nothing it serves is fetched from elsewhere, and the browser is told to refuse what is. It takes nothing: no cookie, no form,
no callback. Whatever does not begin as one of SERVED is not there.
"""

from datetime import UTC, datetime
from pathlib import Path

from dash import Dash, html
from dash.exceptions import DependencyException
from flask import Response, request

from app.public import words
from app.public.data import Reader
from app.public.layout import INDEX
from app.public.pages import CACHE, Pages
from app.public.records import State
from engine.settings import View, load

SERVED = ("/assets/", "/_dash-component-suites/", "/_dash-dependencies", "/_favicon.ico")
PLAIN = "text/plain; charset=utf-8"
REST = "/<path:path>"
"""Dash's rule for whatever no other rule serves: a page of its own."""


def make(reader: Reader, settings: View) -> Dash:
    """The Dash application over a reader of snapshots."""
    app = Dash(
        __name__, title=words.TITLE, update_title=None, index_string=INDEX, use_pages=False,
        assets_folder=str(Path(__file__).parent / "assets"), serve_locally=True,
        meta_tags=[{"name": "viewport", "content": "width=device-width, initial-scale=1"}])
    app.layout = html.Div()    # Dash wants one; the page is made by pages.py
    pages = Pages(reader.read, app.index, settings.refresh_s, settings.stale_s)

    def answered() -> Response | None:
        return _answered(pages)

    app.server.before_request(answered)
    # a file that Dash does not have would be an error with a traceback in the log, for any stranger to fill it with
    for missing in (DependencyException, 404):
        app.server.register_error_handler(missing, lambda _: _missing())
    _guard(app)
    return app


def _answered(pages: Pages) -> Response | None:
    """The answer to a request; None leaves it to Dash, whose files are all that it serves by itself."""
    path = request.path
    if request.method not in ("GET", "HEAD"):
        return Response("405", 405, {"Allow": "GET, HEAD"}, content_type=PLAIN)
    if path == "/healthz":
        return Response("OK", content_type=PLAIN, headers={"Cache-Control": "no-store"})
    if path.startswith(SERVED) and request.url_rule is not None and request.url_rule.rule != REST:
        return None
    edition = pages.edition(datetime.now(UTC))
    if path == "/readyz":
        return Response(edition.state.value, 503 if edition.state is State.BROKEN else 200, {"Cache-Control": "no-store"},
                        content_type=PLAIN)
    answer = edition.answers.get(path)
    if answer is None:
        return _missing()
    response = Response(answer.body, content_type=answer.kind, headers={"Cache-Control": CACHE})
    response.set_etag(edition.version)
    if answer.name:
        response.headers["Content-Disposition"] = f'attachment; filename="{answer.name}"'
    return response.make_conditional(request)


def _missing() -> Response:
    return Response("404", 404, {"Cache-Control": "no-store"}, content_type=PLAIN)


def _guard(app: Dash) -> None:
    """Security headers on every answer. Called last: the hashes cover the inline scripts registered until then."""
    policy = "; ".join((
        "default-src 'self'",
        f"script-src 'self' {' '.join(app.csp_hashes())}",
        "style-src 'self' 'unsafe-inline'",    # plotly writes style attributes
        "img-src 'self' data: blob:", "font-src 'self' data:", "connect-src 'self'", "object-src 'none'",
        "base-uri 'self'", "form-action 'self'", "frame-ancestors 'none'",
    ))
    headers = {
        "Content-Security-Policy": policy, "X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY",
        "Referrer-Policy": "no-referrer", "Cross-Origin-Opener-Policy": "same-origin",
        "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    }

    def add(response: Response) -> Response:
        response.headers.update(headers)
        return response

    app.server.after_request(add)


_settings = load()
reader = Reader(_settings)
app = make(reader, _settings.view)
server = app.server
