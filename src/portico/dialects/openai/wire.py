"""The shapes of OpenAI's API, in the order in which its reference shows their members."""

from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

DIALECT = "openai"


class ErrorBody(msgspec.Struct):
    """What stands under `error`."""

    message: str
    type: str
    param: str | None
    code: str | None


class ChatSubmit(msgspec.Struct, kw_only=True):
    """Body of `POST /v1/chat/completions`, as far as it is not sampling."""

    model: str | None = None
    messages: list[Any] | None = None
    stream: bool | None = None
    stream_options: "StreamOptions | None" = None
    max_completion_tokens: Any = None
    max_tokens: Any = None


class StreamOptions(msgspec.Struct, kw_only=True):
    """How a stream is wished."""

    include_usage: bool | None = None


class CachedTokens(msgspec.Struct):
    """Which of the LLM tokens read came from a cache."""

    cached_tokens: int


class Usage(msgspec.Struct, kw_only=True):
    """LLM tokens of one text."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    prompt_tokens_details: CachedTokens


class Message(msgspec.Struct, kw_only=True):
    """A whole text; `reasoning_content` is not OpenAI's, and there only where there is any."""

    role: str = "assistant"
    content: str
    refusal: None = None
    reasoning_content: str | UnsetType = UNSET


class Choice(msgspec.Struct, kw_only=True):
    """The only choice there is."""

    index: int = 0
    message: Message
    logprobs: None = None
    finish_reason: str


class ChatCompletion(msgspec.Struct, kw_only=True):
    """Answer of the chat path without `stream`."""

    id: str
    object: str = "chat.completion"
    created: int
    model: str
    choices: list[Choice]
    usage: Usage


class Delta(msgspec.Struct, kw_only=True):
    """What one piece adds."""

    role: str | UnsetType = UNSET
    content: str | UnsetType = UNSET
    reasoning_content: str | UnsetType = UNSET


class PieceChoice(msgspec.Struct, kw_only=True):
    """The only choice of one piece."""

    index: int = 0
    delta: Delta
    logprobs: None = None
    finish_reason: str | None = None


class ChatPiece(msgspec.Struct, kw_only=True):
    """One `data:` line of a stream; `usage` is there only where it was asked for."""

    id: str
    object: str = "chat.completion.chunk"
    created: int
    model: str
    choices: list[PieceChoice]
    usage: Usage | UnsetType | None = UNSET


class Model(msgspec.Struct, kw_only=True):
    """One model; when it was made is not known here."""

    id: str
    object: str = "model"
    created: int = 0
    owned_by: str


class ModelList(msgspec.Struct, kw_only=True):
    """Answer to the list of models."""

    object: str = "list"
    data: list[Model]


class Image(msgspec.Struct, kw_only=True):
    """One picture: its address or its bytes."""

    b64_json: str | UnsetType = UNSET
    url: str | UnsetType = UNSET


class Images(msgspec.Struct, kw_only=True):
    """Answer of the paths that make pictures."""

    created: int
    data: list[Image]
    output_format: str | UnsetType = UNSET
    size: str | UnsetType = UNSET


class VideoError(msgspec.Struct):
    """Why a video failed."""

    code: str
    message: str


class VideoMetadata(msgspec.Struct):
    """Where relays put the address of a finished video; not OpenAI's."""

    url: str


class Video(msgspec.Struct, kw_only=True):
    """One video; `url` and `metadata` are not OpenAI's, and there only when it is completed."""

    id: str
    object: str = "video"
    created_at: int
    status: str
    progress: int
    model: str
    seconds: str | None
    size: str | None
    completed_at: int | None = None
    expires_at: int | None = None
    error: VideoError | None = None
    remixed_from_video_id: None = None
    url: str | UnsetType = UNSET
    metadata: VideoMetadata | UnsetType = UNSET


class VideoList(msgspec.Struct, kw_only=True):
    """One page of videos."""

    object: str = "list"
    data: list[Video]
    first_id: str | None
    last_id: str | None
    has_more: bool


class VideoDeleted(msgspec.Struct, kw_only=True):
    """Answer to a deletion."""

    id: str
    object: str = "video.deleted"
    deleted: bool = True


class EventData(msgspec.Struct):
    """What an event is about."""

    id: str


class Event(msgspec.Struct, kw_only=True):
    """Body of a callback."""

    id: str
    object: str = "event"
    created_at: int
    type: str
    data: EventData
