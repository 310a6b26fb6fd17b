"""The requests of xPilot's page, as printed, and what its upstreams would have answered."""

from portico.core.jobs import ChatUsage, Chunk
from portico.testing import FakeProvider
from tests.contract.gateways import replace_simulator

VIDEO = """{
"model": "seedance-2.0/text-to-video",
"prompt": "A cat walking on a beach at sunset",
"duration": 8,
"aspect_ratio": "16:9",
"generate_audio": true,
"lock_camera": false
}"""
IMAGE = """{
"model": "bytedance/seedream-4.5",
"prompt": "A futuristic cityscape at dawn",
"aspect_ratio": "16:9"
}"""
TEXT = """{
"model": "openai/gpt-4o",
"prompt": "Write a tweet about AI video generation",
"max_tokens": 280
}"""
CONTENT = "AI video generation just hit a new level..."


def writer(*pieces: Chunk | Exception) -> FakeProvider:
    """Return an upstream that writes the page's text."""
    usual = (
        Chunk(CONTENT[:20]),
        Chunk(CONTENT[20:]),
        Chunk(finish="stop", usage=ChatUsage(15, 42)),
    )
    return FakeProvider(pieces=pieces or usual, name="simulator")


def write_with(gateway, provider: FakeProvider) -> None:
    """Let a started gateway's texts be written by this upstream."""
    replace_simulator(gateway.gateway, chat=provider)


def wait_for_pictures(gateway, seconds: float) -> None:
    """Set how long a picture may take to be answered at once."""
    dialect = next(each for each in gateway.app.dialects if each.name == "xpilot")
    dialect.rules.options["image_wait_s"] = seconds
