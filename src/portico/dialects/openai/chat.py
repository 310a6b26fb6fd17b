"""OpenAI's chat wire ↔ core; pure functions."""

from collections.abc import AsyncIterator, Mapping
from typing import Any

import msgspec
from msgspec import UNSET

from portico.core.clock import SECOND_MS, Instant
from portico.core.errors import ErrorCode, PorticoError
from portico.core.ids import TaskId
from portico.core.jobs import ChatAsk, ChatUsage, Chunk, Message
from portico.dialects.openai import unsupported, wire
from portico.dialects.openai.errors import error_body
from portico.dialects.openai.wire import (
    DIALECT,
    ChatCompletion,
    ChatPiece,
    ChatSubmit,
    Delta,
    PieceChoice,
)
from portico.flows.chat import ChatStream
from portico.flows.chat_answer import ChatAnswer

ROLES = ("system", "developer", "user", "assistant")
PARTS = {"text": str, "image_url": dict}  # type -> what stands under its name
# what is handed on; no other field reaches an upstream, where it might mean anything
SAMPLING = (
    "temperature",
    "top_p",
    "top_k",
    "presence_penalty",
    "frequency_penalty",
    "stop",
    "seed",
    "n",
    "best_of",
    "logit_bias",
    "response_format",
    "reasoning_effort",
    "verbosity",
    "enable_thinking",
)
_encoder = msgspec.json.Encoder()
_DONE = b"data: [DONE]\n\n"


def parse_chat(body: ChatSubmit, raw: Mapping[str, Any]) -> ChatAsk:
    """Read a chat submit.

    Raises:
        PorticoError: INVALID_REQUEST for missing or malformed fields, UNSUPPORTED_OPTION for
            tools and whatever else could not be carried back.
    """
    if not body.model:
        raise PorticoError(ErrorCode.INVALID_REQUEST, "model is required", param="model")
    if not body.messages:
        raise PorticoError(ErrorCode.INVALID_REQUEST, "messages is required", param="messages")
    unsupported.refuse(raw, unsupported.CHAT)
    most = body.max_completion_tokens
    return ChatAsk(
        dialect=DIALECT,
        name=body.model,
        messages=tuple(_message(each, f"messages[{at}]") for at, each in enumerate(body.messages)),
        max_tokens=body.max_tokens if most is None else most,
        stream=bool(body.stream),
        sampling={name: raw[name] for name in SAMPLING if raw.get(name) is not None},
    )


def fields_of(body: ChatSubmit) -> dict[str, str]:
    """Return how this request spells the canonical names."""
    old = body.max_completion_tokens is None and body.max_tokens is not None
    return {"prompt": "messages", "max_tokens": "max_tokens" if old else "max_completion_tokens"}


def render_whole(answer: ChatAnswer, model: str) -> ChatCompletion:
    """Write a whole answer under the model's name as the client gave it."""
    message = wire.Message(content=answer.text, reasoning_content=answer.reasoning or UNSET)
    return ChatCompletion(
        id=_chat_id(answer.task_id),
        created=answer.created_at // SECOND_MS,
        model=model,
        choices=[wire.Choice(message=message, finish_reason=answer.finish)],
        usage=_usage(answer.usage),
    )


async def render_stream(
    stream: ChatStream, first: Chunk | None, rest: AsyncIterator[Chunk], lines: "Lines"
) -> AsyncIterator[bytes]:
    """Write a stream: a role, the pieces, the finish, the usage if asked for, `[DONE]`.

    A stream that breaks ends with one `error` line and no `[DONE]` (F21).
    """
    yield lines.opening()
    try:
        finish = None
        if first is not None:
            finish = first.finish
            if line := lines.piece(first):
                yield line
        async for piece in rest:
            finish = piece.finish or finish
            if line := lines.piece(piece):
                yield line
        answer = await stream.settled()
    except PorticoError as error:
        yield b"data: " + _encoder.encode({"error": error_body(error)}) + b"\n\n"
        return
    yield lines.closing(answer.usage, finish or answer.finish)


