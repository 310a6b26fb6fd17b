"""Texts at `/v1/chat/completions`: the very bytes, refusals by name, and what is paid."""

from typing import Any

from portico.core.errors import ErrorCode, PorticoError
from portico.core.jobs import ChatUsage, Chunk
from portico.testing import FakeProvider
from tests.contract.gateways import NOW, error, replace_simulator, told

NOW_S = NOW // 1000
PATH = "/v1/chat/completions"
HELLO: dict[str, Any] = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Hello"}]}
FAILURE = PorticoError(ErrorCode.UPSTREAM_FAILED, "Generation failed")
USAGE = ChatUsage(input_tokens=10, output_tokens=4, cached_tokens=2)
WRITTEN = (Chunk(text="Good "), Chunk(text="day"), Chunk(finish="length", usage=USAGE))
# what only the catalogue or the body's reader can see; see the unit tests for all others
REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"messages": [{"role": "user", "content": " "}]}, "messages"),
    ({"messages": "hello"}, "messages"),
    ({"stream": "perhaps"}, "stream"),
    ({"stream_options": 1}, "stream_options"),
    ({"max_tokens": 0}, "max_tokens"),
    ({"max_completion_tokens": 1.5}, "max_completion_tokens"),
    ({"temperature": 3}, "temperature"),
    ({"n": 2}, "n"),
    ({"tools": [{"type": "function"}]}, "tools"),
]


def write(gateway, *pieces: Chunk | Exception) -> FakeProvider:
    """Let the upstream write these pieces; returns it, for what it was asked."""
    writer = FakeProvider(pieces=pieces, name="simulator")
    replace_simulator(gateway.gateway, chat=writer)
    return writer


async def test_whole_text_is_plain_openai(start):
    gateway = await start()
    write(gateway, *WRITTEN)

    answer = await gateway.post(PATH, HELLO)

    assert answer.status_code == 200
    assert told(answer) == (
        f'{{"id":"chatcmpl-TASK_ID","object":"chat.completion","created":{NOW_S},'
        '"model":"gpt-4o","choices":[{"index":0,"message":{"role":"assistant",'
        '"content":"Good day","refusal":null},"logprobs":null,"finish_reason":"length"}],'
        '"usage":{"prompt_tokens":10,"completion_tokens":4,"total_tokens":14,'
        '"prompt_tokens_details":{"cached_tokens":2}}}'
    )


async def test_stream_is_plain_openai(start):
    gateway = await start()
    write(gateway, *WRITTEN)

    answer = await gateway.post(PATH, HELLO | {"stream": True})

    assert answer.headers["content-type"].startswith("text/event-stream")
    head = (
        f'data: {{"id":"chatcmpl-TASK_ID","object":"chat.completion.chunk","created":{NOW_S},'
        '"model":"gpt-4o","choices":[{"index":0,"delta":'
    )
    assert told(answer) == (
        head + '{"role":"assistant","content":""},"logprobs":null,"finish_reason":null}]}\n\n'
        f'{head}{{"content":"Good "}},"logprobs":null,"finish_reason":null}}]}}\n\n'
        f'{head}{{"content":"day"}},"logprobs":null,"finish_reason":null}}]}}\n\n'
        f'{head}{{}},"logprobs":null,"finish_reason":"length"}}]}}\n\n'
        "data: [DONE]\n\n"
    )


async def test_asked_usage_is_null_until_its_own_line(start):
    gateway = await start()
    write(gateway, *WRITTEN)

    wished = {"stream": True, "stream_options": {"include_usage": True}}
    answer = await gateway.post(PATH, HELLO | wished)

    *pieces, usage, done, end = told(answer).split("\n\n")
    assert all(piece.endswith(',"usage":null}') for piece in pieces)
    assert usage.endswith(
        '"choices":[],"usage":{"prompt_tokens":10,"completion_tokens":4,"total_tokens":14,'
        '"prompt_tokens_details":{"cached_tokens":2}}}'
    )
    assert (done, end) == ("data: [DONE]", "")


async def test_reasoning_stands_beside_the_text(start):
    gateway = await start()
    write(gateway, Chunk(reasoning="Hm."), Chunk(text="Yes"), Chunk(finish="stop", usage=USAGE))

    whole = await gateway.post(PATH, HELLO)
    stream = await gateway.post(PATH, HELLO | {"stream": True})

    assert whole.json()["choices"][0]["message"]["reasoning_content"] == "Hm."
    assert '"delta":{"reasoning_content":"Hm."}' in stream.text


