"""Yuanjing's words for texts."""

from typing import Any

import msgspec
import pytest

from portico.core.errors import ErrorCode, PorticoError
from portico.core.jobs import ChatUsage, Chunk, Message
from portico.dialects.body import as_type
from portico.dialects.yuanjing.chat import Lines, parse_chat, render_replay, render_whole
from portico.dialects.yuanjing.wire import ChatSubmit
from portico.flows.chat_answer import ChatAnswer
from tests.unit.dialects.task_views import ID

ANSWER = ChatAnswer(
    task_id=ID,
    model="qwen3-max",
    text="我是通义千问",
    reasoning="",
    finish="stop",
    usage=ChatUsage(10, 60, 4),
    cost=1,
    balance_after=1,
    created_at=1_775_011_902_345,
)


def read(**body: Any):
    body = {"model": "qwen3-max"} | body
    return parse_chat(as_type(body, ChatSubmit), body)


def plain(answer: object) -> Any:
    return msgspec.json.decode(msgspec.json.encode(answer))


def events(*lines: bytes) -> list[Any]:
    texts = [line.decode() for line in lines]
    assert all(text.startswith("data: ") and text.endswith("\n\n") for text in texts)
    return [msgspec.json.decode(text[6:]) for text in texts if text != "data: [DONE]\n\n"]


# --- reading ---------------------------------------------------------------------------------


def test_prompt_and_sys_prompt_become_messages():
    ask = read(prompt="你是谁", sys_prompt="Be brief")

    assert ask.messages == (Message("system", "Be brief"), Message("user", "你是谁"))
    assert (ask.name, ask.stream) == ("qwen3-max", False)


def test_messages_win_over_prompt():
    ask = read(messages=[{"role": "user", "content": "a"}], prompt="b", sys_prompt="c")

    assert ask.messages == (Message("user", "a"),)


def test_empty_messages_leave_the_prompt():
    assert read(messages=[], prompt="b").messages == (Message("user", "b"),)


@pytest.mark.parametrize("body", [{}, {"prompt": " "}, {"messages": []}, {"sys_prompt": "x"}])
def test_nothing_to_say_is_refused(body: dict[str, Any]):
    with pytest.raises(PorticoError) as caught:
        read(**body)

    assert (caught.value.message, caught.value.param) == ("prompt is required", "prompt")


def test_content_parts_are_kept():
    parts = [{"type": "text", "text": "a"}, {"type": "image_url", "image_url": {"url": "u"}}]

    assert read(messages=[{"role": "user", "content": parts}]).messages[0].content == parts


@pytest.mark.parametrize(
    "message",
    [
        {"role": "user", "content": 5},
        {"role": "user", "content": [1]},
        {"role": "user", "content": [{"type": "text", "text": 5}]},
        {"role": "robot", "content": "a"},
        {"content": "a"},
    ],
)
def test_malformed_message_is_refused(message: dict[str, Any]):
    with pytest.raises(PorticoError) as caught:
        read(messages=[message])

    assert caught.value.message == "Invalid value for messages"


def test_content_of_null_is_empty():
    assert read(messages=[{"role": "assistant", "content": None}]).messages[0].content == ""


@pytest.mark.parametrize("field", ["model", "prompt", "sys_prompt", "messages", "stream"])
def test_wrong_type_is_refused_by_name(field: str):
    with pytest.raises(PorticoError) as caught:
        read(**{"prompt": "a"} | {field: {"a": 1}})

    assert caught.value.param == field


@pytest.mark.parametrize(("given", "stream"), [(True, True), ("true", True), (1, True), (0, False)])
def test_stream_may_be_written_in_several_ways(given: object, stream: bool):
    assert read(prompt="a", stream=given).stream is stream


