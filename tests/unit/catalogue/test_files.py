"""Files: what an operator may write, and how plainly a mistake is told."""

import re
from pathlib import Path

import pytest

from portico.catalogue import Catalogue, Cost, load
from portico.catalogue.catalogue import build
from portico.catalogue.files import read_text
from portico.core.errors import ErrorCode, PorticoError
from portico.core.jobs import Kind, MediaJob, Mode
from portico.core.money import MICRO
from tests.unit.catalogue.asks import AT, IMAGE, ask, chat

MODEL = """
[[models]]
id = "m"
title = "M"
kind = "video"
provider_label = "mine"
routes = [{ provider = "local", upstream_model = "scene" }]
"""
SHAPE = """
[shapes.s.params]
duration = { values = [5, 10], default = 5 }
resolution = { values = ["720p", "1080p"], default = "720p" }
[shapes.s.modes.text]
"""
OFFERING = """
[[offerings]]
dialects = ["portico"]
name = "mine"
model = "m"
shape = "s"
"""
WHOLE = MODEL + SHAPE + OFFERING

MISTAKES = {
    "no TOML": ("models = [", "Invalid value"),
    "unknown field": (MODEL + "colour = 1", "colour"),
    "wrong type": (MODEL.replace('"M"', "5"), "$.models[0].title"),
    "wrong kind": (MODEL.replace('"video"', '"smell"'), "$.models[0].kind"),
    "no route": (MODEL.replace('[{ provider = "local", upstream_model = "scene" }]', "[]"), "rout"),
    "route cost": (MODEL.replace('"scene" }', '"scene", upstream_cost = "x" }'), "upstream_cost"),
    "no price": (WHOLE, "$.offerings[0]"),
    "float price": (WHOLE + "price = 1.5", "$.offerings[0].price"),
    "negative price": (WHOLE + 'price = "-1"', "mine: price.amount"),
    "infinite price": (WHOLE + 'price = "inf"', "mine: price.amount"),
    "price rule": (WHOLE + 'price = { rule = "per_wish" }', "$.offerings[0].price.rule"),
    "text price for a video": (WHOLE + 'price = { rule = "per_llm_token" }', "price.rule"),
    "matrix field": (
        WHOLE + 'price = { matrix = [{ colour = "red", amount = "1" }] }',
        "price.matrix.colour",
    ),
    "matrix value": (
        WHOLE + 'price = { amount = "1", matrix = [{ mode = "smell", amount = "1" }] }',
        "price.matrix.mode",
    ),
    "matrix amount": (
        WHOLE + 'price = { matrix = [{ resolution = "720p", amount = 1 }] }',
        "price.matrix.amount",
    ),
    "matrix with a gap": (
        WHOLE + 'price = { matrix = [{ resolution = "720p", amount = "1" }] }',
        "does not cover every combination of mode text",
    ),
    "surcharge": (
        WHOLE + 'price = { amount = "1", surcharges = [{ label = "x", percent = -5 }] }',
        "price.surcharges",
    ),
    "off-peak": (WHOLE + 'price = { amount = "1", off_peak_percent = 101 }', "off_peak_percent"),
    "ceiling": (WHOLE + 'price = { amount = "2", ceiling = "1" }', "price: mode text"),
    "overlap": (WHOLE + 'price = [{ amount = "1" }, { amount = "2" }]', "two versions"),
    "overlap of dates": (
        WHOLE
        + """price = [
  { amount = "1", to = 2026-03-01T00:00:00Z },
  { amount = "2", from = 2026-02-01T00:00:00Z },
]""",
        "two versions",
    ),
    "matrix by what another option may drop": (
        WHOLE
        + """params = { size = { values = ["1280x720"], replaces = ["resolution"] } }
price = { matrix = [{ resolution = ["720p", "1080p"], amount = "1" }] }""",
        "does not cover",
    ),
    "backwards": (
        WHOLE + 'price = { amount = "1", from = 2026-02-01T00:00:00Z, to = 2026-01-01T00:00:00Z }',
        "price.to",
    ),
    "time without zone": (
        WHOLE + 'price = { amount = "1", from = 2026-02-01T00:00:00 }',
        "$.offerings[0].price",
    ),
    "no such shape": (WHOLE.replace('shape = "s"', 'shape = "t"') + 'price = "1"', "mine: shape"),
    "no shape": (WHOLE.replace('shape = "s"', "") + 'price = "1"', "mine: shape"),
    "no such model": (WHOLE.replace('model = "m"', 'model = "n"') + 'price = "1"', "mine: model"),
    "no such mode": (WHOLE + 'modes = ["image"]\nprice = "1"', "mine: modes"),
    "no such param": (
        WHOLE + 'price = "1"\nparams = { colour = {} }',
        "mine: params.colour: no such parameter",
    ),
    "param field": (
        WHOLE + 'price = "1"\nparams = { duration = { maximum = 5 } }',
        "mine: params.duration: Object contains unknown field `maximum`",
    ),
    "default not allowed": (
        WHOLE + 'price = "1"\nparams = { duration = { default = 7 } }',
        "mine: params.duration: duration must be one of 5, 10",
    ),
    "value of another type": (
        WHOLE + 'price = "1"\nparams = { duration = { values = ["five"] } }',
        "mine: params.duration: values",
    ),
    "inputs": (
        MODEL + SHAPE + "inputs = { first_frame = [2, 1] }" + OFFERING + 'price = "1"',
        "mine: modes.text.inputs.first_frame",
    ),
    "no duration to price": (
        WHOLE.replace("duration = { values = [5, 10], default = 5 }", "")
        + 'price = { rule = "per_second", amount = "1" }',
        "mine: price.rule: mode text has no duration",
    ),
    "variants": (
        WHOLE + 'price = "1"\nvariants = [{ name = "a" }, { name = "a" }]',
        "mine: variants",
    ),
    "sibling": (WHOLE + 'price = "1"\nsiblings = { image = "other" }', "mine: siblings"),
    "cache dearer than no cache": (
        MODEL.replace('"video"', '"text"')
        + OFFERING.replace('shape = "s"', "")
        + 'price = { rule = "per_llm_token", input = "1", cached = "2", output = "3" }',
        "mine: price.cached",
    ),
    "twice": (WHOLE + 'price = "1"' + OFFERING + 'price = "1"', "portico:mine is there twice"),
}


