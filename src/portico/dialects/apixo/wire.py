"""The shapes of APIXO's page ("wan-2-5"): an envelope `{code, message, data}` around all."""

from typing import Any

import msgspec


class Input(msgspec.Struct, kw_only=True):
    """The `input` of a submit; what is marked `Any` is read by the catalogue, which is lenient."""

    mode: str | None = None
    prompt: str | None = None
    resolution: Any = None
    duration: Any = None
    aspect_ratio: Any = None
    image_urls: list[str] | None = None
    negative_prompt: Any = None
    seed: Any = None
    enable_prompt_expansion: Any = None


class Submit(msgspec.Struct, kw_only=True):
    """Body of `POST /api/v1/generateTask/{model}`; unknown fields are ignored."""

    request_type: str | None = None  # "async" unless said
    callback_url: str | None = None  # needed by, and used for, request_type "callback" only
    provider: str | None = None  # "auto" unless said
    input: Input | None = None


class Envelope(msgspec.Struct, kw_only=True):
    """Every answer; `code` is the HTTP status, and `data` is null in every error."""

    code: int = 200
    message: str = "success"
    data: Any = None


class Submitted(msgspec.Struct, kw_only=True):
    """`data` of a submit."""

    taskId: str  # noqa: N815 - the page's spelling


class Status(msgspec.Struct, kw_only=True, omit_defaults=True):
    """`data` of a read: fields that do not apply are absent, never null; times in milliseconds.

    `resultJson` is JSON inside a string, there on success; the fail fields are there on failure.
    """

    taskId: str  # noqa: N815
    state: str
    resultJson: str | None = None  # noqa: N815
    failCode: str | None = None  # noqa: N815
    failMsg: str | None = None  # noqa: N815
    createTime: int  # noqa: N815
    completeTime: int | None = None  # noqa: N815
    costTime: int | None = None  # noqa: N815
