"""Lenient in, exact out: what converts without loss is accepted, everything else is named."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portico.catalogue import Catalogue, Param, ParamType, allowance
from portico.catalogue.params import CANON, coerce
from portico.core.errors import ErrorCode, PorticoError
from tests.unit.catalogue.asks import IMAGE, ask

DURATION = Param(name="duration", type=ParamType.INTEGER, values=(5, 10))
SEED = Param(name="seed", type=ParamType.INTEGER, minimum=0, maximum=2147483647)
AUDIO = Param(name="audio", type=ParamType.BOOLEAN)
RESOLUTION = Param(name="resolution", type=ParamType.RESOLUTION, values=("720p", "1080p"))
SIZE = Param(name="size", type=ParamType.SIZE, values=("1280x720",))
RATIO = Param(
    name="ratio",
    type=ParamType.RATIO,
    values=("16:9", "adaptive"),
    aliases={"keep_ratio": "adaptive"},
)
TEXT = Param(name="negative_prompt", type=ParamType.STRING, max_length=3)
NUMBER = Param(name="seed", type=ParamType.NUMBER, minimum=0, maximum=2)
WORD = Param(name="wardrobe_part", type=ParamType.CHOICE, values=("upper", "full"))


def each(param: Param, *raws: object) -> list[tuple[Param, object]]:
    return [(param, raw) for raw in raws]


ACCEPTED: list[tuple[Param, object, object]] = [
    (DURATION, 5, 5),
    (DURATION, "5", 5),
    (DURATION, " 10 ", 10),
    (DURATION, 5.0, 5),
    (DURATION, "5.0", 5),
    (SEED, 0, 0),
    (SEED, "2147483647", 2147483647),
    *((AUDIO, raw, True) for raw in (True, "true", "TRUE", "Y", "y", "1", 1, " yes ")),
    *((AUDIO, raw, False) for raw in (False, "false", "False", "N", "n", "0", 0, "no")),
    (RESOLUTION, "720P", "720p"),
    (RESOLUTION, " 1080p", "1080p"),
    (SIZE, "1280x720", "1280x720"),
    (SIZE, "1280*720", "1280x720"),
    (SIZE, "1280\u00d7720", "1280x720"),
    (SIZE, "1280 X 720", "1280x720"),
    (RATIO, "16:9", "16:9"),
    (RATIO, "Adaptive", "adaptive"),
    (RATIO, "keep_ratio", "adaptive"),
    (TEXT, "abc", "abc"),
    (TEXT, "", ""),
    (NUMBER, "0.7", 0.7),
    (NUMBER, 2, 2),
    (WORD, "Upper", "upper"),
]

REFUSED: list[tuple[Param, object]] = [
    *each(DURATION, 5.5, "5.5", 7, "", "five", True, False, [5], {}, "5s"),
    *each(DURATION, math.inf, math.nan, "1e1", "٥"),
    *each(SEED, -1, 2147483648, "99999999999999999999", 1e300),
    *each(AUDIO, "on", "maybe", "", 2, 1.0, None, [True]),
    *each(RESOLUTION, "480p", 720, "720", ""),
    *each(SIZE, "1281x720", "1280", "1280:720", 1280),
    *each(RATIO, "16:10", "", 1.78),
    *each(TEXT, "abcd", 5, ["a"]),
    *each(NUMBER, 2.1, -1, math.nan, "much", True),
    *each(WORD, "hat", 1),
]


@pytest.mark.parametrize(("param", "raw", "expected"), ACCEPTED)
def test_what_converts_without_loss_is_accepted(param: Param, raw: object, expected: object):
    value = coerce(param, raw)

    assert value == expected
    assert type(value) is type(expected)


@pytest.mark.parametrize(("param", "raw"), REFUSED)
def test_anything_else_is_refused_by_name(param: Param, raw: object):
    with pytest.raises(PorticoError) as caught:
        coerce(param, raw)

    assert caught.value.code is ErrorCode.INVALID_REQUEST
    assert caught.value.param == param.name
    assert allowance(param) in caught.value.message


@given(
    st.sampled_from([DURATION, SEED, AUDIO, RESOLUTION, SIZE, RATIO, TEXT, NUMBER, WORD]),
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.lists(st.integers()),
)
def test_nothing_but_a_portico_error_comes_out_and_results_are_stable(param: Param, raw: object):
    try:
        value = coerce(param, raw)
    except PorticoError as error:
        assert error.code is ErrorCode.INVALID_REQUEST  # noqa: PT017 - both ends are fine
    else:
        assert coerce(param, value) == value


def test_allowance_says_what_may_be_sent():
    assert allowance(DURATION) == "one of 5, 10"
    assert allowance(SEED) == "a whole number from 0 to 2147483647"
    assert allowance(AUDIO) == "true or false"
    assert allowance(TEXT) == "text of at most 3 characters"


def test_every_canonical_name_is_described():
    assert all(canon.description.endswith(".") for canon in CANON.values())


@pytest.mark.parametrize(
    ("duration", "resolution"), [("5", "720P"), (5.0, "720p"), (None, None), ("5.0", " 720p ")]
)
def test_spellings_of_one_wish_make_one_job(
    duration: object, resolution: object, catalogue: Catalogue
):
    plain = catalogue.resolve(ask("apixo", "wan-2-5", IMAGE, duration=5, resolution="720p"))
    other = ask("apixo", "wan-2-5", IMAGE, duration=duration, resolution=resolution)

    assert catalogue.resolve(other) == plain
