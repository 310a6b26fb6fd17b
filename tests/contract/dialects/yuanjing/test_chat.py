"""Texts, as Yuanjing's page samples them and as OpenAI's own client reads them."""

import json
from typing import Any

import openai
import pytest

from portico.core.errors import ErrorCode, PorticoError
from portico.core.jobs import Chunk
from portico.testing import FakeProvider
from tests.contract.dialects.yuanjing.samples import (
    STREAM,
    WHOLE,
    events,
    placeheld,
    words,
    write_with,
    writer,
)
from tests.contract.gateways import error
from tests.contract.serving import served

PATH = "/llmage/v1/chat/completions"
ASKED: dict[str, Any] = {"model": "qwen3-max", "prompt": "你是谁"}


# --- the page's samples ----------------------------------------------------------------------


async def test_stream_is_the_pages(start):
    gateway = await start()
    write_with(gateway, writer())

    answer = await gateway.post(PATH, ASKED | {"stream": True})

    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert events(answer.text) == events(STREAM)


async def test_whole_answer_is_the_pages(start):
    gateway = await start()
    write_with(gateway, writer(Chunk(WHOLE["content"]), writer()._pieces[-1]))

    answer = await gateway.post(PATH, ASKED | {"stream": False})

    assert placeheld(answer.json()) == placeheld(WHOLE)
    assert list(answer.json()) == list(WHOLE)


async def test_text_is_charged_by_its_llm_tokens(start):
    gateway = await start(balance="100")
    write_with(gateway, writer())

    await gateway.post(PATH, ASKED)

    # 10 at 120 and 60 at 600 credits a million
    assert await gateway.balance() == "99.9628"


@pytest.mark.parametrize("stream", [False, True])
async def test_text_is_a_task_of_its_own(start, stream):
    gateway = await start()
    write_with(gateway, writer())

    answer = await gateway.post(PATH, ASKED | {"stream": stream})
    first = answer.text.splitlines()[0].removeprefix("data: ")
    task_id = json.loads(first)["id"].removeprefix("chatcmpl-")
    task = (await gateway.get(f"/llmage/tasks?taskid={task_id}")).json()

    assert (task["status"], task["usage"]["action"]) == ("SUCCEEDED", "t2t")


@pytest.mark.parametrize(
    ("body", "roles"),
    [
        ({"prompt": "a"}, ["user"]),
        ({"prompt": "a", "sys_prompt": "b"}, ["system", "user"]),
        ({"messages": [{"role": "user", "content": "a"}], "prompt": "b"}, ["user"]),
        (
            {"messages": [{"role": "system", "content": "a"}, {"role": "user", "content": "b"}]},
            ["system", "user"],
        ),
    ],
)
async def test_prompt_or_messages(start, body, roles):
    gateway = await start()
    upstream = write_with(gateway, writer())

    answer = await gateway.post(PATH, {"model": "qwen3-max"} | body)

    assert answer.status_code == 200
    assert [each.role for each in upstream.streamed[0].messages] == roles


async def test_older_path_is_an_alias(start):
    gateway = await start()
    write_with(gateway, writer())

    assert (await gateway.post("/llmage/t2t", ASKED)).json()["object"] == "chat.completion"


async def test_reasoning_comes_beside_the_text(start):
    gateway = await start()
    write_with(gateway, writer(Chunk(reasoning="hm"), Chunk("yes"), Chunk(finish="length")))

    whole = (await gateway.post(PATH, ASKED)).json()
    stream = events((await gateway.post(PATH, ASKED | {"stream": True})).text)

    assert (whole["reasoning_content"], whole["content"]) == ("hm", "yes")
    assert whole["choices"][0]["finish_reason"] == "length"
    assert [each.get("reasoning_content") for each in stream] == [None, "hm", None, None, None]
    assert stream[-2]["choices"][0]["finish_reason"] == "length"


@pytest.mark.parametrize("pieces", [[], [Chunk(finish="stop")]])
async def test_text_of_nothing_is_whole(start, pieces):
    gateway = await start()
    write_with(gateway, FakeProvider(pieces=pieces, name="simulator"))
    again = {"idempotency-key": "k1"}

    first = await gateway.post(PATH, ASKED | {"stream": True}, **again)
    second = await gateway.post(PATH, ASKED | {"stream": True}, **again)

    opening, ended, used = events(first.text)
    assert opening["choices"][0]["delta"] == {"content": "", "role": "assistant"}
    assert ended["choices"][0]["finish_reason"] == "stop"
    assert used["usage"]["completion_tokens"] == 0
    assert second.text == first.text


# --- refusals --------------------------------------------------------------------------------


@pytest.mark.parametrize("stream", [False, True])
async def test_refusal_before_the_first_piece_has_its_own_status(start, stream):
    gateway = await start(balance="100")
    refused = PorticoError(ErrorCode.CONTENT_REFUSED, "Content does not meet safety guidelines")
    write_with(gateway, writer(refused))

    answer = await gateway.post(PATH, ASKED | {"stream": stream})

    assert error(answer) == (400, {"error": "Content does not meet safety guidelines"})
    assert await gateway.balance() == "100"


