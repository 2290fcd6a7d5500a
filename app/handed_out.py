"""The package of a person by its link, for whoever has it: a page with one button, then the file, once.

A page first, for programs that look into letters open the links in them: that must not use the package up.
"""

from anyio import CapacityLimiter
from anyio.to_thread import run_sync
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from app import words_requests as words
from app.sign_in import handing_out
from app.stores import Console
from engine.clients import mapped
from engine.errors import RollcallError
from engine.rights.packages import AlreadyTaken, NoPackage, Packages
from governance.audit import REFUSED

PATH = "/package/"
WHO, WHAT = "whoever has the link", "package by link"
KEEPER = "officer"


async def answer(request: Request, console: Console, address: str, fetching: CapacityLimiter) -> Response:
    """The page, or the file. address: of who asks; too many wrong links from one wait, as wrong passwords do. fetching: how
    many links are looked up at once, so that who is signed in does not wait behind strangers."""
    if request.method != "POST":
        return HTMLResponse(handing_out(""))
    asking = f"package {address}"
    if wait := console.throttle.begin(asking):
        return HTMLResponse(handing_out(words.wait_for_package(wait)), 429)
    try:
        secret = request.url.path.removeprefix(PATH).strip("/")
        ref, content = await run_sync(_taken, console, secret, address, limiter=fetching)
    except NoPackage:
        return HTMLResponse(handing_out(words.LINK_ENDED), 404)
    except AlreadyTaken:
        return HTMLResponse(handing_out(words.LINK_USED), 410)
    except RollcallError as error:    # it could not be judged
        console.throttle.not_counted(asking)
        return HTMLResponse(handing_out(words.not_now(str(error))), 503)
    console.throttle.not_counted(asking)
    return Response(content, media_type="application/zip",
                    headers={"content-disposition": f'attachment; filename="{ref}.zip"'})


def _taken(console: Console, secret: str, address: str) -> tuple[str, bytes]:
    """Request and content; the audit has it first, and without the audit nothing is handed out. Of wrong links it has only
    those after which an address must wait: guesses must not fill it."""
    with console.stores.cassandra(KEEPER) as session, mapped("fetching a package", KEEPER):
        packages = Packages(console.settings, session)
        try:
            if not secret:
                raise NoPackage
            packages.of_link(secret)
        except NoPackage:
            if console.throttle.full(f"package {address}"):
                console.audit().append_or_keep(WHO, "requests.export", WHAT, REFUSED, f"too many wrong links from {address}")
            raise
        with console.audit().acting(WHO, "requests.export", WHAT) as doing:
            ref, content = packages.take(secret=secret)
            doing.why = ref
    return ref, content
