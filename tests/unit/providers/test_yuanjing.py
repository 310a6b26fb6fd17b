"""What is special about Yuanjing: an id for each model and mode, forms with files, texts."""

from pathlib import Path
from typing import Any

import pytest

from portico.core.errors import ErrorCode, PorticoError
from portico.core.jobs import ChatJob, Message, Role
from portico.core.upstreams import Trouble, UpstreamError
from portico.providers.base import Finished, InputFile, Pending
from portico.providers.yuanjing import FAMILIES, SIZES, Yuanjing, _Chat
from tests.unit.providers.scripted import job, refusal, wired

SEEDANCE, OLD_SEEDANCE = "doubao-seedance-2-0-260128", "doubao-seedance-1-5-pro-251215"
FAST = "doubao-seedance-2-0-fast-260128"
TAKEN = {"taskid": "936759404378734592", "status": "created"}


def file(role: Role, media_type: str = "image/png") -> InputFile:
    return InputFile(role, media_type, Path("x"), url="https://a.example/x")


FIRST, LAST = file(Role.FIRST_FRAME), file(Role.LAST_FRAME)
REFERENCE = file(Role.REFERENCE_IMAGE)
VIDEO, SOUND = file(Role.REFERENCE_VIDEO, "video/mp4"), file(Role.REFERENCE_AUDIO, "audio/mpeg")


async def sent(model: str, *inputs: InputFile, **given: Any) -> Any:
    """Return the fields of a submit: of JSON, or of a form with the names of its files."""
    provider, upstream = wired(Yuanjing, TAKEN)
    assert isinstance(await provider.start(job(model, *inputs, **given), attempt_id="a"), Pending)
    return upstream.fields() if inputs else upstream.body


@pytest.mark.parametrize(
    ("model", "inputs", "llmid", "name"),
    [
        ("happyhorse-1.0", (), "o5vfXYD5BURJWRTWpopE5", "happyhorse-1.0-t2v"),
        ("happyhorse-1.0", (FIRST,), "7y7kfYM0Xasizyi37WvAZ", "happyhorse-1.0-i2v"),
        ("happyhorse-1.0", (REFERENCE,), "6o9n_7u2K927hNlD8_72f", "happyhorse-1.0-r2v"),
        (SEEDANCE, (), "YjjGgxO_Xma8PWsMjJvps", SEEDANCE),
        (SEEDANCE, (FIRST, LAST), "UeYax4591ytnPcr9eumry", SEEDANCE),
        (FAST, (REFERENCE, VIDEO, SOUND), "dmPXF65TD1riKj9KaxLmg", FAST),
        (OLD_SEEDANCE, (), "CrEMkFQfRCmbmopZsCqLj", OLD_SEEDANCE),
        (OLD_SEEDANCE, (FIRST,), "7RTOJD6K8A7RXCMG4GnQ9", OLD_SEEDANCE),
        ("wan2.6", (), "u9HZyfDoqU6uKI6M1BTks", "wan2.6-t2v"),
        ("wan2.6", (FIRST,), "x4HksKp9mXR1Yv60mw6Py", "wan2.6-r2v"),
        ("viduq3-pro", (), "r0ill7L0s6PtBS8mkmg-7", "viduq3-pro"),
        ("viduq3-pro", (FIRST,), "FK_h7FLYnosv2TkMN4ATC", "viduq3-pro"),
        ("viduq2-turbo", (FIRST,), "FK_h7FLYnosv2TkMN4ATC", "viduq2-turbo"),
    ],
)
async def test_model_and_mode_choose_the_id(model, inputs, llmid, name):
    fields = await sent(model, *inputs)
    assert (fields["llmid"], fields["model"]) == (llmid, name)


async def test_model_that_the_page_does_not_list_goes_by_its_name():
    fields = await sent("newer-model", FIRST)
    assert (fields["model"], fields["catelogid"]) == ("newer-model", "i2v")
    assert "llmid" not in fields


@pytest.mark.parametrize(
    ("model", "inputs", "names"),
    [
        (SEEDANCE, (FIRST, LAST), {"image1_file", "image2_file"}),
        (SEEDANCE, (REFERENCE, VIDEO, SOUND), {"image_files", "video_files", "audio_files"}),
        ("viduq3-pro", (FIRST, LAST), {"image_file1", "image_file2"}),
        ("wan2.6", (FIRST,), {"image_file1"}),
    ],
)
async def test_files_go_under_the_names_of_their_table(model, inputs, names):
    fields = await sent(model, *inputs)
    assert names == {name for name in fields if "_file" in name}


async def test_page_s_example_is_asked_as_it_is():
    fields = await sent(OLD_SEEDANCE, duration=5, ratio="16:9", resolution="480p")
    assert fields == {
        "llmid": "CrEMkFQfRCmbmopZsCqLj",
        "model": OLD_SEEDANCE,
        "prompt": "sea",
        "duration": 5,
        "ratio": "16:9",
        "radio": "16:9",  # as its table has it
        "resolution": "480p",
    }


