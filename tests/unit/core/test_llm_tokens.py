"""The estimate of LLM tokens: simple, and never nothing for something."""

import pytest

from portico.core.jobs import ChatJob, Message
from portico.core.llm_tokens import MESSAGE_OVERHEAD, count_job_tokens, count_tokens


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("", 0),
        ("   \n\t", 0),
        ("hello", 1),
        ("hello, world!", 4),  # two words, two marks
        ("internationalization", 5),  # 20 letters
        ("你好世界", 4),
        ("12345", 2),  # up to three digits each
        ("snake_case", 3),
        ("żółć", 2),  # a word of accents
        ("Привет", 3),
    ],
)
def test_text_is_counted_by_its_pieces(text, tokens):
    assert count_tokens(text) == tokens


def test_every_turn_of_a_conversation_costs_a_little_more():
    job = ChatJob(
        offering="o",
        model="m",
        messages=(
            Message("system", "hello"),
            Message("user", [{"type": "text", "text": "hello"}, {"type": "image_url"}]),
        ),
        max_tokens=10,
    )
    assert count_job_tokens(job) == 2 * (1 + MESSAGE_OVERHEAD)
