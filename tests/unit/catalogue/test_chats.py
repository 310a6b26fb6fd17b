"""Text: names, lengths, sampling, and a hold that no answer can exceed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portico.catalogue import Catalogue, load
from portico.core.errors import ErrorCode, PorticoError
from portico.core.jobs import ChatAsk, ChatUsage, Message
from portico.core.money import MICRO
from tests.unit.catalogue.asks import AT, chat

INVALID = ErrorCode.INVALID_REQUEST
COUNTS = st.integers(0, 30_000)
CATALOGUE = load()

REFUSED = {
    "model": (chat("yuanjing", "qwen9"), ErrorCode.UNKNOWN_MODEL, "model"),
    "another kind": (chat("openai", "portico/scene"), ErrorCode.UNKNOWN_MODEL, "model"),
    "no model": (chat("yuanjing", None), INVALID, "model"),
    "no message": (chat("xpilot", None, messages=()), INVALID, "prompt"),
    "blank": (chat("xpilot", None, "  "), INVALID, "prompt"),
    "blank part": (
        chat("openai", "gpt-4o", messages=(Message("user", [{"type": "text", "text": " "}]),)),
        INVALID,
        "prompt",
    ),
    "long": (chat("xpilot", None, "x" * 1_000_001), INVALID, "prompt"),
    "nothing to write": (chat("xpilot", None, max_tokens=0), INVALID, "max_tokens"),
    "half": (chat("xpilot", None, max_tokens=1.5), INVALID, "max_tokens"),
    "true": (chat("xpilot", None, max_tokens=True), INVALID, "max_tokens"),
    "B13 hot": (chat("xpilot", None, sampling={"temperature": 2.1}), INVALID, "temperature"),
    "B13 cold": (chat("xpilot", None, sampling={"temperature": -0.1}), INVALID, "temperature"),
    "not a number": (
        chat("xpilot", None, sampling={"temperature": float("nan")}),
        INVALID,
        "temperature",
    ),
    "top_p": (chat("openai", "gpt-4o", sampling={"top_p": "much"}), INVALID, "top_p"),
    "several": (
        chat("openai", "gpt-4o", sampling={"n": 2}),
        ErrorCode.UNSUPPORTED_OPTION,
        "n",
    ),
}


@pytest.mark.parametrize(("request_", "code", "param"), REFUSED.values(), ids=REFUSED.keys())
def test_what_cannot_be_written_is_refused_by_name(
    request_: ChatAsk, code: ErrorCode, param: str, catalogue: Catalogue
):
    with pytest.raises(PorticoError) as caught:
        catalogue.resolve_chat(request_)

    assert (caught.value.code, caught.value.param) == (code, param)


def test_xpilots_text_defaults_to_gpt_4o_and_1000_llm_tokens(catalogue: Catalogue):
    job = catalogue.resolve_chat(chat("xpilot", None))

    assert (job.offering, job.max_tokens) == ("xpilot:openai/gpt-4o", 1000)


def test_a_wish_above_the_limit_is_clipped(catalogue: Catalogue):
    assert catalogue.resolve_chat(chat("xpilot", None, max_tokens=10**9)).max_tokens == 16_384
    assert catalogue.resolve_chat(chat("xpilot", None, max_tokens="280")).max_tokens == 280


def test_sampling_cannot_make_the_answer_longer_than_its_hold(catalogue: Catalogue):
    sampling = {
        "temperature": "0.7",
        "n": 1,
        "max_completion_tokens": 10**6,
        "max_tokens": 10**6,
        "stop": ["x"],
        "seed": None,
    }

    job = catalogue.resolve_chat(chat("openai", "gpt-4o", sampling=sampling))

    assert job.sampling == {"temperature": 0.7, "stop": ["x"]}


def test_a_picture_in_a_message_is_something_to_answer(catalogue: Catalogue):
    picture = Message("user", [{"type": "image_url", "image_url": {"url": "https://media.test/a"}}])

    assert catalogue.resolve_chat(chat("openai", "gpt-4o", messages=(picture,))).messages == (
        picture,
    )


@pytest.mark.parametrize("name", ["gpt-4o", "openai/gpt-4o"])
def test_either_name_of_a_model_is_understood(name: str, catalogue: Catalogue):
    assert catalogue.resolve_chat(chat("openai", name)).offering == "openai:gpt-4o"


def test_exact_price_where_the_dialect_shows_fractions(catalogue: Catalogue):
    job = catalogue.resolve_chat(chat("openai", "gpt-4o"))

    assert catalogue.price_chat(job, ChatUsage(15, 42), at=AT) == 15 * 250 + 42 * 1000
    assert catalogue.price_chat(job, ChatUsage(15, 42, 10), at=AT) == 5 * 250 + 10 * 125 + 42_000


def test_an_answer_of_nothing_costs_nothing(catalogue: Catalogue):
    job = catalogue.resolve_chat(chat("xpilot", None))

    assert catalogue.price_chat(job, ChatUsage(0, 0), at=AT) == 0


@given(st.sampled_from(["xpilot", "openai"]), COUNTS, COUNTS, COUNTS)
def test_no_answer_within_the_limits_exceeds_its_hold(
    dialect: str, read: int, written: int, cached: int
):
    name = "openai/gpt-4o-mini"  # its cached rate is a broken number of microcredits
    job = CATALOGUE.resolve_chat(chat(dialect, name, max_tokens=max(1, written)))
    quote = CATALOGUE.quote_chat(job, input_tokens=read, at=AT)
    usage = ChatUsage(read, min(written, job.max_tokens), cached)
    cost = CATALOGUE.price_chat(job, usage, at=AT)

    assert 0 <= cost <= quote.amount
    assert quote.amount == sum(line.credits for line in quote.lines)
    assert dialect == "openai" or cost % MICRO == 0