async def test_stream_that_breaks_ends_with_an_error_and_no_done(start):
    gateway = await start(balance="100")
    broken = PorticoError(ErrorCode.UPSTREAM_FAILED, "Generation failed")
    write_with(gateway, writer(Chunk("half of "), broken))

    lines = (await gateway.post(PATH, ASKED | {"stream": True})).text.split()

    assert '"content":"half of "' in " ".join(lines)
    assert " ".join(lines[-3:]) == 'data: {"error":"Generation failed"}'
    assert 0 < 100 - float(await gateway.balance()) < 0.1  # what was delivered


@pytest.mark.parametrize("stream", [False, True])
async def test_empty_balance_is_429_that_forbids_to_retry(start, stream):
    gateway = await start(balance="0.000001")

    answer = await gateway.post(PATH, ASKED | {"stream": stream})

    assert error(answer) == (429, {"error": "Insufficient balance"})
    assert answer.headers["x-should-retry"] == "false"
    assert "retry-after" not in answer.headers


async def test_bad_key_is_401_in_the_pages_words(start):
    gateway = await start()

    answer = await gateway.post(PATH, ASKED, authorization="Bearer wrong")

    assert error(answer) == (401, {"error": "Invalid API Key"})


async def test_stray_bracket_before_the_key_does_not_matter(start):
    """The page's examples open a `<` before the key and never close it."""
    gateway = await start()
    write_with(gateway, writer())
    key = gateway.client.headers["authorization"].removeprefix("Bearer ")

    answer = await gateway.post(PATH, ASKED, authorization=f"Bearer <{key}")

    assert answer.status_code == 200


# --- repeats ---------------------------------------------------------------------------------


@pytest.mark.parametrize("stream", [False, True])
async def test_repeat_with_the_same_key_is_charged_once(start, stream):
    gateway = await start(balance="100")
    upstream = write_with(gateway, writer())
    body, again = ASKED | {"stream": stream}, {"idempotency-key": "k1"}

    first = await gateway.post(PATH, body, **again)
    balance = await gateway.balance()
    second = await gateway.post(PATH, body, **again)

    assert len(upstream.streamed) == 1
    assert _spoken(second.text) == _spoken(first.text) == "".join(words())
    assert await gateway.balance() == balance


async def test_same_key_for_another_body_is_409_in_shape(start):
    gateway = await start()
    write_with(gateway, writer())
    again = {"idempotency-key": "k1"}

    await gateway.post(PATH, ASKED, **again)
    answer = await gateway.post(PATH, ASKED | {"prompt": "other"}, **again)

    assert error(answer)[0] == 409
    assert list(answer.json()) == ["error"]


# --- OpenAI's own client ---------------------------------------------------------------------


async def test_openai_client_completes(start):
    async with served(start) as server, _client(server) as client:
        write_with(server.gateway, writer())
        answer = await client.chat.completions.create(
            model="qwen3-max", messages=[{"role": "user", "content": "你是谁"}]
        )

    assert answer.choices[0].message.content == "".join(words())
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage is not None
    assert answer.usage.total_tokens == 70


async def test_openai_client_streams(start):
    async with served(start) as server, _client(server) as client:
        write_with(server.gateway, writer())
        stream = await client.chat.completions.create(
            model="qwen3-max", messages=[{"role": "user", "content": "你是谁"}], stream=True
        )
        pieces = [piece async for piece in stream]

    texts = [piece.choices[0].delta.content or "" for piece in pieces if piece.choices]
    assert "".join(texts) == "".join(words())
    assert pieces[-1].usage is not None
    assert pieces[-1].usage.total_tokens == 70


async def test_openai_client_raises_for_a_broken_stream(start):
    broken = PorticoError(ErrorCode.UPSTREAM_FAILED, "Generation failed")
    async with served(start) as server, _client(server) as client:
        write_with(server.gateway, writer(Chunk("half"), broken))
        stream = await client.chat.completions.create(
            model="qwen3-max", messages=[{"role": "user", "content": "a"}], stream=True
        )
        with pytest.raises(openai.APIError):
            _ = [piece async for piece in stream]


async def test_openai_client_asks_once_for_an_empty_balance(start):
    calls: list[str] = []

    async def count(request: Any) -> None:
        calls.append(request.url.path)

    async with served(start, balance="0.000001") as server, _client(server, count) as client:
        with pytest.raises(openai.RateLimitError) as caught:
            await client.chat.completions.create(
                model="qwen3-max", messages=[{"role": "user", "content": "a"}]
            )

    assert caught.value.body == "Insufficient balance"
    assert calls == [PATH]


async def test_openai_client_lists_models(start):
    async with served(start) as server, _client(server) as client:
        models = [each.id async for each in await client.models.list()]

    assert {"qwen3-max", "viduq3-pro", "wan2.6-t2v"} <= set(models)


def _client(server, *watching: Any) -> openai.AsyncOpenAI:
    transport = openai.DefaultAsyncHttpx2Client(event_hooks={"request": list(watching)})
    return openai.AsyncOpenAI(
        base_url=f"{server.url}/llmage/v1", api_key=server.key, http_client=transport
    )


def _spoken(text: str) -> str:
    """Return the words of an answer, streamed or whole."""
    if not text.startswith("data:"):
        return str(json.loads(text)["content"])
    return "".join(each.get("content", "") for each in events(text))
