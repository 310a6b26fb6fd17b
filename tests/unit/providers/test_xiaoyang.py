"""What is special about XiaoYang: modals and their options, words for errors, kept results."""

from pathlib import Path
from typing import Any

import pytest

from portico.core.errors import ErrorCode, PorticoError
from portico.core.jobs import Kind, Role
from portico.core.upstreams import Trouble, UpstreamError
from portico.providers.base import Finished, InputFile, Pending
from portico.providers.xiaoyang import XiaoYang
from tests.unit.providers.scripted import job, linked, refusal, wired

TAKEN = {"ok": True, "task_id": "T1", "status": "QUEUED", "credits": 1234}
PICTURE, MOTION = linked(Role.FIRST_FRAME), linked(Role.MOTION_VIDEO, "m.mp4")
PERSON, GARMENT = linked(Role.SOURCE_IMAGE), linked(Role.GARMENT, "g.png")


async def body_of(model: str, *inputs: InputFile, **given: Any) -> Any:
    provider, upstream = wired(XiaoYang, TAKEN)
    assert isinstance(await provider.start(job(model, *inputs, **given), attempt_id="a"), Pending)
    return upstream.body


@pytest.mark.parametrize(
    ("model", "params", "option"),
    [
        ("img2vid_v30", {"duration": 5, "audio": False}, "5_off"),
        ("img2vid_v30", {"duration": 10, "audio": True}, "10_on"),
        ("seedance_v20", {"resolution": "720p", "duration": 5, "audio": False}, "720p_5_off"),
        ("seedance_v20", {"resolution": "1080p", "duration": 10, "audio": True}, "1080p_10_on"),
        ("seedance_v20", {}, "default"),
        ("motion_v30", {}, "default"),
    ],
)
async def test_option_says_what_was_asked(model, params, option):
    assert (await body_of(model, PICTURE, **params))["option_key"] == option


async def test_seedance_is_asked_as_the_page_asks_it():
    params = {"resolution": "720p", "duration": 5, "audio": False, "ratio": "16:9"}
    assert await body_of("seedance_v20", PICTURE, **params) == {
        "modal_key": "seedance_v20",
        "option_key": "720p_5_off",
        "prompt": "sea",
        "image_url": "https://a.example/a.png",
        "ratio": "16:9",
    }


async def test_motion_is_asked_as_the_page_asks_it():
    assert await body_of("motion_v30", PICTURE, MOTION, motion_orientation="video") == {
        "modal_key": "motion_v30",
        "option_key": "default",
        "prompt": "sea",
        "image_url": "https://a.example/a.png",
        "video_url": "https://a.example/m.mp4",
        "motion_orientation": "video",
    }


async def test_wardrobe_is_asked_without_words():
    body = await body_of("ai_wardrobe", PERSON, GARMENT, kind=Kind.IMAGE, wardrobe_part="upper")
    assert body == {
        "modal_key": "ai_wardrobe",
        "option_key": "default",
        "image_url": "https://a.example/a.png",
        "clothes_image_url": "https://a.example/g.png",
        "wardrobe_replace": "upper",
    }


async def test_enhancing_sends_the_file_alone():
    video = linked(Role.SOURCE_VIDEO, "v.mp4")
    body = await body_of("enhance_video", video)
    assert body.keys() == {"modal_key", "option_key", "video_url"}


@pytest.mark.parametrize(
    ("model", "params"),
    [
        ("img2vid_v30", {"ratio": "16:9"}),
        ("img2vid_v30", {"resolution": "720p"}),
        ("motion_v30", {"duration": 5}),
        ("seedance_v20", {"seed": 1}),
    ],
)
async def test_what_a_modal_lacks_is_refused_by_name(model, params):
    provider, upstream = wired(XiaoYang, TAKEN)
    with pytest.raises(PorticoError) as caught:
        await provider.start(job(model, PICTURE, **params), attempt_id="a")
    assert (caught.value.code, caught.value.param) == (
        ErrorCode.UNSUPPORTED_OPTION,
        next(iter(params)),
    )
    assert upstream.calls == []


async def test_ratio_of_the_picture_need_not_be_said():
    assert "ratio" not in await body_of("img2vid_v30", PICTURE, ratio="adaptive", duration=5)


@pytest.mark.parametrize(
    ("status", "detail", "trouble"),
    [
        (400, "E_DIRECT_MEDIA_URL: image_url", Trouble.MEDIA),
        (400, "modal_key is closed", Trouble.MODEL),
        (400, "Content does not meet safety guidelines", Trouble.CONTENT),
        (400, "Thiếu image_url", Trouble.REQUEST),
        (400, ["no", "text"], Trouble.REQUEST),
        (401, "Invalid API key", Trouble.CREDENTIAL),
        (402, "Không đủ credit", Trouble.CREDIT),
        (403, "Account suspended", Trouble.CREDENTIAL),
        (502, "Hệ thống quá tải", Trouble.AMBIGUOUS),
    ],
)
async def test_refusals_of_the_page_are_understood(status, detail, trouble):
    provider, _ = wired(XiaoYang, refusal(status, {"detail": detail}))
    with pytest.raises(UpstreamError) as caught:
        await provider.start(job("img2vid_v30", PICTURE, duration=5), attempt_id="a")
    assert caught.value.trouble is trouble


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ("E_DIRECT_MEDIA_URL: video_url", ErrorCode.MEDIA_REJECTED),
        ("Không đủ credit", ErrorCode.UPSTREAM_FAILED),
        (None, ErrorCode.UPSTREAM_FAILED),
    ],
)
async def test_failed_task_says_why_in_our_words(words, code):
    provider, _ = wired(XiaoYang, {"status": "FAIL", "error_message": words})
    with pytest.raises(UpstreamError) as caught:
        await provider.check("T1")
    assert caught.value.code is code


async def test_result_is_fetched_with_our_key_from_its_one_place(tmp_path: Path):
    task = {"status": "SUCCESS", "video_url": "//evil.example/x", "image_url": None}
    provider, upstream = wired(XiaoYang, task)
    finished = await provider.check("T1")
    assert isinstance(finished, Finished)
    save = finished.outputs[0].save
    assert save is not None
    await save(tmp_path / "x", 9)
    assert upstream.calls[-1].path == "/tasks/T1/download"
    assert upstream.calls[-1].headers["Authorization"] == "Bearer k"
