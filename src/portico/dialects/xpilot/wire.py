"""The shapes of xPilot's page, in the order in which it shows their members.

Fields of type Any are read by the catalogue, which takes `"8"` and `8.0` for 8 and refuses 8.5.
"""

from typing import Any

import msgspec


class VideoSubmit(msgspec.Struct, kw_only=True):
    """Body of `POST /api/v1/video/generate`."""

    model: str | None = None
    prompt: str | None = None
    duration: Any = None  # seconds
    aspect_ratio: str | None = None
    image_url: str | None = None
    generate_audio: Any = None
    lock_camera: Any = None


class ImageSubmit(msgspec.Struct, kw_only=True):
    """Body of `POST /api/v1/image/generate`."""

    model: str | None = None
    prompt: str | None = None
    aspect_ratio: str | None = None
    mode: str | None = None  # "t2i", "i2i", "i2i_text"
    image_url: str | None = None
    image_urls: list[str] | None = None


class TextSubmit(msgspec.Struct, kw_only=True):
    """Body of `POST /api/v1/text/generate`."""

    model: str | None = None
    prompt: str | None = None
    system: str | None = None
    max_tokens: Any = None
    temperature: Any = None


class VideoAccepted(msgspec.Struct, kw_only=True):
    """Answer to a video submit."""

    task_id: str
    status: str
    provider: str
    poll_url: str
    cost_cents: int
    remaining_credits_cents: int


class ImageAccepted(msgspec.Struct, kw_only=True):
    """Answer to a picture submit: with its outputs, or with where to ask for them."""

    task_id: str
    status: str
    outputs: list[str]
    poll_url: str | msgspec.UnsetType = msgspec.UNSET
    cost_cents: int
    remaining_credits_cents: int


class TaskStatus(msgspec.Struct, kw_only=True):
    """Answer to a status query, of a video or a picture."""

    task_id: str
    status: str
    outputs: list[str]
    provider: str
    error: str | msgspec.UnsetType = msgspec.UNSET


class Usage(msgspec.Struct, kw_only=True):
    """LLM tokens of one text."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


class TextAnswer(msgspec.Struct, kw_only=True):
    """Answer to a text submit."""

    content: str
    model: str
    usage: Usage
    cost_cents: int
    remaining_credits_cents: int


class TextModel(msgspec.Struct, kw_only=True):
    """A text model in the list; the page promises prices and shows no field, so these are ours."""

    id: str
    label: str
    type: str = "text"
    cost_cents_per_1k_input_tokens: msgspec.Raw
    cost_cents_per_1k_output_tokens: msgspec.Raw


class VideoModel(msgspec.Struct, kw_only=True):
    """A video model in the list."""

    id: str
    label: str
    tier: str
    supports_audio: bool
    supports_lock_camera: bool
    durations: list[int]
    cost_cents_per_5s: int
    type: str = "video"
    mode: str
    provider: str


class ImageModel(msgspec.Struct, kw_only=True):
    """A picture model in the list; `cost_cents` is ours, as for texts."""

    id: str
    label: str
    type: str = "image"
    cost_cents: int


class Models(msgspec.Struct, kw_only=True):
    """What is offered, by kind."""

    text: list[TextModel]
    video: list[VideoModel]
    image: list[ImageModel]


class ModelList(msgspec.Struct):
    """Answer to `GET /api/v1/models`."""

    models: Models
