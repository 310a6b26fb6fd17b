"""What is read from a chat submit, and what is refused by name."""

from typing import Any

import msgspec
import pytest

from portico.core.errors import ErrorCode, PorticoError
from portico.core.jobs import ChatAsk
from portico.dialects.openai.chat import fields_of, parse_chat
from portico.dialects.openai.wire import ChatSubmit

HELLO: dict[str, Any] = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Hello"}]}


def parsed(given: dict[str, Any]) -> ChatAsk:
    raw = HELLO | given
    return parse_chat(msgspec.convert(raw, ChatSubmit, strict=False), raw)


def turn(**given: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user"} | given]}


@pytest.mark.parametrize(
    ("given", "param"),
    [
        ({"model": None}, "model"),
        ({"model": ""}, "model"),
        ({"messages": None}, "messages"),
        ({"messages": []}, "messages"),
        ({"messages": ["hello"]}, "messages[0]"),
        (turn(role="nobody"), "messages[0].role"),
        (turn(role=["user"]), "messages[0].role"),
        (turn(content=1), "messages[0].content"),
        (turn(content=["Hello"]), "messages[0].content[0]"),
        (turn(content=[{"text": "no type"}]), "messages[0].content[0]"),
        (turn(content=[{"type": "text", "text": 1}]), "messages[0].content[0]"),
        (turn(content=[{"type": "text"}]), "messages[0].content[0]"),
        (turn(content=[{"type": "image_url", "image_url": "x"}]), "messages[0].content[0]"),
        (
            turn(content=[{"type": "image_url", "image_url": {}, "text": 1}]),
            "messages[0].content[0]",
        ),
    ],
)
def test_malformed_field_is_refused_by_name(given, param):
    with pytest.raises(PorticoError) as refused:
        parsed(given)

    assert (refused.value.code, refused.value.param) == (ErrorCode.INVALID_REQUEST, param)
    assert param in refused.value.message


@pytest.mark.parametrize(
    ("given", "param"),
    [
        (turn(content=[{"type": "input_audio"}]), "messages[0].content[0]"),
        (turn(content=[{"type": "refusal", "refusal": "x"}]), "messages[0].content[0]"),
        (turn(role="assistant", tool_calls=[{"id": "1"}]), "messages[0].tool_calls"),
        ({"tools": [{"type": "function"}]}, "tools"),
        ({"tool_choice": "required"}, "tool_choice"),
        ({"functions": [{"name": "f"}]}, "functions"),
        ({"function_call": {"name": "f"}}, "function_call"),
        ({"modalities": ["text", "audio"]}, "modalities"),
        ({"audio": {"voice": "x"}}, "audio"),
        ({"logprobs": True}, "logprobs"),
        ({"top_logprobs": 3}, "top_logprobs"),
        ({"service_tier": "priority"}, "service_tier"),
        ({"web_search_options": {}}, "web_search_options"),
    ],
)
def test_what_cannot_be_honoured_is_refused_by_name(given, param):
    with pytest.raises(PorticoError) as refused:
        parsed(given)

    assert (refused.value.code, refused.value.param) == (ErrorCode.UNSUPPORTED_OPTION, param)
    assert param in refused.value.message


@pytest.mark.parametrize(
    "given",
    [
        {"tools": [], "tool_choice": "auto", "functions": None},
        {"modalities": ["text"], "logprobs": False, "top_logprobs": 0, "service_tier": "auto"},
        {"surprise": {"deep": [1, 2]}, "user": "u", "store": True, "metadata": {}},
        turn(role="developer", content="Be brief"),
        turn(role="assistant", content=None, tool_calls=[]),
        turn(content=[{"type": "text", "text": "Hello"}]),
        turn(content=[{"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}]),
    ],
)
def test_harmless_field_is_no_reason_to_refuse(given):
    assert parsed(given).name == "gpt-4o"


def test_turn_without_content_is_an_empty_text():
    assert parsed(turn(role="assistant", content=None)).messages[0].content == ""


def test_only_listed_sampling_is_handed_on():
    ask = parsed({"temperature": 0.5, "stop": ["a"], "seed": None, "api_base": "http://x"})

    assert ask.sampling == {"temperature": 0.5, "stop": ["a"]}


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ({}, "max_completion_tokens"),
        ({"max_tokens": 1}, "max_tokens"),
        ({"max_completion_tokens": 1}, "max_completion_tokens"),
        ({"max_completion_tokens": 1, "max_tokens": 1}, "max_completion_tokens"),
    ],
)
def test_limit_is_called_as_the_request_calls_it(given, name):
    assert fields_of(msgspec.convert(HELLO | given, ChatSubmit))["max_tokens"] == name
