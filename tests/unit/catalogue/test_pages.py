"""Every request sample of the four vendors' pages, with what it resolves to and costs."""

from typing import NamedTuple

import pytest

from portico.catalogue import Catalogue
from portico.core.jobs import ChatUsage, Kind, MediaAsk, Mode, ParamValue, Role
from portico.core.money import MICRO, parse_credits
from tests.unit.catalogue.asks import AT, IMAGE, ask, chat

LAST, REFERENCE = Role.LAST_FRAME, Role.REFERENCE_IMAGE


class Sample(NamedTuple):
    ask: MediaAsk
    mode: Mode
    params: dict[str, ParamValue]
    credits: str


SAMPLES = {
    "xiaoyang img2vid": Sample(
        ask("xiaoyang", "img2vid_v30", IMAGE, variant="5_off"),
        Mode.IMAGE,
        {"duration": 5, "audio": False, "enhance": False},
        "30",
    ),
    "xiaoyang motion": Sample(
        ask(
            "xiaoyang",
            "motion_v30",
            IMAGE,
            Role.MOTION_VIDEO,
            variant="default",
            motion_orientation="video",
        ),
        Mode.MOTION,
        {"motion_orientation": "video", "enhance": False},
        "60",
    ),
    "xiaoyang seedance": Sample(
        ask("xiaoyang", "seedance_v20", IMAGE, variant="720p_5_off", ratio="16:9"),
        Mode.IMAGE,
        {"duration": 5, "resolution": "720p", "audio": False, "ratio": "16:9", "enhance": False},
        "72",
    ),
    "xiaoyang wardrobe": Sample(
        ask(
            "xiaoyang",
            "ai_wardrobe",
            IMAGE,
            Role.GARMENT,
            prompt="",
            variant="default",
            wardrobe_part="upper",
        ),
        Mode.WARDROBE,
        {"wardrobe_part": "upper"},
        "1",
    ),
    "xpilot video": Sample(
        ask(
            "xpilot",
            "seedance-2.0/text-to-video",
            kind=Kind.VIDEO,
            duration=8,
            ratio="16:9",
            audio=True,
            lock_camera=False,
        ),
        Mode.TEXT,
        {"duration": 8, "ratio": "16:9", "audio": True, "lock_camera": False},
        "300",
    ),
    "xpilot image": Sample(
        ask("xpilot", "bytedance/seedream-4.5", kind=Kind.IMAGE, ratio="16:9"),
        Mode.TEXT,
        {"ratio": "16:9"},
        "5",
    ),
    "apixo text-to-video": Sample(
        ask(
            "apixo",
            "wan-2-5",
            mode=Mode.TEXT,
            resolution="1080p",
            duration=10,
            ratio="16:9",
            negative_prompt="low quality, blurry",
            prompt_expansion=True,
        ),
        Mode.TEXT,
        {
            "resolution": "1080p",
            "duration": 10,
            "ratio": "16:9",
            "negative_prompt": "low quality, blurry",
            "prompt_expansion": True,
        },
        "150",
    ),
    "apixo image-to-video": Sample(
        ask(
            "apixo",
            "wan-2-5",
            IMAGE,
            mode=Mode.IMAGE,
            resolution="720p",
            duration=5,
            prompt_expansion=False,
            seed=42,
        ),
        Mode.IMAGE,
        {"resolution": "720p", "duration": 5, "prompt_expansion": False, "seed": 42},
        "50",
    ),
    "yuanjing seedance 1.5 from text": Sample(
        ask("yuanjing", "CrEMkFQfRCmbmopZsCqLj", duration=5, ratio="16:9", resolution="480p"),
        Mode.TEXT,
        {"duration": 5, "ratio": "16:9", "resolution": "480p"},
        "25",
    ),
    "yuanjing happyhorse t2v id with a picture (D14)": Sample(
        ask("yuanjing", "o5vfXYD5BURJWRTWpopE5", IMAGE, duration="15", resolution="720P"),
        Mode.IMAGE,
        {"duration": 15, "resolution": "720p"},
        "180",
    ),
    "yuanjing seedance 1.5 with two pictures and a foreign model (D14, D15)": Sample(
        ask(
            "yuanjing",
            "CrEMkFQfRCmbmopZsCqLj",
            IMAGE,
            LAST,
            variant="dreamina-seedance-2-0-260128",
            duration="5",
            ratio="16:9",
            resolution="480p",
        ),
        Mode.FIRST_LAST,
        {"duration": 5, "ratio": "16:9", "resolution": "480p"},
        "25",
    ),
    "yuanjing seedance 2.0 by reference": Sample(
        ask(
            "yuanjing",
            "dmPXF65TD1riKj9KaxLmg",
            REFERENCE,
            REFERENCE,
            variant="doubao-seedance-2-0-260128",
            ratio="4:3",
            resolution="720p",
            duration="4",
        ),
        Mode.REFERENCE,
        {"duration": 4, "ratio": "4:3", "resolution": "720p"},
        "60",
    ),
    "yuanjing vidu, as its usage sample says": Sample(
        ask("yuanjing", "r0ill7L0s6PtBS8mkmg-7", resolution="540p", off_peak="N", duration=1),
        Mode.TEXT,
        {"resolution": "540p", "off_peak": False, "duration": 1, "ratio": "16:9"},
        "10",
    ),
}


