"""The page's own lines, read to be compared, and an upstream that writes what they show."""

import json
from pathlib import Path
from typing import Any

from portico.core.jobs import ChatUsage, Chunk
from portico.providers.base import Finished, OutputFile
from portico.testing import FakeProvider
from tests.contract.gateways import _SAMPLES, replace_simulator

HERE = Path(__file__).parent
STREAM = (HERE / "page_stream.txt").read_text("utf-8")
WHOLE = json.loads((HERE / "page_whole.json").read_text("utf-8"))
DONE = "data: [DONE]"
CHANGING = {"id": "chatcmpl-ID", "created": 0, "llmusageid": "ID"}


def events(text: str) -> list[Any]:
    """Read a stream, with placeholders for what differs from run to run."""
    lines = [line for line in text.splitlines() if line]
    assert lines[-1] == DONE
    return [placeheld(json.loads(line.removeprefix("data: "))) for line in lines[:-1]]


def placeheld(answer: dict[str, Any]) -> dict[str, Any]:
    """Return an answer whose ids and times are placeholders, after a look at what they were."""
    assert answer["id"].startswith("chatcmpl-")
    assert isinstance(answer["created"], int)
    return answer | {name: value for name, value in CHANGING.items() if name in answer}


def words() -> list[str]:
    """Return the pieces of the page's stream."""
    texts = [each.get("content") for each in events(STREAM)]
    return [text for text in texts if text]


def writer(*pieces: Chunk | Exception) -> FakeProvider:
    """Return an upstream that writes the page's text in the page's pieces."""
    end = Chunk(finish="stop", usage=ChatUsage(10, 60))
    usual = (*(Chunk(text) for text in words()), end)
    return FakeProvider(pieces=pieces or usual, name="simulator")


def write_with(gateway: Any, provider: FakeProvider) -> FakeProvider:
    """Let a started gateway's texts be written by this upstream."""
    replace_simulator(gateway.gateway, chat=provider)
    return provider


def made_with_cover() -> Finished:
    """Return what an upstream answers that has made a video and its cover."""
    return Finished(
        outputs=(
            OutputFile("output", path=_SAMPLES / "simulated.mp4"),
            OutputFile("cover", path=_SAMPLES / "simulated.png"),
        )
    )
