"""Resolve an ask for text: check lengths and sampling, and bound what the answer may cost."""

from collections.abc import Mapping

from portico.catalogue.offerings import Offering
from portico.catalogue.params import read_integer, read_number
from portico.core.errors import ErrorCode, PorticoError
from portico.core.jobs import ChatAsk, ChatJob, Message, RouteClass

# Left in, these would make an answer longer, or several of them, behind the price's back.
_SETTLED = frozenset({"model", "messages", "stream", "max_tokens", "max_completion_tokens"})
_COUNTS = ("n", "best_of")
_RANGES: Mapping[str, tuple[float, float]] = {
    "temperature": (0, 2),
    "top_p": (0, 1),
    "presence_penalty": (-2, 2),
    "frequency_penalty": (-2, 2),
}


def resolve_text(offering: Offering, ask: ChatAsk) -> ChatJob:
    """Return the chat that an ask for this offering means.

    Raises:
        PorticoError: INVALID_REQUEST or UNSUPPORTED_OPTION, with the field at fault.
    """
    _check_messages(ask.messages, offering.chat.length_max)
    return ChatJob(
        offering=offering.id,
        model=offering.model,
        messages=ask.messages,
        max_tokens=_output_tokens(offering, ask.max_tokens),
        stream=ask.stream,
        sampling=_sampling(ask.sampling),
        route_class=RouteClass.AUTO,
    )


def _check_messages(messages: tuple[Message, ...], length_max: int) -> None:
    lengths = [_length(message) for message in messages]
    if not any(lengths):
        raise PorticoError(ErrorCode.INVALID_REQUEST, "prompt is required", param="prompt")
    if sum(lengths) > length_max:
        message = f"The messages must have at most {length_max} characters in all"
        raise PorticoError(ErrorCode.INVALID_REQUEST, message, param="prompt")


def _length(message: Message) -> int:
    """Return the characters of a message; 0 when it is blank. A picture counts as one."""
    if isinstance(message.content, str):
        return len(message.content) if message.content.strip() else 0
    texts = (part.get("text", "?") for part in message.content)
    return sum(len(text) for text in texts if isinstance(text, str) and text.strip())


def _output_tokens(offering: Offering, wanted: object) -> int:
    if wanted is None:
        return min(offering.chat.output_tokens_default, offering.chat.output_tokens_max)
    count = read_integer(wanted)
    if count is None or count < 1:
        message = "max_tokens must be a whole number of at least 1"
        raise PorticoError(ErrorCode.INVALID_REQUEST, message, param="max_tokens")
    return min(count, offering.chat.output_tokens_max)


def _sampling(given: Mapping[str, object]) -> dict[str, object]:
    sampling = {
        name: raw for name, raw in given.items() if name not in _SETTLED and raw is not None
    }
    for name, (low, high) in _RANGES.items():
        if name not in sampling:
            continue
        value = read_number(sampling[name])
        if value is None or not low <= value <= high:
            message = f"{name} must be a number from {low} to {high}"
            raise PorticoError(ErrorCode.INVALID_REQUEST, message, param=name)
        sampling[name] = value
    for name in _COUNTS:
        if read_integer(sampling.pop(name, 1)) != 1:
            message = f"{name} must be 1"
            raise PorticoError(ErrorCode.UNSUPPORTED_OPTION, message, param=name)
    return sampling
