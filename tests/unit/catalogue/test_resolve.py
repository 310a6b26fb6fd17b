"""Resolving an ask: names, modes by the inputs given, refusals, and what is left out."""

from time import thread_time

import pytest

from portico.catalogue import Catalogue
from portico.core.errors import ErrorCode, PorticoError
from portico.core.jobs import Kind, MediaAsk, Mode, Role, RouteClass
from tests.unit.catalogue.asks import AT, IMAGE, ask

LAST, REFERENCE, MOTION = Role.LAST_FRAME, Role.REFERENCE_IMAGE, Role.MOTION_VIDEO
UNKNOWN, INVALID = ErrorCode.UNKNOWN_MODEL, ErrorCode.INVALID_REQUEST
UNSUPPORTED = ErrorCode.UNSUPPORTED_OPTION
HORSE_T2V, HORSE_I2V = "o5vfXYD5BURJWRTWpopE5", "7y7kfYM0Xasizyi37WvAZ"
SEEDANCE_T2V, SEEDANCE_R2V = "YjjGgxO_Xma8PWsMjJvps", "dmPXF65TD1riKj9KaxLmg"
VIDU_T2V, VIDU_I2V = "r0ill7L0s6PtBS8mkmg-7", "FK_h7FLYnosv2TkMN4ATC"
WAN_T2V = "u9HZyfDoqU6uKI6M1BTks"
T2V, I2V = "seedance-2.0/text-to-video", "seedance-2.0/image-to-video"
WAN26 = "wan-2.6/text-to-video"
SEEDREAM = "bytedance/seedream-4.5"

