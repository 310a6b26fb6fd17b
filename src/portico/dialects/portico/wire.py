"""The shapes of Portico's own dialect."""

from typing import Any

import msgspec


class Submit(msgspec.Struct, kw_only=True):
    """Body of `POST /portico/v1/tasks` and `/quote`; `params` are the catalogue's own names."""

    model: str | None = None
    prompt: str = ""
    params: dict[str, Any] = {}
    inputs: list["Input"] = []
    callback_url: str | None = None
    route: str = "auto"


class Input(msgspec.Struct, kw_only=True):
    """One input file: a direct URL, or the id of an earlier upload."""

    role: str
    url: str | None = None
    asset_id: str | None = None
