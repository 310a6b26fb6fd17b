"""OpenAI's wire for chat, which nearly every upstream of texts speaks.

Usage is always asked for: without it only our own count is left. A stream that ends before it
says why it ended was cut, whatever it wrote until then.
"""

from collections.abc import AsyncIterator, Mapping
from typing import Any

import msgspec

from portico.core.jobs import ChatJob, ChatUsage, Chunk
from portico.core.upstreams import AnsweredError, Call, Trouble, UpstreamError
from portico.providers.http import Api, at, read_json, read_number

DONE = b"[DONE]"
TOKENS_FIELD = "max_tokens"
LIMITS = {TOKENS_FIELD, "max_completion_tokens"}  # one of them is said, and it is ours
FINISHES = {
    "stop": "stop",
    "length": "length",
    "max_tokens": "length",
    "content_filter": "content_filter",
}
_WHOLE_S = 600.0


class ChatWire:
    """Writes texts by `POST /chat/completions`.

    Args:
        api: makes the calls.
        path: where, below the base URL.
        tokens_field: how this upstream calls the limit of an answer.
    """

    def __init__(
        self, api: Api, *, path: str = "/chat/completions", tokens_field: str = TOKENS_FIELD
    ) -> None:
        self._api = api
        self._path = path
        self._tokens_field = tokens_field

    async def stream(self, job: ChatJob, *, model: str) -> AsyncIterator[Chunk]:
        """Yield pieces as they come; the last one carries `finish`, and usage where it was told.

        Raises:
            UpstreamError: of any trouble; FAILED for a stream that was cut.
        """
        call = Call(
            method="POST",
            path=self._path,
            headers={**self._api.headers, "Accept": "text/event-stream"},
            body=self.body(job, model),
            timeout_s=_WHOLE_S,
        )
        last = _Last()
        try:
            async for data in self._api.upstream.listen(call):
                if data.strip() == DONE:
                    break
                if (piece := last.take(self._event(data))) is not None:
                    yield piece
        except AnsweredError as answered:
            raise self._api.refused(answered.reply) from None
        if last.finish is None:
            raise UpstreamError(Trouble.FAILED, error="stream cut")
        yield Chunk(finish=last.finish, usage=last.usage)

    def body(self, job: ChatJob, model: str) -> dict[str, Any]:
        """Return the request: sampling parameters pass as they are, ours win."""
        return {
            **{name: value for name, value in job.sampling.items() if name not in LIMITS},
            "model": model,
            "messages": [msgspec.to_builtins(message) for message in job.messages],
            self._tokens_field: job.max_tokens,
            "stream": True,
            "stream_options": {"include_usage": True},
        }

    def _event(self, data: bytes) -> dict[str, Any]:
        event = read_json(data)
        if not isinstance(event, dict):
            raise UpstreamError(Trouble.FAILED, error="event is no object")
        if event.get("error"):
            code = at(event, *self._api.refusals.code_at)
            raise self._api.failed(code)
        return event


class _Last:
    """What is kept for the last piece."""

    def __init__(self) -> None:
        self.finish: str | None = None
        self.usage: ChatUsage | None = None

    def take(self, event: Mapping[str, Any]) -> Chunk | None:
        """Return the piece that an event holds, None for one without words."""
        self.usage = read_chat_usage(event.get("usage")) or self.usage
        choices = event.get("choices")
        choice = choices[0] if isinstance(choices, list) and choices else None
        told = at(choice, "finish_reason")
        if isinstance(told, str) and told:
            self.finish = FINISHES.get(told, "stop")
        text, reasoning = at(choice, "delta", "content"), _reasoning(at(choice, "delta"))
        if not isinstance(text, str):
            text = ""
        return Chunk(text=text, reasoning=reasoning) if text or reasoning else None


def read_chat_usage(told: object) -> ChatUsage | None:
    """Return the counts of one answer, None unless both are plausible (F22, F23)."""
    read, written = (read_number(at(told, name)) for name in ("prompt_tokens", "completion_tokens"))
    if not isinstance(read, int) or not isinstance(written, int):
        return None
    cached = read_number(at(told, "prompt_tokens_details", "cached_tokens"))
    return ChatUsage(
        input_tokens=read,
        output_tokens=written,
        cached_tokens=min(cached, read) if isinstance(cached, int) else 0,
    )


def _reasoning(delta: object) -> str:
    for name in ("reasoning_content", "reasoning"):
        if isinstance(text := at(delta, name), str):
            return text
    return ""