async def render_replay(answer: ChatAnswer, lines: "Lines") -> AsyncIterator[bytes]:
    """Write an earlier answer as a stream: all of it in one piece."""
    yield lines.opening()
    if line := lines.piece(Chunk(text=answer.text, reasoning=answer.reasoning)):
        yield line
    yield lines.closing(answer.usage, answer.finish)


class Lines:
    """Writes the `data:` lines of one answer."""

    def __init__(
        self, task_id: TaskId, created_at: Instant, model: str, *, with_usage: bool
    ) -> None:
        self._id = _chat_id(task_id)
        self._created = created_at // SECOND_MS
        self._model = model
        self._with_usage = with_usage

    def opening(self) -> bytes:
        """Return the first line, which says who speaks."""
        return self._line(Delta(role="assistant", content=""))

    def piece(self, piece: Chunk) -> bytes:
        """Return the line of one piece; nothing for a piece without words."""
        if not (piece.text or piece.reasoning):
            return b""
        return self._line(
            Delta(content=piece.text or UNSET, reasoning_content=piece.reasoning or UNSET)
        )

    def closing(self, usage: ChatUsage, finish: str) -> bytes:
        """Return the last lines: why it ended, what it used if that was asked, and `[DONE]`."""
        ended = self._line(Delta(), finish=finish)
        used = self._data([], _usage(usage)) if self._with_usage else b""
        return ended + used + _DONE

    def _line(self, delta: Delta, *, finish: str | None = None) -> bytes:
        choice = PieceChoice(delta=delta, finish_reason=finish)
        return self._data([choice], None if self._with_usage else UNSET)

    def _data(
        self, choices: list[PieceChoice], usage: wire.Usage | msgspec.UnsetType | None
    ) -> bytes:
        piece = ChatPiece(
            id=self._id, created=self._created, model=self._model, choices=choices, usage=usage
        )
        return b"data: " + _encoder.encode(piece) + b"\n\n"


def _message(given: object, place: str) -> Message:
    """Read one turn; tools are refused, so no turn can have called one or speak for one."""
    if not isinstance(given, dict):
        raise _invalid(place)
    role, content = given.get("role"), given.get("content")
    if role not in ROLES:
        raise _invalid(place, "role")
    if given.get("tool_calls"):
        message = f"{place}.tool_calls is not supported"
        raise PorticoError(ErrorCode.UNSUPPORTED_OPTION, message, param=f"{place}.tool_calls")
    if isinstance(content, list):
        for at, part in enumerate(content):
            _check_part(part, f"{place}.content[{at}]")
    elif not (content is None or isinstance(content, str)):
        raise _invalid(place, "content")
    return Message(str(role), "" if content is None else content)


def _check_part(part: object, place: str) -> None:
    kind = part.get("type") if isinstance(part, dict) else None
    if not isinstance(part, dict) or not isinstance(kind, str):
        raise _invalid(place)
    if kind not in PARTS:
        message = f"{place}: parts of this type are not supported"
        raise PorticoError(ErrorCode.UNSUPPORTED_OPTION, message, param=place)
    if not isinstance(part.get(kind), PARTS[kind]) or not isinstance(part.get("text", ""), str):
        raise _invalid(place)


def _invalid(*path: str) -> PorticoError:
    place = ".".join(path)
    return PorticoError(ErrorCode.INVALID_REQUEST, f"Invalid value for {place}", param=place)


def _usage(usage: ChatUsage) -> wire.Usage:
    return wire.Usage(
        prompt_tokens=usage.input_tokens,
        completion_tokens=usage.output_tokens,
        total_tokens=usage.input_tokens + usage.output_tokens,
        prompt_tokens_details=wire.CachedTokens(usage.cached_tokens),
    )


def _chat_id(task_id: TaskId) -> str:
    return f"chatcmpl-{task_id}"
