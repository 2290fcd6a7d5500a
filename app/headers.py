"""Security headers of every answer. The browser is told to run only scripts that are served here, and to load nothing else."""

import base64
import hashlib
import re
from pathlib import Path

import streamlit

INDEX = Path(streamlit.__file__).parent / "static" / "index.html"


def policy(index: str) -> str:
    """The content security policy for Streamlit's page: its inline scripts are allowed by their hashes, eval is not."""
    hashes = (base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
              for script in re.findall(r"<script>(.*?)</script>", index, re.DOTALL))
    return "; ".join((
        "default-src 'self'",
        " ".join(["script-src 'self'", *(f"'sha256-{one}'" for one in hashes)]),
        "style-src 'self' 'unsafe-inline'",    # Streamlit's components write style elements
        "img-src 'self' data: blob:", "font-src 'self' data:", "connect-src 'self'", "object-src 'none'",
        "base-uri 'self'", "form-action 'self'", "frame-ancestors 'none'"))


HEADERS = [(name.encode(), value.encode()) for name, value in {
    "content-security-policy": policy(INDEX.read_text(encoding="utf-8")),
    "x-content-type-options": "nosniff", "x-frame-options": "DENY", "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin", "permissions-policy": "camera=(), geolocation=(), microphone=()",
}.items()]
"""As ASGI wants them."""

NO_STORE = (b"cache-control", b"no-store")
"""For everything but the unchanging files of Streamlit itself."""