@pytest.mark.parametrize("sample", SAMPLES.values(), ids=SAMPLES.keys())
def test_sample_of_the_page_resolves_as_documented(sample: Sample, catalogue: Catalogue):
    job = catalogue.resolve(sample.ask)

    assert job.mode is sample.mode
    assert job.params == sample.params
    assert catalogue.quote(job, at=AT).amount == parse_credits(sample.credits)


def test_replay_of_xpilots_page_leaves_4694_cents(catalogue: Catalogue):
    video = catalogue.resolve(SAMPLES["xpilot video"].ask)
    image = catalogue.resolve(SAMPLES["xpilot image"].ask)
    text = catalogue.resolve_chat(chat("xpilot", "openai/gpt-4o", max_tokens=280))
    costs = [
        catalogue.quote(video, at=AT).amount,
        catalogue.quote(image, at=AT).amount,
        catalogue.price_chat(text, ChatUsage(15, 42), at=AT),
    ]

    balances = [5000 - sum(costs[: i + 1]) // MICRO for i in range(3)]

    assert balances == [4700, 4695, 4694]
    assert not any(cost % MICRO for cost in costs)


def test_xpilots_page_shows_exactly_these_fields_of_seedance(catalogue: Catalogue):
    assert catalogue.offering("xpilot:seedance-2.0/text-to-video").display == {
        "label": "Seedance 2.0",
        "tier": "premium",
        "supports_audio": True,
        "supports_lock_camera": True,
        "durations": [4, 8, 12],
        "cost_cents_per_5s": 300,
        "mode": "text-to-video",
        "provider": "seedance",
    }


DEFAULTS = [
    ("xpilot", "seedance-2.0/text-to-video", (), {"duration": 4, "ratio": "16:9", "audio": False}),
    ("xpilot", "wan-2.6/text-to-video", (), {"duration": 5, "audio": False}),
    ("apixo", "wan-2-5", (), {"duration": 5, "resolution": "720p", "ratio": "16:9"}),
    ("apixo", "wan-2-5", (), {"prompt_expansion": True}),
    ("yuanjing", "o5vfXYD5BURJWRTWpopE5", (), {"duration": 5, "resolution": "720p"}),
    ("yuanjing", "o5vfXYD5BURJWRTWpopE5", (), {"ratio": "adaptive"}),
    ("yuanjing", "7y7kfYM0Xasizyi37WvAZ", (IMAGE,), {"duration": 5, "resolution": "720p"}),
    ("yuanjing", "6o9n_7u2K927hNlD8_72f", (REFERENCE,), {"duration": 12, "resolution": "1080p"}),
    ("yuanjing", "YjjGgxO_Xma8PWsMjJvps", (), {"duration": 5, "resolution": "720p"}),
    ("yuanjing", "UeYax4591ytnPcr9eumry", (IMAGE, LAST), {"duration": 5, "ratio": "adaptive"}),
    ("yuanjing", "nVbH7lEO51soqTbLGIHE_", (REFERENCE,), {"duration": 12, "resolution": "1080p"}),
    ("yuanjing", "7RTOJD6K8A7RXCMG4GnQ9", (IMAGE,), {"duration": 12, "resolution": "1080p"}),
    ("yuanjing", "u9HZyfDoqU6uKI6M1BTks", (), {"duration": 15, "size": "1920x1080"}),
    ("yuanjing", "u9HZyfDoqU6uKI6M1BTks", (), {"negative_prompt": ""}),
    ("yuanjing", "x4HksKp9mXR1Yv60mw6Py", (IMAGE, LAST), {"duration": 15, "size": "1920x1080"}),
    ("yuanjing", "r0ill7L0s6PtBS8mkmg-7", (), {"duration": 10, "resolution": "1080p"}),
    ("yuanjing", "FK_h7FLYnosv2TkMN4ATC", (IMAGE,), {"ratio": "16:9", "off_peak": False}),
    ("portico", "portico/scene", (), {"duration": 5, "resolution": "720p", "ratio": "16:9"}),
]


@pytest.mark.parametrize(("dialect", "name", "roles", "expected"), DEFAULTS)
def test_defaults_are_as_tabled_for_model_and_mode(
    dialect: str,
    name: str,
    roles: tuple[Role, ...],
    expected: dict[str, ParamValue],
    catalogue: Catalogue,
):
    params = catalogue.resolve(ask(dialect, name, *roles)).params

    assert expected.items() <= params.items()


@pytest.mark.parametrize(
    "name", ["6o9n_7u2K927hNlD8_72f", "dmPXF65TD1riKj9KaxLmg", "nVbH7lEO51soqTbLGIHE_"]
)
def test_ratio_has_no_default_by_reference(name: str, catalogue: Catalogue):
    assert "ratio" not in catalogue.resolve(ask("yuanjing", name, REFERENCE)).params