REFUSED = {
    # names
    "modal": (ask("xiaoyang", "nope", IMAGE, variant="default"), UNKNOWN, "model"),
    "option": (ask("xiaoyang", "img2vid_v30", IMAGE, variant="7_off"), INVALID, "variant"),
    "option of a single-option modal": (
        ask("xiaoyang", "ai_wardrobe", IMAGE, Role.GARMENT, variant="5_off"),
        INVALID,
        "variant",
    ),
    "no option": (ask("xiaoyang", "img2vid_v30", IMAGE), INVALID, "variant"),
    "no name": (ask("xpilot", None, kind=Kind.VIDEO), INVALID, "model"),
    "another dialect's name": (ask("apixo", T2V), UNKNOWN, "model"),
    "an image model asked for video": (ask("xpilot", SEEDREAM, kind=Kind.VIDEO), UNKNOWN, "model"),
    "a text model asked for video": (ask("xpilot", "openai/gpt-4o"), UNKNOWN, "model"),
    "D15 foreign model under an id with several": (
        ask("yuanjing", SEEDANCE_T2V, variant="viduq3-pro"),
        INVALID,
        "variant",
    ),
    "D16 not enabled": (ask("yuanjing", SEEDANCE_T2V, variant="eedance2.0"), UNKNOWN, "model"),
    "D17 ambiguous model": (
        ask("yuanjing", None, variant="doubao-seedance-2-0-260128"),
        INVALID,
        "model",
    ),
    "D17 model of another function": (
        ask("yuanjing", None, variant="wan2.6-t2v", function="i2v"),
        UNKNOWN,
        "model",
    ),
    # inputs and modes
    "image required": (ask("xiaoyang", "img2vid_v30", variant="5_off"), INVALID, "first_frame"),
    "motion video required": (
        ask("xiaoyang", "motion_v30", IMAGE, variant="default"),
        INVALID,
        "motion_video",
    ),
    "garment required": (
        ask("xiaoyang", "ai_wardrobe", IMAGE, variant="default"),
        INVALID,
        "garment",
    ),
    "video required": (
        ask("xiaoyang", "enhance_video", IMAGE, variant="default"),
        UNSUPPORTED,
        "first_frame",
    ),
    "C10 image mode without": (ask("apixo", "wan-2-5", mode=Mode.IMAGE), INVALID, "first_frame"),
    "C10 text mode with": (
        ask("apixo", "wan-2-5", IMAGE, mode=Mode.TEXT),
        UNSUPPORTED,
        "first_frame",
    ),
    "C11 two images": (ask("apixo", "wan-2-5", IMAGE, IMAGE), INVALID, "first_frame"),
    "B12 t2i with": (ask("xpilot", SEEDREAM, IMAGE, mode=Mode.TEXT), UNSUPPORTED, REFERENCE.value),
    "B12 i2i without": (ask("xpilot", SEEDREAM, mode=Mode.IMAGE), INVALID, REFERENCE.value),
    "a mode it lacks": (ask("xpilot", SEEDREAM, mode=Mode.MOTION), UNSUPPORTED, "mode"),
    "B4 but text is asked for": (
        ask("xpilot", T2V, IMAGE, mode=Mode.TEXT),
        UNSUPPORTED,
        "first_frame",
    ),
    "i2v without": (ask("xpilot", I2V), INVALID, "first_frame"),
    "happyhorse i2v without": (ask("yuanjing", HORSE_I2V), INVALID, "first_frame"),
    "happyhorse takes first frames only": (
        ask("yuanjing", HORSE_I2V, IMAGE, LAST),
        UNSUPPORTED,
        "last_frame",
    ),
    "last frame alone": (ask("yuanjing", VIDU_I2V, LAST), INVALID, "first_frame"),
    "reference without": (ask("yuanjing", SEEDANCE_R2V), INVALID, REFERENCE.value),
    "ten references": (ask("yuanjing", SEEDANCE_R2V, *[REFERENCE] * 10), INVALID, REFERENCE.value),
    "both kinds of pictures": (
        ask("yuanjing", SEEDANCE_R2V, IMAGE, REFERENCE),
        UNSUPPORTED,
        "first_frame",
    ),
    # options
    "B1 duration": (ask("xpilot", T2V, duration=5), INVALID, "duration"),
    "B17 lock_camera": (ask("xpilot", WAN26, lock_camera=True), UNSUPPORTED, "lock_camera"),
    "C12 480p": (ask("apixo", "wan-2-5", resolution="480p"), INVALID, "resolution"),
    "seed": (ask("apixo", "wan-2-5", seed=-1), INVALID, "seed"),
    "D29 duration": (ask("yuanjing", VIDU_T2V, duration=17), INVALID, "duration"),
    "vidu ratio": (ask("yuanjing", VIDU_T2V, ratio="21:9"), INVALID, "ratio"),
    "wan size": (ask("yuanjing", WAN_T2V, size="1920*1081"), INVALID, "size"),
    "happyhorse i2v 480p": (
        ask("yuanjing", HORSE_T2V, IMAGE, resolution="480p"),
        INVALID,
        "resolution",
    ),
    "happyhorse i2v ratio": (
        ask("yuanjing", HORSE_T2V, IMAGE, ratio="16:9"),
        UNSUPPORTED,
        "ratio",
    ),
    "ratio of img2vid": (
        ask("xiaoyang", "img2vid_v30", IMAGE, variant="5_off", ratio="16:9"),
        UNSUPPORTED,
        "ratio",
    ),
    "A16 orientation": (
        ask("xiaoyang", "motion_v30", IMAGE, MOTION, variant="default", motion_orientation="up"),
        INVALID,
        "motion_orientation",
    ),
    "A16 part": (
        ask("xiaoyang", "ai_wardrobe", IMAGE, Role.GARMENT, variant="default", wardrobe_part="hat"),
        INVALID,
        "wardrobe_part",
    ),
    "enhance": (
        ask("xiaoyang", "img2vid_v30", IMAGE, variant="5_off", enhance="maybe"),
        INVALID,
        "enhance",
    ),
    "a name that is none": (ask("apixo", "wan-2-5", sparkle=True), UNSUPPORTED, "sparkle"),
    "size and resolution": (
        ask("openai", "portico/scene", size="1280x720", resolution="720p"),
        INVALID,
        "resolution",
    ),
    # prompts
    "no prompt": (ask("apixo", "wan-2-5", prompt=""), INVALID, "prompt"),
    "blank prompt": (ask("xpilot", T2V, prompt=" \n\t"), INVALID, "prompt"),
    "long prompt": (ask("yuanjing", VIDU_T2V, prompt="x" * 10_001), INVALID, "prompt"),
}


@pytest.mark.parametrize(("request_", "code", "param"), REFUSED.values(), ids=REFUSED.keys())
def test_what_cannot_be_honoured_is_refused_by_name(
    request_: MediaAsk, code: ErrorCode, param: str, catalogue: Catalogue
):
    with pytest.raises(PorticoError) as caught:
        catalogue.resolve(request_)

    assert (caught.value.code, caught.value.param) == (code, param)