def test_sampling_parameters_pass_and_others_are_ignored():
    ask = read(prompt="a", temperature=0.2, top_p=None, stop=["x"], user="me", metadata={})

    assert ask.sampling == {"temperature": 0.2, "stop": ["x"]}


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({}, None),
        ({"max_tokens": 5}, 5),
        ({"max_completion_tokens": 6}, 6),
        ({"max_tokens": 5, "max_completion_tokens": 6}, 5),
    ],
)
def test_length_has_two_names(body: dict[str, Any], expected: int | None):
    assert read(prompt="a", **body).max_tokens == expected


@pytest.mark.parametrize("name", ["tools", "functions"])
def test_tools_are_refused_rather_than_dropped(name: str):
    with pytest.raises(PorticoError) as caught:
        read(prompt="a", **{name: [{"type": "function"}]})

    assert caught.value.code is ErrorCode.UNSUPPORTED_OPTION


def test_no_tools_are_none():
    assert read(prompt="a", tools=[]).name == "qwen3-max"


def test_model_is_needed():
    with pytest.raises(PorticoError) as caught:
        read(model="", prompt="a")

    assert caught.value.message == "model is required"


# --- writing ---------------------------------------------------------------------------------


def test_whole_answer_has_the_pages_members_in_order():
    assert list(plain(render_whole(ANSWER, "qwen3-max")).items()) == [
        ("id", f"chatcmpl-{ID}"),
        ("object", "chat.completion"),
        ("created", 1775011902),
        (
            "choices",
            [
                {
                    "finish_reason": "stop",
                    "index": 0,
                    "message": {"content": "我是通义千问", "role": "assistant"},
                }
            ],
        ),
        ("model", "qwen3-max"),
        ("reasoning_content", None),
        ("content", "我是通义千问"),
        ("finish", "1"),
        (
            "usage",
            {
                "total_tokens": 70,
                "completion_tokens": 60,
                "prompt_tokens": 10,
                "prompt_tokens_details": {"cached_tokens": 4},
            },
        ),
    ]


def test_stream_lines_have_the_pages_members_in_order():
    lines = Lines(ID, 1_775_019_761_000, "qwen3-max")

    opening, piece, ended, used = events(
        lines.opening(), lines.piece(Chunk("我是")), *lines.closing(ChatUsage(10, 60), "stop")
    )

    common = {
        "id": f"chatcmpl-{ID}",
        "object": "chat.completion.chunk",
        "created": 1775019761,
        "model": "qwen3-max",
        "llmusageid": str(ID),
    }
    beside = common | {"reasoning_content": None, "content": "", "finish": "0"}
    assert opening == beside | {
        "choices": [{"logprobs": None, "index": 0, "delta": {"content": "", "role": "assistant"}}]
    }
    assert piece == beside | {
        "choices": [{"delta": {"content": "我是", "role": None}, "index": 0}],
        "content": "我是",
    }
    assert ended == beside | {
        "choices": [{"delta": {"content": "", "role": None}, "index": 0, "finish_reason": "stop"}]
    }
    assert used == common | {
        "choices": [],
        "finish": "1",
        "usage": {
            "total_tokens": 70,
            "completion_tokens": 60,
            "prompt_tokens": 10,
            "prompt_tokens_details": {"cached_tokens": 0},
        },
    }


def test_reasoning_stands_beside_the_choices_and_in_the_delta():
    (piece,) = events(Lines(ID, 0, "m").piece(Chunk(reasoning="hm")))

    assert piece["reasoning_content"] == "hm"
    assert piece["choices"][0]["delta"] == {"content": "", "role": None, "reasoning_content": "hm"}


def test_piece_without_words_has_no_line():
    assert Lines(ID, 0, "m").piece(Chunk(finish="stop")) == b""


async def test_earlier_answer_is_streamed_again_in_one_piece():
    lines = [line async for line in render_replay(ANSWER, "qwen3-max")]

    assert "".join(each["choices"][0]["delta"]["content"] for each in events(*lines)[:-1]) == (
        "我是通义千问"
    )
    assert lines[-1] == b"data: [DONE]\n\n"
