"""The pages of the door - sign in, sign out, a new password, a package to fetch: plain HTML with no script at all, so that
they work whatever else does not."""

from html import escape

from app import words, words_requests

STYLE = """
:root { color-scheme: light dark; --ink: #16232b; --soft: #56666f; --line: #9fb0b5; --paper: #f4f7f7; --card: #fff;
  --lead: #0b5a63; --on-lead: #fff; --bad: #a3202b; --bad-paper: #fdeeee; }
@media (prefers-color-scheme: dark) { :root { --ink: #e8eff0; --soft: #a9b8bc; --line: #50636a; --paper: #0f1a1e;
  --card: #172429; --lead: #58b8c4; --on-lead: #06191c; --bad: #ff9aa2; --bad-paper: #3a1d21; } }
* { box-sizing: border-box; }
body { margin: 0; min-height: 100vh; display: grid; place-items: center; background: var(--paper); color: var(--ink);
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; padding: 16px; }
main { width: 100%; max-width: 380px; background: var(--card); border: 1px solid var(--line); border-radius: 12px;
  padding: 28px; }
h1 { margin: 0; font-size: 28px; letter-spacing: -.02em; }
p { margin: 4px 0 20px; color: var(--soft); }
label { display: block; font-weight: 600; margin: 16px 0 4px; }
input { width: 100%; padding: 10px 12px; font: inherit; color: inherit; background: transparent;
  border: 1px solid var(--line); border-radius: 8px; }
button, a.other { display: block; width: 100%; margin-top: 24px; padding: 11px; font: inherit; font-weight: 600;
  text-align: center; border-radius: 8px; border: 1px solid var(--lead); background: var(--lead); color: var(--on-lead);
  cursor: pointer; text-decoration: none; }
a.other { margin-top: 12px; background: transparent; color: var(--lead); }
:focus-visible { outline: 3px solid #e0a33a; outline-offset: 2px; }
.said { margin: 0 0 8px; padding: 10px 12px; border-radius: 8px; color: var(--bad); background: var(--bad-paper); }
"""


def form(said: str, name: str, place: str, oidc: bool) -> str:
    """The page. said: what went wrong; place: where to go after; oidc: whether a provider can be asked instead."""
    notice = f'<p class="said" role="alert">{escape(said)}</p>' if said else ""
    other = f'<a class="other" href="/sign-in/oidc">{words.SIGN_IN_OIDC}</a>' if oidc else ""
    return _page(words.SIGN_IN, f"""<p>{words.TAGLINE}</p>
{notice}
<form method="post" action="/sign-in">
<label for="name">{words.ACCOUNT}</label>
<input id="name" name="name" autocomplete="username" autocapitalize="none" required value="{escape(name, quote=True)}"
 {'' if name else 'autofocus'}>
<label for="password">{words.PASSWORD}</label>
<input id="password" name="password" type="password" autocomplete="current-password" required {'autofocus' if name else ''}>
<input type="hidden" name="next" value="{escape(place, quote=True)}">
<button type="submit">{words.SIGN_IN}</button>
</form>
{other}""")


def password_form(said: str) -> str:
    """The page on which one changes one's own password. said: what went wrong."""
    notice = f'<p class="said" role="alert">{escape(said)}</p>' if said else ""
    fields = "".join(f"""<label for="{key}">{label}</label>
<input id="{key}" name="{key}" type="password" autocomplete="{kind}" required>
""" for key, label, kind in (("old", words.OLD_PASSWORD, "current-password"), ("new", words.NEW_PASSWORD, "new-password"),
                             ("again", words.NEW_AGAIN, "new-password")))
    return _page(words.CHANGE_PASSWORD, f"""<p>{words.PASSWORD_SAYS}</p>
{notice}
<form method="post" action="/password">
{fields}<button type="submit">{words.CHANGE_PASSWORD}</button>
</form>
<a class="other" href="/">{words.GO_BACK}</a>""")


def password_changed(said: str = "") -> str:
    """After the change. said: how far it came, where not all of it was done."""
    notice = f'<p class="said" role="alert">{escape(said)}</p>' if said else f'<p role="status">{words.NEW_ONE_HOLDS}</p>'
    return _page(words.CHANGE_PASSWORD, f"""{notice}
<a class="other" href="/">{words.GO_ON}</a>""")


def leaving(name: str) -> str:
    """The page that signs out: here, or everywhere."""
    return _page(words.SIGN_OUT, f"""<p>{words.ACCOUNT}: {escape(name)}</p>
<p>{words.SIGN_OUT_SAYS}</p>
<form method="post" action="/sign-out"><button type="submit">{words.SIGN_OUT}</button></form>
<form method="post" action="/sign-out/everywhere"><button type="submit">{words.SIGN_OUT_EVERYWHERE}</button></form>
<a class="other" href="/">{words.STAY}</a>""")


def handing_out(said: str) -> str:
    """The page on which a person fetches their package. said: why it is not given."""
    notice = f'<p class="said" role="alert">{escape(said)}</p>' if said else f"""<p>{words_requests.FETCH_SAYS}</p>
<form method="post"><button type="submit">{words_requests.FETCH}</button></form>"""
    return _page(words_requests.FETCH_TITLE, notice)


def _page(title: str, body: str) -> str:
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title} - {words.PRODUCT}</title><link rel="icon" href="data:,"><style>{STYLE}</style>
</head>
<body>
<main>
<h1>{words.PRODUCT}</h1>
{body}
</main>
</body>
</html>"""


def safe_next(place: str) -> str:
    """A path of this console to go to; the front page for anything else, for a link could name a foreign place."""
    plain = place.startswith("/") and not place.startswith(("//", "/\\", "/sign-", "/_")) and "." not in place
    return place if plain and place.isprintable() and "\\" not in place else "/"