MODES = {
    "no picture": (ask("yuanjing", VIDU_I2V), Mode.TEXT),
    "one": (ask("yuanjing", VIDU_T2V, IMAGE), Mode.IMAGE),
    "two": (ask("yuanjing", VIDU_T2V, IMAGE, LAST), Mode.FIRST_LAST),
    "references, by a t2v id": (ask("yuanjing", HORSE_T2V, REFERENCE), Mode.REFERENCE),
    "references of three kinds": (
        ask("yuanjing", SEEDANCE_R2V, REFERENCE, Role.REFERENCE_VIDEO, Role.REFERENCE_AUDIO),
        Mode.REFERENCE,
    ),
    "a first frame, by an r2v id": (ask("yuanjing", SEEDANCE_R2V, IMAGE), Mode.IMAGE),
    "C10 no mode": (ask("apixo", "wan-2-5", IMAGE), Mode.IMAGE),
    "B12 no mode": (ask("xpilot", SEEDREAM, REFERENCE, REFERENCE), Mode.IMAGE),
}


@pytest.mark.parametrize(("request_", "mode"), MODES.values(), ids=MODES.keys())
def test_inputs_choose_the_mode(request_: MediaAsk, mode: Mode, catalogue: Catalogue):
    assert catalogue.resolve(request_).mode is mode


def test_text_to_video_id_with_a_picture_becomes_its_sibling_at_the_same_price(
    catalogue: Catalogue,
):
    job = catalogue.resolve(ask("xpilot", T2V, IMAGE, kind=Kind.VIDEO, duration=8))

    assert job.offering == f"xpilot:{I2V}"
    assert job.mode is Mode.IMAGE
    assert catalogue.quote(job, at=AT).amount == 300_000_000


HARMLESS = {
    "A14 enhance of a model without": ask(
        "xiaoyang", "ai_wardrobe", IMAGE, Role.GARMENT, variant="default", enhance=True
    ),
    "ratio adaptive": ask("xiaoyang", "img2vid_v30", IMAGE, variant="5_off", ratio="adaptive"),
    "no lock": ask("xpilot", WAN26, lock_camera=False),
    "C13 ratio with a picture": ask("apixo", "wan-2-5", IMAGE, ratio="anything"),
    "not said": ask("apixo", "wan-2-5", lock_camera=None),
    "no negative prompt": ask("xpilot", T2V, negative_prompt=""),
}


@pytest.mark.parametrize("request_", HARMLESS.values(), ids=HARMLESS.keys())
def test_what_asks_for_nothing_changes_nothing(request_: MediaAsk, catalogue: Catalogue):
    without = MediaAsk(
        dialect=request_.dialect,
        name=request_.name,
        variant=request_.variant,
        prompt=request_.prompt,
        inputs=request_.inputs,
    )

    assert catalogue.resolve(request_) == catalogue.resolve(without)


@pytest.mark.parametrize("name", ["ai_wardrobe", "enhance_image"])
def test_prompt_is_neither_needed_nor_kept_where_the_page_says_so(name: str, catalogue: Catalogue):
    roles = (IMAGE, Role.GARMENT) if name == "ai_wardrobe" else (IMAGE,)
    request = ask("xiaoyang", name, *roles, variant="default", prompt="x" * 20_000)

    assert catalogue.resolve(request).prompt == ""


@pytest.mark.parametrize(
    ("name", "roles", "expected"),
    [
        ("enhance_image", (IMAGE,), (Role.SOURCE_IMAGE,)),
        ("enhance_video", (MOTION,), (Role.SOURCE_VIDEO,)),
        ("ai_wardrobe", (IMAGE, Role.GARMENT), (Role.SOURCE_IMAGE, Role.GARMENT)),
        ("motion_v30", (Role.SOURCE_IMAGE, Role.SOURCE_VIDEO), (IMAGE, MOTION)),
    ],
)
def test_inputs_take_the_role_the_offering_knows_them_by(
    name: str, roles: tuple[Role, ...], expected: tuple[Role, ...], catalogue: Catalogue
):
    job = catalogue.resolve(ask("xiaoyang", name, *roles, variant="default"))

    assert tuple(item.role for item in job.inputs) == expected
    assert [item.url for item in job.inputs] == [
        f"https://media.test/{i}" for i in range(len(roles))
    ]


