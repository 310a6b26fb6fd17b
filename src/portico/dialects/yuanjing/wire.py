"""The shapes of Yuanjing's page, in the order in which its samples show their members."""

from typing import Any

import msgspec


class ChatSubmit(msgspec.Struct, kw_only=True):
    """Body of the chat path: OpenAI's `messages`, or the page's `prompt` and `sys_prompt`."""

    model: str | None = None
    messages: list[dict[str, Any]] | None = None
    prompt: str | None = None
    sys_prompt: str | None = None
    stream: bool | None = None
    max_tokens: Any = None
    max_completion_tokens: Any = None
    tools: Any = None
    functions: Any = None


class TokenDetails(msgspec.Struct, kw_only=True):
    """Which of the LLM tokens read came from a cache."""

    cached_tokens: int


class Usage(msgspec.Struct, kw_only=True):
    """LLM tokens of one text."""

    total_tokens: int
    completion_tokens: int
    prompt_tokens: int
    prompt_tokens_details: TokenDetails


class Message(msgspec.Struct, kw_only=True):
    """A whole text."""

    content: str
    role: str = "assistant"


class Choice(msgspec.Struct, kw_only=True):
    """The only choice there is."""

    finish_reason: str
    index: int = 0
    message: Message


class ChatWhole(msgspec.Struct, kw_only=True):
    """Answer of the chat path without `stream`."""

    id: str
    object: str = "chat.completion"
    created: int
    choices: list[Choice]
    model: str
    reasoning_content: str | None
    content: str
    finish: str = "1"
    usage: Usage


class Delta(msgspec.Struct, kw_only=True):
    """What one piece adds; the role is null after the first."""

    content: str
    role: str | None
    reasoning_content: str | msgspec.UnsetType = msgspec.UNSET


class PieceChoice(msgspec.Struct, kw_only=True):
    """The only choice of one piece; `finish_reason` is there only at the end."""

    logprobs: msgspec.UnsetType | None = msgspec.UNSET
    delta: Delta
    index: int = 0
    finish_reason: str | msgspec.UnsetType = msgspec.UNSET


class ChatPiece(msgspec.Struct, kw_only=True):
    """One `data:` line of a stream."""

    id: str
    object: str = "chat.completion.chunk"
    created: int
    choices: list[PieceChoice]
    model: str
    reasoning_content: str | msgspec.UnsetType | None = msgspec.UNSET
    content: str | msgspec.UnsetType = msgspec.UNSET
    finish: str
    usage: Usage | msgspec.UnsetType = msgspec.UNSET
    llmusageid: str


class Submitted(msgspec.Struct, kw_only=True):
    """Answer to a submit; `taskid` is empty where nothing could be started."""

    taskid: str
    status: str
    error: str | msgspec.UnsetType = msgspec.UNSET


class Task(msgspec.Struct, kw_only=True):
    """Answer to a query; `usage`, `image` and `video` come with SUCCEEDED alone."""

    usage: dict[str, Any] | msgspec.UnsetType = msgspec.UNSET
    image: str | msgspec.UnsetType = msgspec.UNSET
    video: str | msgspec.UnsetType = msgspec.UNSET
    status: str
    taskid: str
    error: str | msgspec.UnsetType = msgspec.UNSET


class Model(msgspec.Struct, kw_only=True):
    """A model in the list, as OpenAI's clients read it, with the names a submit takes."""

    id: str
    object: str = "model"
    created: int = 0
    owned_by: str
    llmid: str
    catelogid: str


class ModelList(msgspec.Struct, kw_only=True):
    """Answer to the list of models."""

    object: str = "list"
    data: list[Model]
