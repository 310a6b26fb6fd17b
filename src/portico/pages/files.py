"""Small files served as they are: our style sheet and module, the documentation, robots.txt."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response

_HERE = Path(__file__).parent
# in an installed package the pages lie beside this file, in a checkout at its root
_DOCS = (_HERE / "docs", Path(__file__).parents[3] / "docs")
_DOCUMENTS = (
    "quickstart",
    "dialects",
    "local-renderer",
    "configuration",
    "providers",
    "operations",
    "glossary",
)
_TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
_FOR_EVER = "public, max-age=31536000, immutable"
_AN_HOUR = "public, max-age=3600"


@dataclass(frozen=True, slots=True)
class ServedFile:
    """One file in memory; `path` carries a version where it may be kept for ever."""

    name: str
    path: str
    body: bytes
    media_type: str
    kept: str

    async def answer(self, _: Request) -> Response:
        """Answer with the file."""
        return Response(self.body, headers={"cache-control": self.kept}, media_type=self.media_type)


def static_files() -> list[ServedFile]:
    """Return our own style sheet, module and icon."""
    return [_static(path) for path in sorted((_HERE / "static").iterdir())]


def documents() -> list[ServedFile]:
    """Return the documentation, as plain text; nothing where it was not installed."""
    folder = next((each for each in _DOCS if each.is_dir()), None)
    if folder is None:
        return []
    return [
        ServedFile(name, f"/docs/{name}.md", path.read_bytes(), "text/plain", _AN_HOUR)
        for name in _DOCUMENTS
        if (path := folder / f"{name}.md").is_file()
    ]


def robots() -> ServedFile:
    """Return the word to search engines: nothing here is for them."""
    text = b"User-agent: *\nDisallow: /\n"
    return ServedFile("robots", "/robots.txt", text, "text/plain", _AN_HOUR)


def favicon(static: Iterable[ServedFile]) -> ServedFile:
    """Return our icon, for clients that ask for it where it used to lie."""
    icon = next(each for each in static if each.name == "icon.svg")
    return ServedFile("favicon", "/favicon.ico", icon.body, icon.media_type, _AN_HOUR)


def _static(path: Path) -> ServedFile:
    body = path.read_bytes()
    version = hashlib.sha256(body).hexdigest()[:12]
    return ServedFile(
        path.name,
        f"/static/{path.name}?v={version}",
        body,
        _TYPES[path.suffix],
        _FOR_EVER,
    )
