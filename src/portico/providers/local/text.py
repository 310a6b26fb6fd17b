"""Answer chats without a model: an honest development responder.

Model names: `script` (default) says what it is and quotes the request; `echo` returns the last
message; `lorem` and `lorem:N` write filler of exactly N tokens. Nothing here pretends to think.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Iterator

from portico.core.jobs import ChatJob, ChatUsage, Chunk, Message
from portico.core.llm_tokens import count_tokens

_QUOTE_MAX = 120
_LOREM_DEFAULT = 64
_LOREM_MAX = 100_000
_LOREM_TEXT = (
    "lorem ipsum dolor sit amet elit sed do eiusmod tempor ut labore et dolore magna aliqua "
    "ut enim ad minim veniam quis nostrud ullamco nisi ut aliquip ex ea commodo duis aute "
    "irure dolor in velit esse cillum dolore eu fugiat nulla"
)
_LOREM = tuple(_LOREM_TEXT.split())
_SIGN = "\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af"
_WORD = re.compile(rf"\s*(?:[{_SIGN}]|[^\s{_SIGN}]+)")
_MARKS = {
    "Vietnamese": re.compile("[ăđơưạảấầẩẫậắằẳẵặẹẻẽếềểễệỉịọỏốồổỗộớờởỡợụủứừửữựỳỵỷỹ]", re.IGNORECASE),
    "Polish": re.compile("[ąćęłńśźż]", re.IGNORECASE),
}
_SCRIPTS = {
    "Japanese": re.compile("[\u3040-\u30ff]"),
    "Korean": re.compile("[\uac00-\ud7af]"),
    "Chinese": re.compile("[\u3400-\u9fff]"),
    "Cyrillic script": re.compile("[\u0400-\u04ff]"),
}


class LocalText:
    """Writes deterministic text; the same request always gets the same answer.

    Args:
        delay_s: pause before each piece, in seconds, to look like a model being read.
    """

    name = "local"

    def __init__(self, *, delay_s: float = 0.0) -> None:
        self._delay_s = delay_s

    async def stream(self, job: ChatJob, *, model: str) -> AsyncIterator[Chunk]:
        """Yield the answer piece by piece; the last chunk carries `finish` and usage.

        `max_tokens` of the job is honoured by the estimate of `count_tokens`; an answer cut
        there finishes with "length".
        """
        asked = sum(count_tokens(text_of(message)) for message in job.messages)
        written = 0
        finish = "stop"
        for piece in _pieces(_answer(job, model)):
            cost = count_tokens(piece)
            if written + cost > job.max_tokens:
                finish = "length"
                break
            written += cost
            if self._delay_s > 0:
                await asyncio.sleep(self._delay_s)
            yield Chunk(text=piece)
        usage = ChatUsage(input_tokens=asked, output_tokens=written, source="estimated")
        yield Chunk(finish=finish, usage=usage)


def text_of(message: Message) -> str:
    """Return the text of a message; other content parts are left out."""
    if isinstance(message.content, str):
        return message.content
    texts = [part.get("text") for part in message.content if part.get("type") == "text"]
    return "\n".join(text for text in texts if isinstance(text, str))


def _answer(job: ChatJob, model: str) -> str:
    said = _last_words(job.messages)
    name, _, count = model.partition(":")
    if name.endswith("echo"):
        return said
    if name.endswith("lorem"):
        wanted = int(count) if count.isascii() and count.isdigit() else _LOREM_DEFAULT
        return _lorem(min(wanted, _LOREM_MAX))
    return _script(said, len(job.messages))


def _last_words(messages: tuple[Message, ...]) -> str:
    said = [text_of(message) for message in messages if message.role == "user"]
    return said[-1].strip() if said else ""


def _script(said: str, turns: int) -> str:
    quote = " ".join(said.split())
    short = quote if len(quote) <= _QUOTE_MAX else quote[: _QUOTE_MAX - 1].rstrip() + "…"
    asked = f"You wrote: “{short}”" if short else "Your message holds no text"
    return (
        "This is Portico's built-in development responder, not a language model. "
        f"{asked} ({len(said)} characters, {_language(said)}, message {turns} of this "
        "conversation). The same request always gets this same answer. To get real answers, "
        "connect an upstream provider and route this model to it."
    )


def _language(text: str) -> str:
    for name, signs in (_SCRIPTS | _MARKS).items():
        if signs.search(text):
            return f"looks like {name}" if "script" not in name else name
    return "looks like Latin script" if re.search("[a-zA-Z]", text) else "no letters"


def _lorem(count: int) -> str:
    return " ".join(_LOREM[index % len(_LOREM)] for index in range(count))


def _pieces(text: str) -> Iterator[str]:
    """Split into words and single Chinese signs, each with the space before it."""
    end = 0
    for found in _WORD.finditer(text):
        yield found[0]
        end = found.end()
    if end < len(text):
        yield text[end:]
