"""The view as a program: `gunicorn app.public.dashboard:server` serves the page, its refresh and /healthz.

Nothing it serves is fetched from elsewhere, and the browser is told to refuse what is.
"""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from dash import Dash, Input, Output, State, no_update

from app.public import words
from app.public.data import Reader
from app.public.layout import CARDS, INDEX, PARTS, Shown, drawn, freshness, page
from app.public.records import Unreadable
from engine.settings import View, load


def make(reader: Reader, settings: View) -> Dash:
    """The Dash application over a reader of figures."""
    app = Dash(
        __name__, title=words.TITLE, update_title=None, index_string=INDEX, health_endpoint="healthz", use_pages=False,
        assets_folder=str(Path(__file__).parent / "assets"), serve_locally=True,
        meta_tags=[{"name": "viewport", "content": "width=device-width, initial-scale=1"}])
    app.layout = page(settings.refresh_s)

    def refresh(ticks: int | None, shown: Shown | None) -> dict[str, Any]:
        return refreshed(reader, settings, shown)

    inputs = {"ticks": Input("clock", "n_intervals"), "shown": State("shown", "data")}
    app.callback(output=outputs(), inputs=inputs)(refresh)
    _guard(app)
    return app


def outputs() -> dict[str, Any]:
    """Where each value of `freshness` and `drawn` goes on the page."""
    return {
        "status": Output("status", "children"), "status_class": Output("status", "className"),
        "notice": Output("notice", "children"), "body_class": Output("body", "className"),
        "origin": Output("origin", "children"), "origin_class": Output("origin", "className"),
        "shown": Output("shown", "data"),
        **{f"{part.key}_height": Output(f"{part.key}-chart", "style") for part in PARTS},
        **{key: Output(key, "children") for key, _, _ in CARDS},
        **{f"{part.key}_{place}": Output(f"{part.key}-{place}", prop)
           for part in PARTS
           for place, prop in (("heading", "children"), ("sentence", "children"), ("chart", "figure"),
                               ("table", "children"))},
    }


def refreshed(reader: Reader, settings: View, shown: Shown | None) -> dict[str, Any]:
    """One refresh. `shown`: what the page remembers of its figures; charts stay while those are the newest."""
    reading = reader.read()
    values = dict.fromkeys(outputs(), no_update)
    values.update(freshness(reading, datetime.now(UTC), shown, settings.refresh_s, settings.stale_s))
    if not isinstance(reading, Unreadable) and (shown is None or reading.version != shown["version"]):
        values.update(drawn(reading))
    return values


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

    def add(response: Any) -> Any:
        response.headers.update(headers)
        return response

    app.server.after_request(add)


_settings = load()
reader = Reader(_settings)
app = make(reader, _settings.view)
server = app.server