async def test_broken_stream_ends_with_an_error_and_no_done(start):
    gateway = await start()
    write(gateway, Chunk(text="Good "), FAILURE)

    answer = await gateway.post(PATH, HELLO | {"stream": True})

    assert answer.status_code == 200
    assert answer.text.endswith(
        'data: {"error":{"message":"Generation failed","type":"server_error","param":null,'
        '"code":"generation_failed"}}\n\n'
    )


async def test_stream_that_never_begins_has_its_own_status_and_costs_nothing(start):
    gateway = await start(balance="100")
    write(gateway, FAILURE)

    answer = await gateway.post(PATH, HELLO | {"stream": True})

    assert error(answer)[0] == 502
    assert await gateway.balance() == "100"


async def test_stream_without_words_still_ends_well(start):
    gateway = await start()
    body, key = HELLO | {"stream": True}, {"idempotency-key": "one"}

    write(gateway)
    nothing = await gateway.post(PATH, body, **key)
    again = await gateway.post(PATH, body, **key)
    write(gateway, Chunk(finish="stop", usage=USAGE))
    only_the_end = await gateway.post(PATH, body)

    for answer in (nothing, again, only_the_end):
        opening, ended, done, _ = answer.text.split("\n\n")
        assert '"role":"assistant"' in opening
        assert '"finish_reason":"stop"' in ended
        assert done == "data: [DONE]"


async def test_models_are_listed(start):
    gateway = await start()

    found = (await gateway.get("/v1/models")).json()

    assert found["object"] == "list"
    assert {"gpt-4o", "portico/scene", "seedance-2.0"} <= {each["id"] for each in found["data"]}


async def test_repeated_stream_brings_the_earlier_answer(start):
    gateway = await start(balance="100")
    writer = write(gateway, *WRITTEN)
    body, key = HELLO | {"stream": True}, {"idempotency-key": "one"}

    await gateway.post(PATH, body, **key)
    left = await gateway.balance()
    again = await gateway.post(PATH, body, **key)

    assert '"delta":{"content":"Good day"}' in again.text
    assert again.text.endswith("data: [DONE]\n\n")
    assert len(writer.streamed) == 1
    assert await gateway.balance() == left


async def test_same_key_for_another_question_is_a_conflict(start):
    gateway = await start()
    write(gateway, *WRITTEN)
    await gateway.post(PATH, HELLO, **{"idempotency-key": "one"})

    answer = await gateway.post(PATH, HELLO | {"seed": 1}, **{"idempotency-key": "one"})

    assert error(answer)[0] == 409


async def test_newer_name_of_the_limit_wins(start):
    gateway = await start()
    writer = write(gateway, *WRITTEN)
    old, new = {"max_tokens": 50}, {"max_completion_tokens": "60"}

    for given in ({}, old, new, old | new):
        await gateway.post(PATH, HELLO | given)

    assert [each.max_tokens for each in writer.streamed] == [4096, 50, 60, 60]


async def test_only_known_sampling_reaches_the_upstream(start):
    gateway = await start()
    writer = write(gateway, *WRITTEN)
    own = {"api_base": "http://169.254.169.254", "user": "u", "metadata": {"a": "b"}, "store": True}

    await gateway.post(PATH, HELLO | own | {"temperature": 0.5, "stop": ["\n"], "n": 1})

    assert writer.streamed[0].sampling == {"temperature": 0.5, "stop": ["\n"]}


async def test_refusal_names_the_field_and_costs_nothing(start):
    gateway = await start(balance="100")
    writer = write(gateway, *WRITTEN)

    for given, param in REFUSED:
        status, body = error(await gateway.post(PATH, HELLO | given))
        assert (status, body["error"]["param"]) == (400, param)
        assert param in body["error"]["message"]
        assert body["error"]["type"] == "invalid_request_error"

    assert writer.streamed == []
    assert await gateway.balance() == "100"


async def test_picture_in_a_message_is_handed_on(start):
    gateway = await start()
    writer = write(gateway, *WRITTEN)
    parts = [
        {"type": "text", "text": "What is it?"},
        {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}},
    ]

    await gateway.post(PATH, HELLO | {"messages": [{"role": "user", "content": parts}]})

    assert writer.streamed[0].messages[0].content == parts


async def test_model_may_have_a_slash(start):
    gateway = await start()

    found = await gateway.get("/v1/models/portico/scene")
    missing = await gateway.get("/v1/models/portico/nothing")

    assert found.json() == {
        "id": "portico/scene",
        "object": "model",
        "created": 0,
        "owned_by": "portico",
    }
    assert error(missing)[1]["error"]["code"] == "model_not_found"
