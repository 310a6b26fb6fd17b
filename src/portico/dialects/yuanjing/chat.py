"""Yuanjing's chat wire ↔ core: OpenAI's shapes with the page's own members beside them."""

from collections.abc import AsyncIterator, Mapping
from typing import Any

import msgspec

from portico.core.clock import SECOND_MS, Instant
from portico.core.errors import ErrorCode, PorticoError
from portico.core.ids import TaskId
from portico.core.jobs import ChatAsk, ChatUsage, Chunk, Message
from portico.dialects.yuanjing import wire
from portico.dialects.yuanjing.errors import text_of_error
from portico.dialects.yuanjing.wire import ChatPiece, ChatSubmit, ChatWhole, Delta, PieceChoice
from portico.flows.chat import ChatStream
from portico.flows.chat_answer import ChatAnswer

ROLES = ("system", "developer", "user", "assistant", "tool", "function")
# ordinary OpenAI sampling parameters; whatever else a client sends is ignored
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
    "enable_thinking",
)
_encoder = msgspec.json.Encoder()
_DONE = b"data: [DONE]\n\n"


def parse_chat(body: ChatSubmit, raw: Mapping[str, Any]) -> ChatAsk:
    """Read a chat submit; `messages` wins over `prompt` (D19).

    Raises:
        PorticoError: INVALID_REQUEST for missing or malformed fields, UNSUPPORTED_OPTION for
            tools, whose calls this format could not carry back.
    """
    if not body.model:
        raise PorticoError(ErrorCode.INVALID_REQUEST, "model is required", param="model")
    for name, value in (("tools", body.tools), ("functions", body.functions)):
        if value:
            message = f"{name} is not supported"
            raise PorticoError(ErrorCode.UNSUPPORTED_OPTION, message, param=name)
    return ChatAsk(
        dialect="yuanjing",
        name=body.model,
        messages=_messages(body),
        max_tokens=body.max_tokens if body.max_tokens is not None else body.max_completion_tokens,
        stream=bool(body.stream),
        sampling={name: raw[name] for name in SAMPLING if raw.get(name) is not None},
    )


def render_whole(answer: ChatAnswer, model: str) -> ChatWhole:
    """Write a whole answer under the model's name as the client gave it."""
    return ChatWhole(
        id=_chat_id(answer.task_id),
        created=answer.created_at // SECOND_MS,
        choices=[
            wire.Choice(finish_reason=answer.finish, message=wire.Message(content=answer.text))
        ],
        model=model,
        reasoning_content=answer.reasoning or None,
        content=answer.text,
        usage=_usage(answer.usage),
    )


async def render_stream(
    stream: ChatStream, first: Chunk | None, rest: AsyncIterator[Chunk], model: str
) -> AsyncIterator[bytes]:
    """Write a stream: a role, the pieces, the finish, the usage, `[DONE]`.

    A stream that breaks ends with one `error` line and no `[DONE]` (F21).
    """
    lines = Lines(stream.task_id, stream.created_at, model)
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
        yield b"data: " + _encoder.encode({"error": text_of_error(error)}) + b"\n\n"
        return
    for line in lines.closing(answer.usage, finish or answer.finish):
        yield line


async def render_replay(answer: ChatAnswer, model: str) -> AsyncIterator[bytes]:
    """Write an earlier answer as a stream: all of it in one piece."""
    lines = Lines(answer.task_id, answer.created_at, model)
    yield lines.opening()
    if line := lines.piece(Chunk(text=answer.text, reasoning=answer.reasoning)):
        yield line
    for line in lines.closing(answer.usage, answer.finish):
        yield line


class Lines:
    """Writes the `data:` lines of one answer."""

    def __init__(self, task_id: TaskId, created_at: Instant, model: str) -> None:
        self._id = _chat_id(task_id)
        self._usage_id = str(task_id)
        self._created = created_at // SECOND_MS
        self._model = model

    def opening(self) -> bytes:
        """Return the first line, which says who speaks."""
        delta = Delta(content="", role="assistant")
        return self._line([PieceChoice(logprobs=None, delta=delta)], text="")

    def piece(self, piece: Chunk) -> bytes:
        """Return the line of one piece; nothing for a piece without words."""
        if not (piece.text or piece.reasoning):
            return b""
        delta = Delta(content=piece.text, role=None)
        if piece.reasoning:
            delta.reasoning_content = piece.reasoning
        choice = PieceChoice(delta=delta)
        return self._line([choice], text=piece.text, reasoning=piece.reasoning or None)

    def closing(self, usage: ChatUsage, finish: str) -> tuple[bytes, ...]:
        """Return the last lines: why it ended, what it used, and that it is over."""
        ended = PieceChoice(delta=Delta(content="", role=None), finish_reason=finish)
        used = ChatPiece(
            id=self._id,
            created=self._created,
            choices=[],
            model=self._model,
            finish="1",
            usage=_usage(usage),
            llmusageid=self._usage_id,
        )
        return self._line([ended], text=""), _data(used), _DONE

    def _line(
        self, choices: list[PieceChoice], *, text: str, reasoning: str | None = None
    ) -> bytes:
        piece = ChatPiece(
            id=self._id,
            created=self._created,
            choices=choices,
            model=self._model,
            reasoning_content=reasoning,
            content=text,
            finish="0",
            llmusageid=self._usage_id,
        )
        return _data(piece)


def _messages(body: ChatSubmit) -> tuple[Message, ...]:
    if body.messages:
        return tuple(_message(each) for each in body.messages)
    if not (body.prompt or "").strip():
        raise PorticoError(ErrorCode.INVALID_REQUEST, "prompt is required", param="prompt")
    words = [Message("user", body.prompt or "")]
    if body.sys_prompt:
        words.insert(0, Message("system", body.sys_prompt))
    return tuple(words)


def _message(given: Mapping[str, Any]) -> Message:
    role, content = given.get("role"), given.get("content")
    parts = isinstance(content, list) and all(_is_part(each) for each in content)
    if role not in ROLES or not (content is None or isinstance(content, str) or parts):
        message = "Invalid value for messages"
        raise PorticoError(ErrorCode.INVALID_REQUEST, message, param="messages")
    return Message(str(role), "" if content is None else content)


def _is_part(part: object) -> bool:
    return isinstance(part, dict) and isinstance(part.get("text", ""), str)


def _usage(usage: ChatUsage) -> wire.Usage:
    return wire.Usage(
        total_tokens=usage.input_tokens + usage.output_tokens,
        completion_tokens=usage.output_tokens,
        prompt_tokens=usage.input_tokens,
        prompt_tokens_details=wire.TokenDetails(cached_tokens=usage.cached_tokens),
    )


def _chat_id(task_id: TaskId) -> str:
    return f"chatcmpl-{task_id}"


def _data(piece: ChatPiece) -> bytes:
    return b"data: " + _encoder.encode(piece) + b"\n\n"