@pytest.mark.parametrize(
    ("params", "size"),
    [
        ({"size": "832*480"}, "832*480"),
        ({"size": "1920x1080"}, "1920*1080"),
        ({"resolution": "1080p", "ratio": "9:16"}, "1080*1920"),
        ({"ratio": "1:1"}, "960*960"),
        ({"ratio": "adaptive"}, "1280*720"),
        ({}, "1280*720"),
    ],
)
async def test_wan_is_told_a_size(params, size):
    fields = await sent("wan2.6", negative_prompt="rain", **params)
    assert (fields["size"], fields["negative_prompt"]) == (size, "rain")
    assert not {"ratio", "resolution"} & fields.keys()


def test_wan_s_sizes_are_those_of_the_page():
    listed = "832*480 480*832 624*624 1280*720 720*1280 960*960 1088*832 832*1088"
    listed += " 1920*1080 1080*1920 1440*1440 1632*1248 1248*1632"
    assert set(SIZES.values()) == set(listed.split())


@pytest.mark.parametrize(("off_peak", "word"), [(True, "Y"), (False, "N")])
async def test_vidu_is_told_whether_to_wait_for_the_night(off_peak, word):
    assert (await sent("viduq3-pro", off_peak=off_peak))["off_peak"] == word


async def test_ratio_of_the_picture_need_not_be_said():
    assert "ratio" not in await sent("happyhorse-1.0", FIRST, ratio="adaptive")


@pytest.mark.parametrize(
    ("model", "inputs", "params", "at_fault"),
    [
        ("viduq2-turbo", (), {}, "mode"),
        ("wan2.6", (), {"ratio": "21:9"}, "ratio"),
        ("wan2.6", (), {"audio": True}, "audio"),
        (SEEDANCE, (), {"lock_camera": True}, "lock_camera"),
        (OLD_SEEDANCE, (REFERENCE,), {}, "reference_image"),
        ("happyhorse-1.0", (FIRST, LAST), {}, "last_frame"),
    ],
)
async def test_what_a_model_lacks_is_refused_by_name(model, inputs, params, at_fault):
    provider, upstream = wired(Yuanjing, TAKEN)
    with pytest.raises(PorticoError) as caught:
        await provider.start(job(model, *inputs, **params), attempt_id="a")
    assert (caught.value.code, caught.value.param) == (ErrorCode.UNSUPPORTED_OPTION, at_fault)
    assert upstream.calls == []


@pytest.mark.parametrize(
    ("status", "error", "trouble"),
    [
        (429, "Insufficient balance", Trouble.CREDIT),
        (429, "Too many requests", Trouble.BUSY),
        (401, "Invalid API Key", Trouble.CREDENTIAL),
        (400, "Missing required parameter: prompt", Trouble.REQUEST),
        (400, "Content does not meet safety guidelines", Trouble.CONTENT),
    ],
)
async def test_refusals_of_the_page_are_understood(status, error, trouble):
    provider, _ = wired(Yuanjing, refusal(status, {"error": error}))
    with pytest.raises(UpstreamError) as caught:
        await provider.start(job(SEEDANCE), attempt_id="a")
    assert caught.value.trouble is trouble


async def test_start_that_is_answered_as_failed_was_not_taken():
    provider, _ = wired(Yuanjing, {"taskid": "", "status": "FAILED", "error": "no"})
    with pytest.raises(UpstreamError) as caught:
        await provider.start(job(SEEDANCE), attempt_id="a")
    assert caught.value.trouble is Trouble.FAILED


async def test_page_s_finished_task_is_read():
    usage = {"action": "t2v", "credits": 10, "model": "viduq3-pro", "duration": 1}
    video = "https://opencomputing.ai/idfile?path=/a/video.mp4"
    provider, upstream = wired(
        Yuanjing, {"usage": usage, "image": "x", "video": video, "status": "SUCCEEDED"}
    )
    finished = await provider.check("936759404378734592")
    assert isinstance(finished, Finished)
    assert [output.url for output in finished.outputs] == [video]
    assert dict(finished.usage) == {"seconds": 1, "credits": 10}
    assert upstream.calls[0].query == (("taskid", "936759404378734592"),)


async def test_tokens_of_seedance_are_counted():
    task = {"usage": {"completion_tokens": 108_900}, "video": "https://a/v", "status": "succeeded"}
    finished = await wired(Yuanjing, task)[0].check("1")
    assert dict(finished.usage) == {"video_tokens": 108_900}


def test_chat_is_asked_in_both_ways_of_the_page():
    messages = (
        Message("system", "Be brief"),
        Message("user", "a"),
        Message("assistant", "b"),
        Message("user", "c"),
    )
    asked = ChatJob(offering="o", model="m", messages=messages, max_tokens=9)
    body = _Chat(wired(Yuanjing, TAKEN)[0]._api).body(asked, "qwen3-max")
    assert (body["prompt"], body["sys_prompt"]) == ("c", "Be brief")
    assert len(body["messages"]) == len(messages)
    assert body["stream"] is True


def test_every_family_names_a_mode():
    assert all(family.ids.keys() <= {"t2v", "i2v", "r2v"} for family in FAMILIES.values())