def test_enhancing_adds_a_stage_and_a_surcharge(catalogue: Catalogue):
    plain = ask("xiaoyang", "seedance_v20", IMAGE, variant="720p_5_off")
    enhanced = ask("xiaoyang", "seedance_v20", IMAGE, variant="720p_5_off", enhance="true")

    job = catalogue.resolve(enhanced)

    assert catalogue.resolve(plain).stages == ("generate",)
    assert job.stages == ("generate", "enhance")
    assert [line.label for line in catalogue.quote(job, at=AT).lines] == [
        "flat price",
        "enhanced to 2K",
    ]
    assert catalogue.quote(job, at=AT).amount == 92_000_000


def test_size_takes_the_place_of_resolution_and_ratio(catalogue: Catalogue):
    params = catalogue.resolve(ask("openai", "portico/scene", size="720*1280")).params

    assert params["size"] == "720x1280"
    assert not {"resolution", "ratio"} & params.keys()


def test_old_ratio_is_read_as_adaptive(catalogue: Catalogue):
    request = ask("yuanjing", "CrEMkFQfRCmbmopZsCqLj", ratio="keep_ratio")

    assert catalogue.resolve(request).params["ratio"] == "adaptive"


def test_model_name_alone_is_enough_when_it_means_one_thing(catalogue: Catalogue):
    named = catalogue.resolve(ask("yuanjing", None, variant="happyhorse-1.0-t2v"))
    chosen = catalogue.resolve(
        ask("yuanjing", None, REFERENCE, variant="doubao-seedance-2-0-260128", function="ref2v")
    )

    assert named.offering == f"yuanjing:{HORSE_T2V}/happyhorse-1.0-t2v"
    assert chosen.offering == f"yuanjing:{SEEDANCE_R2V}/doubao-seedance-2-0-260128"


def test_fast_variant_is_another_model_at_another_price(catalogue: Catalogue):
    fast = catalogue.resolve(
        ask("yuanjing", SEEDANCE_T2V, variant="doubao-seedance-2-0-fast-260128")
    )
    plain = catalogue.resolve(ask("yuanjing", SEEDANCE_T2V))

    assert (plain.model, fast.model) == ("seedance-2.0", "seedance-2.0-fast")
    assert catalogue.quote(fast, at=AT).amount < catalogue.quote(plain, at=AT).amount


@pytest.mark.parametrize(
    ("kind", "offering"),
    [(Kind.VIDEO, "openai:portico/scene"), (Kind.IMAGE, "openai:portico/picture")],
)
def test_openai_callers_need_not_name_a_model(kind: Kind, offering: str, catalogue: Catalogue):
    assert catalogue.resolve(ask("openai", None, kind=kind)).offering == offering


def test_off_peak_halves_vidu(catalogue: Catalogue):
    job = catalogue.resolve(ask("yuanjing", VIDU_T2V, off_peak="Y"))

    assert job.params["off_peak"] is True
    assert catalogue.quote(job, at=AT).amount == 100_000_000


def test_route_class_goes_with_the_job(catalogue: Catalogue):
    request = MediaAsk(
        dialect="apixo", name="wan-2-5", prompt="a cat", route_class=RouteClass.OFFICIAL
    )

    assert catalogue.resolve(request).route_class is RouteClass.OFFICIAL


def test_jobs_do_not_share_their_parameters(catalogue: Catalogue):
    first, second = (catalogue.resolve(ask("apixo", "wan-2-5")) for _ in range(2))

    assert first.params == second.params
    assert first.params is not second.params


def test_unknown_ids_are_unknown_models(catalogue: Catalogue):
    for look_up in (catalogue.offering, catalogue.model):
        with pytest.raises(PorticoError) as caught:
            look_up("nope")
        assert caught.value.code is UNKNOWN


def test_resolving_is_cheap(catalogue: Catalogue):
    request = ask("xpilot", T2V, IMAGE, duration="8", ratio="16:9", audio="true")
    times: list[float] = []
    for _ in range(5):
        begun = thread_time()
        for _ in range(500):
            catalogue.resolve(request)
        times.append((thread_time() - begun) / 500)

    assert min(times) < 150e-6  # aimed at 60 µs; leaves room for a busy machine