def catalogue_of(*texts: str) -> Catalogue:
    return build([{f"{i}.toml": read_text(f"{i}.toml", text)} for i, text in enumerate(texts)])


def mine(resolution: str = "720p") -> MediaJob:
    return MediaJob(
        offering="portico:mine",
        model="m",
        kind=Kind.VIDEO,
        mode=Mode.TEXT,
        params={"duration": 5, "resolution": resolution},
    )


@pytest.mark.parametrize(("text", "told"), MISTAKES.values(), ids=MISTAKES.keys())
def test_mistake_is_told_with_file_and_field(text: str, told: str, tmp_path: Path):
    (tmp_path / "mine.toml").write_text(text, "utf-8")

    with pytest.raises(ValueError, match=rf"^.*{re.escape(told)}") as caught:
        load(tmp_path)

    assert str(caught.value).startswith("mine.toml: ")


def test_the_same_text_without_mistakes_is_sold():
    catalogue = catalogue_of(WHOLE + 'price = "1"')

    assert [one.id for one in catalogue.offerings("portico")] == ["portico:mine"]
    assert catalogue.offering("portico:mine").title == "M"


def test_operators_file_replaces_an_offering_and_keeps_the_others(tmp_path: Path):
    text = MODEL + SHAPE + OFFERING.replace('"mine"', '"portico/scene"') + 'price = "7"'
    (tmp_path / "mine.toml").write_text(text, "utf-8")

    catalogue = load(tmp_path)
    job = catalogue.resolve(ask("portico", "portico/scene", duration=10))

    assert job.model == "m"
    assert catalogue.quote(job, at=AT).amount == 7_000_000
    assert catalogue.resolve(ask("openai", "portico/scene")).model == "portico-scene"
    assert len(catalogue.offerings("portico")) == len(load().offerings("portico"))


def test_operators_file_replaces_a_model_under_everything_sold_with_it(tmp_path: Path):
    text = MODEL.replace('"m"', '"wan-2.5"').replace('"local"', '"dashscope"')
    (tmp_path / "mine.toml").write_text(text, "utf-8")

    catalogue = load(tmp_path)
    job = catalogue.resolve(ask("apixo", "wan-2-5"))

    assert [route.provider for route in catalogue.model(job.model).routes] == ["dashscope"]


def test_replacing_an_offering_replaces_all_its_variants(tmp_path: Path):
    text = (
        MODEL
        + SHAPE
        + OFFERING.replace('"portico"', '"xiaoyang"').replace('"mine"', '"seedance_v20"')
        + 'price = "1"\nvariants = [{ name = "only" }]'
    )
    (tmp_path / "mine.toml").write_text(text, "utf-8")

    sold = load(tmp_path).offerings("xiaoyang")

    assert [one.variant for one in sold if one.name == "seedance_v20"] == ["only"]


def test_disabled_offering_is_neither_listed_nor_resolved():
    catalogue = catalogue_of(WHOLE + 'price = "1"\nenabled = false')

    assert catalogue.offerings("portico") == ()
    with pytest.raises(PorticoError) as caught:
        catalogue.resolve(ask("portico", "mine"))
    assert caught.value.code is ErrorCode.UNKNOWN_MODEL


def test_price_changes_on_its_date():
    catalogue = catalogue_of(
        WHOLE
        + """
price = [
  { amount = "2", from = 2026-01-01T00:00:00Z },
  { amount = "1", to = 2026-01-01T00:00:00Z },
]"""
    )
    new_year = 1_767_225_600_000

    assert catalogue.quote(mine(), at=new_year - 1).amount == 1_000_000
    assert catalogue.quote(mine(), at=new_year).amount == 2_000_000


