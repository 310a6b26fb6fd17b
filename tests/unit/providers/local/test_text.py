import pytest

from portico.core.jobs import ChatJob, Chunk, Message
from portico.core.llm_tokens import count_tokens
from portico.providers.local.text import LocalText


async def answer(model: str, said: object = "Hello there", max_tokens: int = 500) -> list[Chunk]:
    message = Message(role="user", content=said)  # type: ignore[arg-type]
    job = ChatJob(offering="x:y", model="m", messages=(message,), max_tokens=max_tokens)
    return [chunk async for chunk in LocalText().stream(job, model=model)]


def text(chunks: list[Chunk]) -> str:
    return "".join(chunk.text for chunk in chunks)


async def test_script_says_what_it_is_and_quotes_the_request():
    said = text(await answer("script", "Napisz wiersz o łące"))
    assert "Portico's built-in development responder" in said
    assert "Napisz wiersz o łące" in said
    assert "Polish" in said


async def test_unknown_model_answers_as_script_and_repeats_exactly():
    assert text(await answer("gpt-9")) == text(await answer("script"))


async def test_echo_returns_the_request_in_pieces():
    chunks = await answer("echo", "One two 你好 three")
    assert text(chunks) == "One two 你好 three"
    assert len(chunks) == 6


async def test_echo_reads_the_text_of_content_parts():
    parts = [{"type": "text", "text": "look"}, {"type": "image_url", "image_url": {}}]
    assert text(await answer("echo", parts)) == "look"


@pytest.mark.parametrize("count", [1, 17, 300])
async def test_lorem_writes_exactly_n_tokens(count):
    chunks = await answer(f"lorem:{count}")
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.output_tokens == count == count_tokens(text(chunks))


async def test_max_tokens_cuts_with_finish_length():
    chunks = await answer("lorem:50", max_tokens=7)
    assert chunks[-1].finish == "length"
    assert count_tokens(text(chunks)) == 7


async def test_last_chunk_alone_carries_finish_and_estimated_usage():
    chunks = await answer("script")
    assert [chunk.finish for chunk in chunks].count(None) == len(chunks) - 1
    assert chunks[-1].finish == "stop"
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.source == "estimated"
    assert chunks[-1].usage.input_tokens == 2


@pytest.mark.parametrize(
    ("said", "expected"),
    [("", 0), ("The cat sat on the mat today", 7), ("你是谁", 3), ("2026", 2), ("lorem ipsum.", 3)],
)
def test_token_estimate_follows_the_table(said, expected):
    assert count_tokens(said) == expected
