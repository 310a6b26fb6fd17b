"""What is special about DashScope: generations of models, shapes, families, words for states."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from portico.core.errors import ErrorCode, PorticoError
from portico.core.jobs import Kind, MediaJob, Mode, Role
from portico.core.upstreams import Call, Reply, Trouble, UpstreamError
from portico.providers.base import Assignment, Credential, Finished, InputFile, Missing, Pending
from portico.providers.dashscope.models import FAMILIES, PICTURES, VIDEOS, of_name
from portico.providers.dashscope.provider import REFUSALS, DashScope

ROOT = "https://dashscope.example"
TASK = {"output": {"task_id": "t-1", "task_status": "PENDING"}}


class ScriptedUpstream:
    """Implements `Upstream`: answers JSON and remembers the calls."""

    def __init__(self, answer: object) -> None:
        self.answer = answer
        self.calls: list[Call] = []

    async def send(self, call: Call) -> Reply:
        self.calls.append(call)
        return Reply(status=200, body=msgspec.json.encode(self.answer))

    def listen(self, call: Call) -> AsyncIterator[bytes]:
        raise NotImplementedError

    async def save(self, call: Call, to: Path, *, size_max_bytes: int) -> int:
        raise NotImplementedError

    async def close(self) -> None:
        pass


def scope(answer: object, **options: str) -> tuple[DashScope, ScriptedUpstream]:
    upstream = ScriptedUpstream(answer)
    credential = Credential(name="main", base_url=ROOT, secret="k", options=options)
    return DashScope(credential, upstream), upstream


def assignment(
    model: str,
    *inputs: InputFile,
    kind: Kind = Kind.VIDEO,
    prompt: str = "sea",
    **params: Any,
) -> Assignment:
    job = MediaJob(offering="o", model="m", kind=kind, mode=Mode.TEXT, prompt=prompt, params=params)
    return Assignment(job=job, stage="generate", model=model, inputs=inputs, folder=Path())


def given(role: Role, name: str = "a", kind: str = "image/png") -> InputFile:
    return InputFile(role, kind, Path(name), url=f"https://x.example/{name}")


FIRST, LAST = given(Role.FIRST_FRAME), given(Role.LAST_FRAME, "b")
PERSON = given(Role.REFERENCE_IMAGE)
CLIP = given(Role.REFERENCE_VIDEO, "c", "video/mp4")
VOICE = given(Role.REFERENCE_AUDIO, "d", "audio/mpeg")
A, B = "https://x.example/a", "https://x.example/b"


async def call_of(model: str, *inputs: InputFile, **asked: Any) -> Call:
    provider, upstream = scope(TASK)
    await provider.start(assignment(model, *inputs, **asked), attempt_id="a")
    return upstream.calls[-1]


async def body_of(model: str, *inputs: InputFile, **asked: Any) -> Any:
    return (await call_of(model, *inputs, **asked)).body


async def refused_param(model: str, *inputs: InputFile, **asked: Any) -> str | None:
    provider, upstream = scope(TASK)
    with pytest.raises(PorticoError) as caught:
        await provider.start(assignment(model, *inputs, **asked), attempt_id="a")
    assert caught.value.code is ErrorCode.UNSUPPORTED_OPTION
    assert upstream.calls == []
    return caught.value.param


@pytest.mark.parametrize("path", ["/api/v1", "/api/v1/", "/compatible-mode/v1"])
def test_base_url_that_is_not_the_root_is_refused_in_words(path):
    credential = Credential(name="main", base_url=ROOT + path, secret="k")
    with pytest.raises(ValueError, match="the service's root"):
        DashScope(credential, ScriptedUpstream(TASK))


async def test_workspace_of_a_key_is_named():
    provider, upstream = scope(TASK, workspace="w-1")
    await provider.start(assignment("wan2.6-t2v"), attempt_id="a")
    assert upstream.calls[0].headers["X-DashScope-WorkSpace"] == "w-1"


@pytest.mark.parametrize(
    ("model", "inputs", "sent"),
    [
        ("wan2.6-i2v", (FIRST,), {"img_url": A}),
        ("wan2.6-i2v-flash", (FIRST, VOICE), {"img_url": A, "audio_url": "https://x.example/d"}),
        ("wan2.6-r2v", (PERSON, CLIP), {"reference_urls": [A, "https://x.example/c"]}),
        ("wan2.2-kf2v-flash", (FIRST, LAST), {"first_frame_url": A, "last_frame_url": B}),
        ("wan2.7-i2v", (FIRST,), {"media": [{"type": "first_frame", "url": A}]}),
        (
            "wan2.7-i2v",
            (FIRST, LAST),
            {"media": [{"type": "first_frame", "url": A}, {"type": "last_frame", "url": B}]},
        ),
        ("wan2.7-r2v", (PERSON,), {"media": [{"type": "reference_image", "url": A}]}),
        (
            "wan2.7-videoedit",
            (CLIP,),
            {"media": [{"type": "video", "url": "https://x.example/c"}]},
        ),
        ("happyhorse-1.0-i2v", (FIRST,), {"media": [{"type": "first_frame", "url": A}]}),
        ("happyhorse-1.1-r2v", (PERSON,), {"media": [{"type": "reference_image", "url": A}]}),
    ],
)
async def test_inputs_go_in_the_words_of_the_generation(model, inputs, sent):
    body = await body_of(model, *inputs)
    assert body["input"] == {"prompt": "sea"} | sent


@pytest.mark.parametrize(
    ("model", "inputs", "params", "shape"),
    [
        ("wan2.6-t2v", (), {"resolution": "1080p", "ratio": "9:16"}, {"size": "1080*1920"}),
        ("wan2.6-t2v", (), {"size": "1088x832"}, {"size": "1088*832"}),
        ("wan2.6-t2v", (), {}, {"size": "1280*720"}),
        ("wan2.6-t2v", (), {"size": "832*480"}, {"size": "1280*720"}),  # not less than asked
        ("wan2.5-t2v-preview", (), {"size": "832*480"}, {"size": "832*480"}),
        ("wan2.6-i2v", (FIRST,), {"size": "1080*1920"}, {"resolution": "1080P"}),
        ("wan2.6-i2v", (FIRST,), {"ratio": "16:9"}, {"resolution": "720P"}),
        ("wan2.7-i2v", (FIRST,), {"ratio": "1:1"}, {"resolution": "720P"}),
        ("wan3.0-video", (FIRST,), {"ratio": "16:9"}, {"resolution": "720P"}),
        (
            "wan3.0-video",
            (),
            {"ratio": "adaptive", "resolution": "480p"},
            {"resolution": "480P", "ratio": "adaptive"},
        ),
        (
            "happyhorse-1.0-t2v",
            (),
            {"ratio": "21:9", "resolution": "480p"},
            {"resolution": "720P", "ratio": "21:9"},
        ),
        ("happyhorse-1.1-t2v", (), {"resolution": "480p"}, {"resolution": "480P"}),
        ("happyhorse-1.0-t2v", (), {"ratio": "adaptive"}, {"resolution": "720P"}),
        ("happyhorse-1.0-i2v", (FIRST,), {"ratio": "16:9"}, {"resolution": "720P"}),
        ("happyhorse-1.0-video-edit", (CLIP,), {"ratio": "16:9"}, {"resolution": "720P"}),
    ],
)
async def test_shape_is_one_that_the_model_makes(model, inputs, params, shape):
    parameters = (await body_of(model, *inputs, **params))["parameters"]
    assert parameters == shape | {"watermark": False}


@pytest.mark.parametrize(
    ("model", "inputs", "asked", "param"),
    [
        ("wan2.6-t2v", (), {"resolution": "4k"}, "resolution"),
        ("wan2.6-t2v", (), {"ratio": "21:9"}, "ratio"),
        ("wan2.6-t2v", (), {"size": "999*999"}, "size"),
        ("wan2.7-t2v", (), {"ratio": "21:9"}, "ratio"),
        ("wan2.6-t2v", (), {"duration": 16}, "duration"),
        ("wan2.5-t2v-preview", (), {"duration": 6}, "duration"),
        ("happyhorse-1.0-t2v", (), {"duration": 2}, "duration"),
        ("wan2.2-kf2v-flash", (FIRST, LAST), {"duration": 10}, "duration"),
        ("wan2.2-kf2v-flash", (FIRST, LAST), {"audio": True}, "audio"),
        ("happyhorse-1.0-t2v", (), {"negative_prompt": "rain"}, "negative_prompt"),
        ("happyhorse-1.0-t2v", (), {"lock_camera": True}, "lock_camera"),
        ("wan2.6-t2v", (), {"seed": 2**31}, "seed"),
        ("wan2.6-t2v", (), {"prompt": "a" * 1_501}, "prompt"),
        ("wan2.6-t2v", (), {"negative_prompt": "a" * 501}, "negative_prompt"),
        ("wan2.6-t2v", (FIRST,), {}, "first_frame"),
        ("wan2.6-i2v", (), {}, "first_frame"),
        ("wan2.2-kf2v-flash", (FIRST,), {}, "last_frame"),
        ("wan2.6-r2v", (PERSON,) * 6, {}, "reference_image"),
        ("wan2.6-r2v", (CLIP,) * 4, {}, "reference_video"),
        ("happyhorse-1.0-t2v", (), {"prompt": "海" * 2_501}, "prompt"),
        ("happyhorse-1.0-r2v", (PERSON,) * 10, {}, "reference_image"),
        ("happyhorse-1.0-r2v", (CLIP,), {}, "reference_video"),
    ],
)
async def test_what_a_model_lacks_is_refused_by_name(model, inputs, asked, param):
    assert await refused_param(model, *inputs, **asked) == param


@pytest.mark.parametrize(
    ("model", "inputs", "idle"),
    [
        ("wan2.2-kf2v-flash", (FIRST, LAST), {"duration": 5, "audio": False}),
        ("wan2.6-r2v", (PERSON,), {"audio": True, "negative_prompt": "", "seed": -1}),
        ("wan2.7-t2v", (), {"audio": True, "lock_camera": False}),
        ("happyhorse-1.0-t2v", (), {"audio": False, "negative_prompt": "", "enhance": True}),
    ],
)
async def test_option_that_changes_nothing_is_left_out(model, inputs, idle):
    parameters = (await body_of(model, *inputs, **idle))["parameters"]
    assert set(parameters) <= {"watermark", "resolution", "size"}


async def test_silence_is_asked_for_where_sound_is_the_rule():
    parameters = (await body_of("wan2.6-i2v-flash", FIRST, audio=False))["parameters"]
    assert parameters["audio"] is False


@pytest.mark.parametrize(
    ("family", "inputs", "member"),
    [
        ("wan2.6", (), "wan2.6-t2v"),
        ("wan2.6", (VOICE,), "wan2.6-t2v"),
        ("wan2.6", (FIRST,), "wan2.6-i2v"),
        ("wan2.6", (PERSON,), "wan2.6-r2v"),
        ("wan2.7", (FIRST, LAST), "wan2.7-i2v"),
        ("wan2.5", (FIRST,), "wan2.5-i2v-preview"),
        ("happyhorse-1.0", (PERSON,), "happyhorse-1.0-r2v"),
    ],
)
async def test_family_sends_its_member_for_the_inputs(family, inputs, member):
    assert (await body_of(family, *inputs))["model"] == member


async def test_family_without_a_member_for_the_inputs_refuses_them():
    assert await refused_param("wan2.6", FIRST, LAST) == "last_frame"


def test_members_of_families_are_in_the_table():
    newest = VIDEOS["*"]
    members = [member for family in FAMILIES.values() for member in family]
    assert all(of_name(VIDEOS, member) is not newest for member in members)


async def test_video_is_a_task_at_the_path_of_its_model():
    call = await call_of("wan2.2-kf2v-flash", FIRST, LAST)
    assert call.path == "/api/v1/services/aigc/image2video/video-synthesis"
    assert call.headers["X-DashScope-Async"] == "enable"


@pytest.mark.parametrize(
    ("model", "params", "size"),
    [
        ("qwen-image-plus", {"ratio": "16:9"}, "1664*928"),
        ("qwen-image-max", {"size": "1328x1328"}, "1328*1328"),
        ("qwen-image-2.0-pro", {"ratio": "16:9"}, "1712*960"),
        ("qwen-image-2.0", {"ratio": "1:1", "resolution": "2k"}, "2048*2048"),
        ("qwen-image-2.0", {}, None),
        ("wan2.6-t2i", {"ratio": "adaptive"}, None),
        ("wan2.7-image-pro", {"resolution": "4k"}, "4096*4096"),
        ("wanx2.1-t2i-turbo", {"ratio": "1:1"}, "1024*1024"),
    ],
)
async def test_picture_has_a_size_that_its_model_makes(model, params, size):
    provider, upstream = scope(TASK | made_pictures("https://x.example/a.png"))
    await provider.start(assignment(model, kind=Kind.IMAGE, **params), attempt_id="a")
    body: Any = upstream.calls[0].body
    assert body["parameters"].get("size") == size
    assert (body["parameters"]["n"], body["parameters"]["watermark"]) == (1, False)


@pytest.mark.parametrize(
    ("model", "inputs", "asked", "param"),
    [
        ("qwen-image-plus", (), {"ratio": "21:9"}, "ratio"),
        ("qwen-image-plus", (), {"size": "1024*1024"}, "size"),
        ("qwen-image-plus", (PERSON,), {}, "reference_image"),
        ("qwen-image-edit-plus", (), {}, "reference_image"),
        ("qwen-image-edit-plus", (PERSON,) * 4, {}, "reference_image"),
        ("qwen-image-2.0", (), {"ratio": "wide"}, "ratio"),
        ("qwen-image-2.0", (), {"quality": "high"}, "quality"),
        ("wan2.6-t2i", (), {"resolution": "2k"}, "resolution"),
        ("wan2.6-image", (PERSON,) * 5, {}, "reference_image"),
    ],
)
async def test_what_a_model_of_pictures_lacks_is_refused_by_name(model, inputs, asked, param):
    assert await refused_param(model, *inputs, kind=Kind.IMAGE, **asked) == param


@pytest.mark.parametrize(
    ("inputs", "sent"),
    [
        ((), {"enable_interleave": True, "max_images": 1}),
        ((PERSON,), {"enable_interleave": False}),
    ],
)
async def test_model_that_writes_and_draws_is_told_whether_there_is_a_picture(inputs, sent):
    parameters = (await body_of("wan2.6-image", *inputs, kind=Kind.IMAGE))["parameters"]
    assert parameters == sent | {"n": 1, "watermark": False}


async def test_old_models_of_pictures_take_bare_words():
    body = await body_of("wanx2.1-t2i-turbo", kind=Kind.IMAGE, negative_prompt="rain")
    assert body["input"] == {"prompt": "sea", "negative_prompt": "rain"}


def test_names_that_no_page_knows_are_asked_as_the_newest():
    assert of_name(VIDEOS, "any") is VIDEOS["*"]
    assert of_name(PICTURES, "wan9-image").is_task
    assert of_name(PICTURES, "any") is PICTURES["*"]


def made_pictures(*urls: str) -> dict[str, Any]:
    content = [{"image": url} for url in urls]
    output = TASK["output"] | {"choices": [{"message": {"content": content}}]}
    return {"output": output, "usage": {"image_count": len(urls)}}


def read(state: str, **output: Any) -> dict[str, Any]:
    return {"output": {"task_id": "t-1", "task_status": state, **output}}


@pytest.mark.parametrize(
    ("state", "is_running"), [("PENDING", False), ("SUSPENDED", False), ("RUNNING", True)]
)
async def test_task_that_is_not_done_is_asked_about_as_rarely_as_advised(state, is_running):
    known = await scope(read(state))[0].check("t-1")
    assert isinstance(known, Pending)
    assert (known.running, known.check_after_s) == (is_running, 15.0)


async def test_task_that_nobody_knows_is_missing():
    assert isinstance(await scope(read("UNKNOWN"))[0].check("t-1"), Missing)


@pytest.mark.parametrize(
    ("output", "urls"),
    [
        ({"video_url": "https://x/v.mp4"}, ["https://x/v.mp4"]),
        ({"results": [{"url": "https://x/a.png"}, {"code": "X"}]}, ["https://x/a.png"]),
        (
            {"choices": [{"message": {"content": [{"text": "so"}, {"image": "https://x/b.png"}]}}]},
            ["https://x/b.png"],
        ),
        ({"choices": 7, "results": {"url": "x"}, "video_url": 7}, []),
        ({"choices": [7, {"message": {"content": [7]}}], "results": [None]}, []),
    ],
)
async def test_results_are_found_in_each_of_their_shapes(output, urls):
    known = await scope(read("SUCCEEDED", **output))[0].check("t-1")
    assert isinstance(known, Finished)
    assert [each.url for each in known.outputs] == urls


async def test_seconds_are_those_that_are_billed():
    usage = {"duration": 10, "input_video_duration": 5, "output_video_duration": 5}
    answer = read("SUCCEEDED", video_url="https://x/v.mp4") | {"usage": usage}
    known = await scope(answer)[0].check("t-1")
    assert isinstance(known, Finished)
    assert known.usage == {"seconds": 10}


async def test_picture_that_was_refused_in_its_place_says_so():
    answer = {"output": {"results": [{"code": "DataInspectionFailed"}]}}
    provider, _ = scope(answer)
    with pytest.raises(UpstreamError) as caught:
        await provider.start(assignment("qwen-image-2.0", kind=Kind.IMAGE), attempt_id="a")
    assert caught.value.trouble is Trouble.CONTENT


async def test_task_whose_only_picture_was_refused_says_so():
    answer = read("SUCCEEDED", results=[{"code": "DataInspectionFailed"}])
    with pytest.raises(UpstreamError) as caught:
        await scope(answer)[0].check("t-1")
    assert caught.value.trouble is Trouble.CONTENT


@pytest.mark.parametrize(
    ("code", "trouble"),
    [
        ("DataInspectionFailed", Trouble.CONTENT),
        ("InvalidParameter.DataInspection", Trouble.MEDIA),
        ("InvalidParameter", Trouble.REQUEST),
        ("InvalidURL", Trouble.MEDIA),
        ("AccessDenied", Trouble.CREDENTIAL),
        ("AccessDenied.Unpurchased", Trouble.MODEL),
        ("Throttling.BurstRate", Trouble.BUSY),
        ("Arrearage", Trouble.CREDIT),
        ("RequestTimeOut", Trouble.AMBIGUOUS),
        ("InternalError.Algo", Trouble.AMBIGUOUS),
        ("insufficient_quota", Trouble.BUSY),
        ("NeverSeen", None),
    ],
)
def test_codes_mean_what_their_page_says(code, trouble):
    assert REFUSALS.of_code(code) is trouble
