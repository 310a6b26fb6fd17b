"""The start page: what runs here, and a first call for each dialect."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from starlette.requests import Request
from starlette.responses import Response

from portico import __version__
from portico.pages.first_calls import FIRST_CALLS

_TEMPLATES = Path(__file__).parent / "templates"


class NamedDialect(Protocol):
    """What the start page wants to know about a dialect."""

    @property
    def name(self) -> str:
        """Its name."""


class StartPage:
    """The page at `/`; drawn once, at its first visit."""

    def __init__(
        self,
        *,
        public_url: str,
        dialects: Collection[str],
        static: Mapping[str, str],
        docs: Sequence[str],
    ) -> None:
        self._public_url = public_url
        self._dialects = dialects
        self._static = static
        self._docs = docs
        self._html: str | None = None

    async def answer(self, _: Request) -> Response:
        """Answer with the page."""
        if self._html is None:
            self._html = await asyncio.to_thread(self._draw)
        return Response(self._html, headers={"cache-control": "no-cache"}, media_type="text/html")

    def _draw(self) -> str:
        import jinja2  # noqa: PLC0415 - most servers are never looked at by a person

        environment = jinja2.Environment(
            loader=jinja2.FileSystemLoader(_TEMPLATES),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        calls = [
            (each, each.command.format(url=self._public_url))
            for each in FIRST_CALLS
            if each.dialect in self._dialects
        ]
        return environment.get_template("start.html").render(
            version=__version__,
            url=self._public_url,
            calls=calls,
            css=_relative(self._static["portico.css"]),
            copy_js=_relative(self._static["copy.js"]),
            icon=_relative(self._static["icon.svg"]),
            docs=[(_title(each), _relative(each)) for each in self._docs],
        )


def _relative(path: str) -> str:
    """Return a path as a link that also works below a proxy's prefix."""
    return path.removeprefix("/")


def _title(path: str) -> str:
    return Path(path).stem.replace("-", " ").capitalize()
