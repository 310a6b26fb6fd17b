"""Files of new prices: what is taken over, what is refused, and that nothing half is kept."""

import os
import tomllib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portico.catalogue.catalogue import load
from portico.catalogue.files import RouteSpec
from portico.catalogue.price_files import NewPrice, compose, keep_file, try_file
from portico.catalogue.toml_text import toml_text
from portico.core import faults
from portico.core.money import MICRO

NAME = "mine.toml"
ROUTE = RouteSpec(provider="openai_like", upstream_model="up", credential="main", weight=2)


def price(model, **other: Any):
    return NewPrice(model=model, **other)


def composed(*prices: NewPrice, folder=None, **other: Any):
    return compose(prices, folder=folder, name=NAME, **other)


def tried(*prices: NewPrice, **other: Any):
    found = composed(*prices, **other)
    assert found.skipped == {}
    return try_file(None, NAME, found.text)


def test_known_text_keeps_everything_but_its_price_and_its_routes():
    before = load().offering("openai:gpt-4o")
    known = tried(price("gpt-4o", input="1", output="2", routes=(ROUTE,)))
    after = known.offering("openai:gpt-4o")
    assert (after.prices[0].input, after.prices[0].output) == (MICRO, 2 * MICRO)
    assert (after.chat, after.title, after.model) == (before.chat, before.title, before.model)
    route = known.model("gpt-4o").routes[0]
    assert (route.provider, route.credential, route.weight) == ("openai_like", "main", 2)


def test_other_dialects_keep_their_price():
    before = load().offering("xpilot:openai/gpt-4o").prices
    assert tried(price("gpt-4o", input="1", output="2")).offering(
        "xpilot:openai/gpt-4o"
    ).prices == before  # fmt: skip


def test_alias_is_as_good_as_a_name():
    found = tried(price("openai/gpt-4o", input="1", output="2"))
    assert found.offering("openai:gpt-4o").prices[0].input == MICRO


def test_second_name_of_one_offering_is_left_out_and_said_so():
    found = composed(
        price("gpt-4o", input="1", output="2"), price("openai/gpt-4o", input="3", output="4")
    )
    assert found.models == ("gpt-4o",)
    assert "has a price already" in found.skipped["openai/gpt-4o"]


def test_known_picture_and_video_keep_their_shape():
    before = load().offering("openai:happyhorse-1.0")
    known = tried(
        price("seedream-4.5", amount="7"),
        price("happyhorse-1.0", amount="3", rule="per_second"),
    )
    after = known.offering("openai:happyhorse-1.0")
    assert (after.modes, after.roles) == (before.modes, before.roles)
    assert after.prices[0].amount == 3 * MICRO
    assert known.offering("portico:seedream-4.5").prices[0].amount == 7 * MICRO


def test_shapes_of_one_name_and_two_meanings_do_not_meet(tmp_path):
    found = composed(*(price(name, amount="1", rule="flat") for name in (
        "happyhorse-1.0", "seedance-1.5-pro",
    )))  # fmt: skip
    shapes = tomllib.loads(found.text)["shapes"]
    assert set(shapes) == {"video", "video-2"}
    known = try_file(None, NAME, found.text)
    for name in ("openai:happyhorse-1.0", "openai:seedance-1.5-pro"):
        assert known.offering(name).modes == load().offering(name).modes


def test_new_text_needs_a_route_and_gets_both_dialects():
    known = tried(price("new-one", kind="text", input="1", output="2", title="N", routes=(ROUTE,)))
    assert known.offering("portico:new-one").title == "N"
    assert known.model("new-one").routes[0].upstream_model == "up"
    assert known.offering("openai:new-one").prices[0].output == 2 * MICRO


@pytest.mark.parametrize(
    ("wanted", "reason"),
    [
        (price("new-one", kind="text", input="1", output="2"), "nothing makes it"),
        (price("new-one", amount="1", routes=(ROUTE,)), "nor a text"),
        (price("seedream-4.5", input="1", output="2"), "no price by the LLM token"),
    ],
)
def test_price_that_cannot_be_used_says_why(wanted, reason):
    found = composed(wanted)
    assert found.models == ()
    assert reason in found.skipped[wanted.model]


def test_kinds_that_are_not_taken_are_left_out():
    found = composed(price("happyhorse-1.0", amount="1"), kinds=("text", "image"))
    assert "price of a video" in found.skipped["happyhorse-1.0"]


def test_dialects_are_chosen():
    known = tried(price("qwen3-max", input="1", output="1"), dialects=("yuanjing",))
    assert known.offering("yuanjing:qwen3-max").prices[0].input == MICRO
    assert known.offering("openai:qwen3-max").prices == load().offering("openai:qwen3-max").prices


def test_what_another_file_of_the_folder_has_stays_there(tmp_path):
    first = composed(price("gpt-4o", input="1", output="2"))
    keep_file(tmp_path, "first.toml", first.text)
    found = composed(price("gpt-4o", input="3", output="4"), folder=tmp_path)
    assert found.skipped == {"gpt-4o": "first.toml has it already: change it there"}
    assert compose(
        [price("gpt-4o", input="3", output="4")], folder=tmp_path, name="first.toml"
    ).models == ("gpt-4o",)


def test_file_is_tried_with_the_folder_before_it_is_kept(tmp_path):
    with pytest.raises(ValueError, match=r"mine\.toml"):
        try_file(tmp_path, NAME, "[[models]]\nid = 5\n")
    bad = composed(price("gpt-4o", input="1", cached="5", output="1"))
    with pytest.raises(ValueError, match="cached: may not exceed input"):
        try_file(tmp_path, NAME, bad.text)


def test_file_is_kept_whole_or_not_at_all(tmp_path):
    assert keep_file(tmp_path / "new", NAME, "a = 1\n") is True
    assert keep_file(tmp_path / "new", NAME, "a = 1\n") is False
    path = tmp_path / "new" / NAME

    def fail(name):
        if name == "price.before_rename":
            raise OSError

    faults.arm(fail)
    try:
        with pytest.raises(OSError):
            keep_file(tmp_path / "new", NAME, "a = 2\n")
    finally:
        faults.arm(None)
    assert path.read_text() == "a = 1\n"
    assert os.listdir(path.parent) == [NAME]  # noqa: PTH208


_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=10)
_SIMPLE = st.one_of(_TEXT, st.booleans(), st.integers(-(2**60), 2**60))
_DEEP = st.recursive(
    _SIMPLE,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(_TEXT, inner, max_size=3)),
    max_leaves=8,
)


@given(st.dictionaries(_TEXT, st.lists(st.dictionaries(_TEXT, _DEEP, max_size=3), min_size=1,
                                       max_size=3), max_size=3))  # fmt: skip
def test_toml_comes_back_as_it_was_written(document):
    assert tomllib.loads(toml_text(document)) == document


@given(st.dictionaries(_TEXT, st.dictionaries(_TEXT, st.dictionaries(_TEXT, _DEEP, max_size=2),
                                              min_size=1, max_size=2), max_size=2))  # fmt: skip
def test_tables_of_tables_come_back_as_they_were_written(document):
    assert tomllib.loads(toml_text(document)) == document
