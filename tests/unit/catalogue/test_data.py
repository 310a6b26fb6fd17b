"""Lint of the shipped files: everything of the four pages is there, and can be sold."""

from importlib.resources import files
from itertools import product
from pathlib import Path
from time import thread_time

import pytest
from msgspec.structs import replace

from portico.catalogue import LOCAL_PROVIDER, Catalogue, Offering, PromptUse, load
from portico.core.jobs import (
    ChatAsk,
    ChatUsage,
    Kind,
    MediaAsk,
    MediaInput,
    Message,
    Mode,
    ParamValue,
)
from tests.unit.catalogue.asks import AT

DIALECTS = ("xiaoyang", "xpilot", "apixo", "yuanjing", "openai", "portico")
OFFERINGS = [one for dialect in DIALECTS for one in load().offerings(dialect)]
MEDIA = [
    pytest.param(one, mode, id=f"{one.id} {mode.value}") for one in OFFERINGS for mode in one.modes
]

YUANJING = {
    "o5vfXYD5BURJWRTWpopE5": ("t2v", ["happyhorse-1.0-t2v"]),
    "YjjGgxO_Xma8PWsMjJvps": ("t2v", ["doubao-seedance-2-0-260128"]),
    "TWay-xd0p0pkEX-_Kuhto": (
        "t2v",
        ["dreamina-seedance-2-0-260128", "dreamina-seedance-2-0-fast-260128"],
    ),
    "CrEMkFQfRCmbmopZsCqLj": ("t2v", ["doubao-seedance-1-5-pro-251215"]),
    "u9HZyfDoqU6uKI6M1BTks": ("t2v", ["wan2.6-t2v"]),
    "r0ill7L0s6PtBS8mkmg-7": ("t2v", ["viduq3-pro"]),
    "7y7kfYM0Xasizyi37WvAZ": ("i2v", ["happyhorse-1.0-i2v"]),
    "UeYax4591ytnPcr9eumry": ("i2v", ["doubao-seedance-2-0-260128"]),
    "tb0VSY6WeyGbzaolU1_qE": (
        "i2v",
        ["dreamina-seedance-2-0-260128", "dreamina-seedance-2-0-fast-260128"],
    ),
    "7RTOJD6K8A7RXCMG4GnQ9": ("i2v", ["doubao-seedance-1-5-pro-251215"]),
    "FK_h7FLYnosv2TkMN4ATC": ("i2v", ["viduq3-pro", "viduq2-turbo"]),
    "x4HksKp9mXR1Yv60mw6Py": ("i2v", ["wan2.6-r2v"]),
    "6o9n_7u2K927hNlD8_72f": ("r2v", ["happyhorse-1.0-r2v"]),
    "dmPXF65TD1riKj9KaxLmg": (
        "r2v",
        ["doubao-seedance-2-0-260128", "doubao-seedance-2-0-fast-260128"],
    ),
    "nVbH7lEO51soqTbLGIHE_": (
        "r2v",
        ["dreamina-seedance-2-0-260128", "dreamina-seedance-2-0-fast-260128"],
    ),
}

XIAOYANG = {
    "img2vid_v30": {"5_off", "5_on", "10_off", "10_on"},
    "seedance_v20": {
        f"{resolution}_{duration}_{sound}"
        for resolution in ("480p", "720p", "1080p")
        for duration in (5, 10)
        for sound in ("off", "on")
    },
    "motion_v30": {"default"},
    "ai_wardrobe": {"default"},
    "enhance_image": {"default"},
    "enhance_video": {"default"},
}


@pytest.mark.parametrize(("llmid", "row"), YUANJING.items(), ids=YUANJING.keys())
def test_every_row_of_yuanjings_tables_is_sold(
    llmid: str, row: tuple[str, list[str]], catalogue: Catalogue
):
    function, models = row
    sold = {one.variant: one for one in catalogue.offerings("yuanjing") if one.name == llmid}

    assert set(models) <= set(sold)
    assert {one.function for one in sold.values()} == {function}
    assert [one.variant for one in sold.values() if one.is_default] == models[:1]


def test_every_option_of_xiaoyang_is_sold(catalogue: Catalogue):
    sold: dict[str, set[str | None]] = {}
    for one in catalogue.offerings("xiaoyang"):
        sold.setdefault(one.name, set()).add(one.variant)

    assert sold == XIAOYANG


def test_option_settles_resolution_duration_and_sound_as_it_reads(catalogue: Catalogue):
    for one in catalogue.offerings("xiaoyang"):
        if one.name != "seedance_v20":
            continue
        (rules,) = one.modes.values()
        sound = "on" if rules.defaults["audio"] else "off"
        option = f"{rules.defaults['resolution']}_{rules.defaults['duration']}_{sound}"
        assert option == one.variant


def test_row_marked_not_enabled_is_known_but_not_sold(catalogue: Catalogue):
    row = catalogue.offering("yuanjing:YjjGgxO_Xma8PWsMjJvps/eedance2.0")

    assert not row.enabled
    assert row not in catalogue.offerings("yuanjing")


@pytest.mark.parametrize("dialect", ["portico", "openai"])
def test_portico_and_openai_sell_the_same_things(dialect: str, catalogue: Catalogue):
    assert {one.name for one in catalogue.offerings(dialect)} == {
        "portico/scene",
        "portico/scene-fast",
        "portico/picture",
        "portico/enhance-image",
        "portico/enhance-video",
        "portico-echo",
        "gpt-4o",
        "gpt-4o-mini",
        "qwen3-max",
        "qwen-plus",
        "seedance-2.0",
        "seedance-2.0-fast",
        "seedance-1.5-pro",
        "wan-2.6",
        "wan-2.5",
        "vidu-q3-pro",
        "vidu-q2-turbo",
        "happyhorse-1.0",
        "seedream-4.5",
    }