def test_matrix_of_resolution_and_mode_prices_what_the_file_says():
    catalogue = catalogue_of(
        WHOLE
        + """
[offerings.price]
rule = "per_second"
matrix = [{ resolution = "720P", amount = "1" }, { resolution = "1080p", amount = "2.5" }]
"""
    )

    assert catalogue.quote(mine(), at=AT).amount == 5_000_000
    assert catalogue.quote(mine(resolution="1080p"), at=AT).amount == 12_500_000


def test_variant_replaces_the_amount_and_keeps_the_rest_of_the_price():
    catalogue = catalogue_of(
        WHOLE
        + """
price = { amount = "9", minimum = "3" }
variants = [{ name = "plain" }, { name = "low", amount = "1" }, { name = "own", price = "2" }]
"""
    )

    amounts = {
        variant: catalogue.quote(
            catalogue.resolve(ask("portico", "mine", variant=variant)), at=AT
        ).amount
        for variant in ("plain", "low", "own")
    }

    assert amounts == {"plain": 9_000_000, "low": 3_000_000, "own": 2_000_000}


def test_first_frame_of_a_video_is_not_taken_for_a_reference():
    shape = SHAPE.replace("modes.text]", "modes.reference]\ninputs = { reference_image = [1, 9] }")
    catalogue = catalogue_of(MODEL + shape + OFFERING + 'price = "1"')

    with pytest.raises(PorticoError) as caught:
        catalogue.resolve(ask("portico", "mine", IMAGE))
    assert (caught.value.code, caught.value.param) == (
        ErrorCode.UNSUPPORTED_OPTION,
        "first_frame",
    )


def test_required_parameter_must_be_given():
    catalogue = catalogue_of(WHOLE + 'price = "1"\nparams = { seed = { required = true } }')

    assert catalogue.resolve(ask("portico", "mine", seed="7")).params["seed"] == 7
    with pytest.raises(PorticoError) as caught:
        catalogue.resolve(ask("portico", "mine"))
    assert (caught.value.code, caught.value.param) == (ErrorCode.INVALID_REQUEST, "seed")


def test_sibling_of_another_price_is_not_taken_silently():
    shape = SHAPE + "[shapes.s.modes.image]\ninputs = { first_frame = [1, 1] }\n"
    text = MODEL + shape + OFFERING + 'modes = ["text"]\nsiblings = { image = "other" }\n'
    other = OFFERING.replace('"mine"', '"other"') + 'modes = ["image"]\n'
    same = catalogue_of(text + 'price = "1"' + other + 'price = "1"')
    dearer = catalogue_of(text + 'price = "1"' + other + 'price = "2"')

    assert same.resolve(ask("portico", "mine", IMAGE)).offering == "portico:other"
    with pytest.raises(PorticoError) as caught:
        dearer.resolve(ask("portico", "mine", IMAGE))
    assert caught.value.code is ErrorCode.UNSUPPORTED_OPTION


ROUTES = """routes = [
  { provider = "local", upstream_model = "scene", upstream_cost = "3" },
  { provider = "ark", upstream_model = "a", first_party = true, region = "cn", weight = 3 },
  { provider = "reseller", upstream_model = "b", credential = "r1", modes = ["text", "image"] },
  { provider = "upscaler", upstream_model = "c", stages = ["enhance"] },
]"""


def test_routes_are_read_with_everything_they_may_say():
    model = re.sub(r"routes = .*", lambda _: ROUTES, MODEL)
    catalogue = catalogue_of(model + SHAPE + OFFERING + 'price = "1"')

    local, ark, reseller, upscaler = catalogue.model("m").routes

    assert (local.costs, local.weight) == ((Cost(amount=3 * MICRO),), 1)
    assert (local.modes, local.stages, local.credential) == (None, None, None)
    assert (ark.first_party, ark.region, ark.weight) == (True, "cn", 3)
    assert (reseller.credential, reseller.modes) == ("r1", frozenset({Mode.TEXT, Mode.IMAGE}))
    assert upscaler.stages == frozenset({"enhance"})


@pytest.mark.parametrize(
    "field", ["modes = []", 'modes = ["dance"]', 'stages = ["polish"]', "speed = 1"]
)
def test_route_with_what_nobody_knows_is_refused(field):
    model = MODEL.replace("upstream_model", f"{field}, upstream_model")
    with pytest.raises(ValueError, match="routes"):
        catalogue_of(model + SHAPE + OFFERING + 'price = "1"')


def test_chats_have_routes_too():
    catalogue = load()

    job = catalogue.resolve_chat(chat("yuanjing", "qwen3-max"))
    routes = catalogue.model(job.model).routes

    assert ("local", "script") in [(route.provider, route.upstream_model) for route in routes]
