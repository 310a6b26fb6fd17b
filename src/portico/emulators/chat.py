"""OpenAI's wire for texts, as OpenAI, Ark and many others answer it."""

from typing import Any

import msgspec

from portico.emulators.emulator import Received, RefusedError
from portico.emulators.faults import Fault
from portico.emulators.wire import Answer, json_answer

WORDS = ("This ", "is ", "an ", "emulated ", "answer.")
CACHED = 2
_ROLES = {"system", "developer", "user", "assistant", "tool", "function"}


def answer_text(received: Received) -> Answer:
    """Write the same sentence for every question, whole or as a stream.

    Raises:
        RefusedError: for what OpenAI would refuse.
    """
    body = received.body
    _check(body)
    limit = body.get("max_completion_tokens", body.get("max_tokens")) or len(WORDS)
    words = WORDS[:limit]
    finish = "stop" if len(words) == len(WORDS) else "length"
    usage = _usage(body, len(words), received.fault)
    if body.get("stream"):
        return _stream(body, words, finish, usage, received.fault)
    message = {"role": "assistant", "content": "".join(words)}
    choice = {"index": 0, "message": message, "finish_reason": finish, "logprobs": None}
    return json_answer(_envelope(body, "chat.completion") | {"choices": [choice], "usage": usage})


def _check(body: dict[str, Any]) -> None:
    messages = body.get("messages")
    if not isinstance(body.get("model"), str) or not isinstance(messages, list) or not messages:
        raise RefusedError(Fault.INVALID, "model and messages")
    for message in messages:
        known = isinstance(message, dict) and message.get("role") in _ROLES
        if not known or not isinstance(message.get("content"), str | list):
            raise RefusedError(Fault.INVALID, "messages")


def _stream(
    body: dict[str, Any],
    words: tuple[str, ...],
    finish: str,
    usage: dict[str, Any] | None,
    fault: Fault | None,
) -> Answer:
    asked = bool(body.get("stream_options", {}).get("include_usage"))
    nothing: dict[str, Any] = {"usage": None} if asked else {}
    deltas: list[dict[str, Any]] = [{"role": "assistant", "content": ""}]
    deltas += [{"content": word} for word in words]
    events = [_choice(body, delta, None) | nothing for delta in deltas]
    events.append(_choice(body, {}, finish) | nothing)
    if asked and usage is not None:
        events.append(_envelope(body, "chat.completion.chunk") | {"choices": [], "usage": usage})
    pieces = [_event(event) for event in events] + [b"data: [DONE]\n\n"]
    headers = {"content-type": "text/event-stream; charset=utf-8"}
    if fault is Fault.TEXT_CUT:
        return Answer(pieces=tuple(pieces[:3]), cut_at=0, headers=headers)
    if fault is Fault.TEXT_ERROR:
        error = {"error": {"message": "secret of an upstream", "code": "server_error"}}
        return Answer(pieces=(*pieces[:3], _event(error)), headers=headers)
    return Answer(pieces=tuple(pieces), headers=headers)


def _choice(body: dict[str, Any], delta: dict[str, Any], finish: str | None) -> dict[str, Any]:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return _envelope(body, "chat.completion.chunk") | {"choices": [choice]}


def _usage(body: dict[str, Any], written: int, fault: Fault | None) -> dict[str, Any] | None:
    read = sum(len(str(message["content"]).split()) + 3 for message in body["messages"])
    if fault is Fault.NO_USAGE:
        return None
    if fault is Fault.BAD_USAGE:
        read, written = -5, 2**60
    return {
        "prompt_tokens": read,
        "completion_tokens": written,
        "total_tokens": read + written,
        "prompt_tokens_details": {"cached_tokens": CACHED},
    }


def _envelope(body: dict[str, Any], kind: str) -> dict[str, Any]:
    return {"id": "chatcmpl-1", "object": kind, "created": 1_800_000_000, "model": body["model"]}


def _event(value: object) -> bytes:
    return b"data: " + msgspec.json.encode(value) + b"\n\n"