def test_xpilot_and_apixo_sell_what_their_pages_name(catalogue: Catalogue):
    names = {one.name for one in catalogue.offerings("xpilot")}

    assert names >= {
        "openai/gpt-4o",
        "seedance-2.0/text-to-video",
        "seedance-2.0/image-to-video",
        "wan-2.6/text-to-video",
        "wan-2.6/image-to-video",
        "bytedance/seedream-4.5",
    }
    assert [one.name for one in catalogue.offerings("apixo")] == ["wan-2-5"]


@pytest.mark.parametrize(("offering", "mode"), MEDIA)
def test_offering_is_quotable_at_its_defaults(offering: Offering, mode: Mode, catalogue: Catalogue):
    job = catalogue.resolve(_plainest(offering, mode))
    quote = catalogue.quote(job, at=AT)

    assert (job.offering, job.mode) == (offering.id, mode)
    assert job.params == offering.modes[mode].defaults
    assert 0 < quote.amount == sum(line.credits for line in quote.lines)


@pytest.mark.parametrize(("offering", "mode"), MEDIA)
def test_every_single_allowed_value_is_quotable(
    offering: Offering, mode: Mode, catalogue: Catalogue
):
    for name, value in _choices(offering, mode):
        job = catalogue.resolve(_plainest(offering, mode, **{name: value}))
        assert job.params.get(name) == value or offering.modes[mode].params[name].ignored
        assert catalogue.quote(job, at=AT).amount > 0


@pytest.mark.parametrize(("offering", "mode"), MEDIA)
def test_dearest_combination_stays_within_the_ceiling(
    offering: Offering, mode: Mode, catalogue: Catalogue
):
    rules = offering.modes[mode]
    axes = {
        name: param.values or ((param.maximum,) if param.maximum else (True, False))
        for name, param in rules.params.items()
        if name in {"duration", "resolution", "size", "audio", "enhance"} and not param.replaces
    }
    inputs = tuple(
        MediaInput(rule.role, url="https://media.test/a")
        for rule in rules.inputs.values()
        for _ in range(rule.maximum)
    )
    for values in product(*axes.values()):
        given = dict(zip(axes, values, strict=True))
        job = catalogue.resolve(replace(_plainest(offering, mode, **given), inputs=inputs))
        assert catalogue.quote(job, at=AT).amount > 0


@pytest.mark.parametrize(
    "offering", [one for one in OFFERINGS if one.kind is Kind.TEXT], ids=lambda one: one.id
)
def test_text_is_quotable_and_never_costs_more_than_its_quote(
    offering: Offering, catalogue: Catalogue
):
    messages = (Message("user", "hello"),)
    job = catalogue.resolve_chat(
        ChatAsk(dialect=offering.dialect, name=offering.name, messages=messages)
    )
    quote = catalogue.quote_chat(job, input_tokens=10, at=AT)

    assert 0 < quote.amount == sum(line.credits for line in quote.lines)
    assert catalogue.price_chat(job, ChatUsage(10, job.max_tokens), at=AT) == quote.amount
    assert catalogue.price_chat(job, ChatUsage(10, 1, 4), at=AT) <= quote.amount


def test_every_model_can_be_made_with_nothing_connected(catalogue: Catalogue):
    assert all(
        any(route.provider == LOCAL_PROVIDER for route in model.routes) and model.deadline_s == 1800
        for model in catalogue.models()
    )


def test_demonstrations_are_marked(catalogue: Catalogue):
    marked = {model.id for model in catalogue.models() if model.preview}

    assert marked == {"motion-v30", "ai-wardrobe"}


def test_every_model_is_sold_somewhere(catalogue: Catalogue):
    assert {one.model for one in OFFERINGS} == {model.id for model in catalogue.models()}


def test_every_shipped_file_is_installed_with_the_package():
    shipped = files("portico.catalogue") / "models"

    assert sum(path.name.endswith(".toml") for path in shipped.iterdir()) >= 11


def test_loading_is_quick(tmp_path):
    best = min(_load_s(tmp_path) for _ in range(5))

    assert best < 0.15  # aimed at 0.05; leaves room for a busy machine


def _load_s(extra: Path) -> float:
    begun = thread_time()
    load(extra)
    return thread_time() - begun


def _plainest(offering: Offering, mode: Mode, **given: object) -> MediaAsk:
    rules = offering.modes[mode]
    inputs = tuple(
        MediaInput(rule.role, url="https://media.test/a")
        for rule in rules.inputs.values()
        for _ in range(rule.minimum)
    )
    prompt = "" if rules.prompt is not PromptUse.REQUIRED else "a cat"
    return MediaAsk(
        dialect=offering.dialect,
        name=offering.name,
        variant=offering.variant,
        prompt=prompt,
        given=given,
        inputs=inputs,
    )


def _choices(offering: Offering, mode: Mode) -> list[tuple[str, ParamValue]]:
    found: list[tuple[str, ParamValue]] = []
    for name, param in offering.modes[mode].params.items():
        bounds = [value for value in (param.minimum, param.maximum) if value is not None]
        found += [(name, value) for value in (*param.values, *bounds)]
        if param.type.value == "boolean" and not param.values:
            found += [(name, True), (name, False)]
    return found
