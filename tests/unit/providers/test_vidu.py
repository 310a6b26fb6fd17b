"""What is special about Vidu: calls by inputs, gaps of its models, tasks found by their payload."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from portico.core.errors import ErrorCode, PorticoError
from portico.core.jobs import Kind, MediaJob, Mode, Role
from portico.core.upstreams import Call, Reply, Trouble, UpstreamError
from portico.providers.base import (
    Assignment,
    Credential,
    Finished,
    InputFile,
    Lost,
    Missing,
    Pending,
    Remaining,
)
from portico.providers.vidu import DATA_BYTES_MAX, LIST_PAGES_MAX, LIST_SIZE, Vidu
from portico.testing import START

Q3, Q2_PRO, Q1 = "viduq3-pro", "viduq2-pro", "viduq1"
WHERE = "https://a.example/"


class ScriptedUpstream:
    """Implements `Upstream`: answers JSON from a script and remembers the calls."""

    def __init__(self, *answers: object) -> None:
        self.answers = list(answers) or [{"task_id": "9"}]
        self.calls: list[Call] = []

    async def send(self, call: Call) -> Reply:
        self.calls.append(call)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return Reply(status=200, body=msgspec.json.encode(answer))

    def listen(self, call: Call) -> AsyncIterator[bytes]:
        raise NotImplementedError

    async def save(self, call: Call, to: Path, *, size_max_bytes: int) -> int:
        raise NotImplementedError

    async def close(self) -> None:
        pass


def vidu(*answers: object) -> tuple[Vidu, ScriptedUpstream]:
    upstream = ScriptedUpstream(*answers)
    return Vidu(Credential(name="main", base_url="", secret="k"), upstream), upstream


def file(role: Role, name: str = "a", media_type: str = "image/png") -> InputFile:
    return InputFile(role, media_type, Path(name), url=f"{WHERE}{name}")


def assignment(
    *inputs: InputFile,
    model: str = Q3,
    kind: Kind = Kind.VIDEO,
    prompt: str = "sea",
    callback_url: str | None = None,
    **params: Any,
) -> Assignment:
    job = MediaJob(offering="o", model="m", kind=kind, mode=Mode.TEXT, prompt=prompt, params=params)
    return Assignment(
        job=job,
        stage="generate",
        model=model,
        inputs=inputs,
        folder=Path(),
        callback_url=callback_url,
    )


async def sent(*inputs: InputFile, **given: Any) -> tuple[str, Any]:
    provider, upstream = vidu()
    await provider.start(assignment(*inputs, **given), attempt_id="att_1")
    return upstream.calls[-1].path, upstream.calls[-1].body


async def refused(*inputs: InputFile, **given: Any) -> PorticoError:
    provider, upstream = vidu()
    with pytest.raises(PorticoError) as caught:
        await provider.start(assignment(*inputs, **given), attempt_id="att_1")
    assert upstream.calls == []
    return caught.value


FIRST, LAST = file(Role.FIRST_FRAME, "first"), file(Role.LAST_FRAME, "last")
PERSON = file(Role.REFERENCE_IMAGE, "person")


@pytest.mark.parametrize(
    ("inputs", "given", "path", "images"),
    [
        ((), {}, "/text2video", None),
        ((FIRST,), {}, "/img2video", ["first"]),
        ((LAST, FIRST), {}, "/start-end2video", ["first", "last"]),
        ((PERSON,), {"model": "viduq3"}, "/reference2video", ["person"]),
        ((), {"kind": Kind.IMAGE, "model": "viduq2"}, "/reference2image", None),
        ((PERSON,), {"kind": Kind.IMAGE, "model": "viduq2"}, "/reference2image", ["person"]),
    ],
)
async def test_call_follows_from_the_inputs(inputs, given, path, images):
    called, body = await sent(*inputs, **given)
    assert called == path
    assert body.get("images") == (images and [f"{WHERE}{name}" for name in images])


async def test_what_is_asked_goes_under_their_names():
    _, body = await sent(
        duration=5,
        resolution="540p",
        ratio="9:16",
        seed=7,
        audio=False,
        off_peak=True,
        callback_url="https://p.example/cb",
    )
    assert body == {
        "model": Q3,
        "payload": "att_1",
        "prompt": "sea",
        "duration": 5,
        "resolution": "540p",
        "aspect_ratio": "9:16",
        "seed": 7,
        "audio": False,
        "off_peak": True,
        "callback_url": "https://p.example/cb",
    }


async def test_key_follows_the_word_token():
    provider, upstream = vidu()
    await provider.start(assignment(), attempt_id="att_1")
    assert upstream.calls[0].headers["Authorization"] == "Token k"


@pytest.mark.parametrize("ratio", ["16:9", "adaptive"])
async def test_ratio_by_default_is_left_to_the_first_frame(ratio):
    _, body = await sent(FIRST, ratio=ratio)
    assert "aspect_ratio" not in body


async def test_other_ratio_than_that_of_the_first_frame_is_refused():
    error = await refused(FIRST, ratio="9:16")
    assert (error.code, error.param) == (ErrorCode.UNSUPPORTED_OPTION, "ratio")


@pytest.mark.parametrize(
    ("inputs", "model", "said"), [((), Q3, None), ((PERSON,), "viduq3", "auto")]
)
async def test_adaptive_ratio_follows_the_pictures_there_are(inputs, model, said):
    _, body = await sent(*inputs, model=model, ratio="adaptive")
    assert body.get("aspect_ratio") == said


@pytest.mark.parametrize(
    ("inputs", "given", "param"),
    [
        ((), {"model": Q1, "audio": True}, "audio"),
        ((), {"lock_camera": True}, "lock_camera"),
        ((), {"negative_prompt": "rain"}, "negative_prompt"),
        ((PERSON,), {}, "reference_image"),
        ((FIRST,), {"model": "viduq3"}, "first_frame"),
        ((FIRST, PERSON), {}, "reference_image"),
        ((LAST,), {}, "last_frame"),
        ((FIRST, FIRST), {}, "first_frame"),
        ((file(Role.REFERENCE_VIDEO, "v", "video/mp4"),), {"model": "viduq2"}, "reference_video"),
    ],
)
async def test_what_a_model_lacks_is_refused_by_name(inputs, given, param):
    error = await refused(*inputs, **given)
    assert (error.code, error.param) == (ErrorCode.UNSUPPORTED_OPTION, param)


async def test_model_without_sound_is_not_told_to_be_silent():
    _, body = await sent(model=Q1, audio=False)
    assert "audio" not in body


async def test_one_model_takes_videos_and_sounds_as_references():
    video = file(Role.REFERENCE_VIDEO, "v", "video/mp4")
    sound = file(Role.REFERENCE_AUDIO, "s", "audio/mpeg")
    _, body = await sent(sound, PERSON, video, model=Q2_PRO)
    assert (body["videos"], body["sounds"]) == ([f"{WHERE}v"], [f"{WHERE}s"])


async def test_model_newer_than_the_table_is_sent():
    path, body = await sent(PERSON, model="viduq4")
    assert (path, body["model"]) == ("/reference2video", "viduq4")


async def test_picture_has_its_size_in_their_words():
    _, body = await sent(kind=Kind.IMAGE, model="viduq2", resolution="4k", ratio="1:1")
    assert (body["resolution"], body["aspect_ratio"]) == ("4K", "1:1")


async def test_all_files_together_fit_into_one_request(tmp_path):
    half = tmp_path / "half"
    half.write_bytes(b"\0" * (DATA_BYTES_MAX // 2 + 1))
    first, last = (
        InputFile(role, "image/png", half, link="https://p.example/f")
        for role in (Role.FIRST_FRAME, Role.LAST_FRAME)
    )
    _, alone = await sent(first)
    _, both = await sent(first, last)
    assert alone["images"][0].startswith("data:image/png;base64,")
    assert both["images"] == ["https://p.example/f"] * 2


@pytest.mark.parametrize(
    ("told", "trouble"),
    [
        ("AuditSubmitIllegal", Trouble.CONTENT),
        ("CreationPolicyViolation", Trouble.CONTENT),
        ("ImageCheckFaceFailed", Trouble.MEDIA),
        ("ImageDownloadFailure", Trouble.MEDIA),
        ("FieldItemCountOutOfRange", Trouble.REQUEST),
        ("UserCancelled", Trouble.FAILED),
        ("InternalServiceFailure", Trouble.FAILED),
        ("NeverHeardOf", Trouble.FAILED),
    ],
)
async def test_failed_task_says_why_by_its_code(told, trouble):
    provider, _ = vidu({"id": "9", "state": "failed", "err_code": told})
    with pytest.raises(UpstreamError) as caught:
        await provider.check("9")
    assert caught.value.trouble is trouble


async def test_finished_task_tells_its_credits_and_seconds():
    made = {"url": f"{WHERE}v.mp4", "video": {"duration": 4.5}}
    provider, _ = vidu({"state": "success", "credits": 40, "creations": [made]})
    finished = await provider.check("9")
    assert isinstance(finished, Finished)
    assert [output.url for output in finished.outputs] == [f"{WHERE}v.mp4"]
    assert finished.usage == {"credits": 40, "seconds": 4.5}


@pytest.mark.parametrize("creations", [None, "x", [], [7, {"url": 7}], [{"url": "file:///a"}]])
async def test_strange_creations_are_no_files(creations):
    provider, _ = vidu({"state": "success", "creations": creations})
    finished = await provider.check("9")
    assert isinstance(finished, Finished)
    assert finished.outputs == ()


async def test_cancelling_names_the_task_twice():
    provider, upstream = vidu({"state": "processing"}, {})
    await provider.cancel("9")
    call = upstream.calls[-1]
    assert (call.method, call.path, call.body) == ("POST", "/tasks/9/cancel", {"id": "9"})


def listed(payload: object, number: int = 1) -> dict[str, object]:
    return {"id": str(number), "state": "processing", "payload": payload}


async def find(*answers: object) -> tuple[Any, list[Call]]:
    provider, upstream = vidu(*answers)
    lost = Lost(attempt_id="att_1", assignment=assignment(), started_at=START)
    return await provider.find(lost), upstream.calls


async def test_lost_task_is_found_by_its_payload_on_a_later_page():
    others = {"tasks": [listed("att_0")] * LIST_SIZE}
    found, calls = await find(others, {"tasks": [listed("att_2"), listed("att_1", 8)]})
    assert isinstance(found, Pending)
    assert found.upstream_id == "8"
    pages = [dict(call.query)["pager.page"] for call in calls]
    assert pages == ["0", "1"]
    assert dict(calls[0].query)["created_at.from"].endswith("Z")


async def test_list_without_the_task_means_that_it_was_not_taken():
    found, _ = await find({"tasks": [listed("att_0"), listed("")]})
    assert isinstance(found, Missing)


@pytest.mark.parametrize("item", [{"id": "1"}, listed(None), 7])
async def test_list_without_payloads_tells_nothing(item):
    found, _ = await find({"tasks": [item]})
    assert found is None


async def test_list_without_end_tells_nothing():
    found, calls = await find({"tasks": [listed("att_0")] * LIST_SIZE})
    assert (found, len(calls)) == (None, LIST_PAGES_MAX)


@pytest.mark.parametrize("answer", [{}, {"tasks": 7}, []])
async def test_list_that_is_none_is_asked_for_again_later(answer):
    with pytest.raises(PorticoError) as caught:
        await find(answer)
    assert caught.value.code is ErrorCode.OVERLOADED


@pytest.mark.parametrize(
    ("remains", "amount"),
    [
        ([{"credit_remain": 100}, {"credit_remain": 2.5}], 102_500_000),
        ([{"credit_remain": "7"}], 7_000_000),
        ([{"credit_remain": 0}], 0),
    ],
)
async def test_balance_is_that_of_all_packages(remains, amount):
    provider, upstream = vidu({"remains": remains})
    assert await provider.balance() == Remaining(amount, "credits")
    assert upstream.calls[0].path == "/credits"


@pytest.mark.parametrize("answer", [{}, {"remains": []}, {"remains": [{"credit_remain": "x"}]}])
async def test_balance_that_is_none_is_not_zero(answer):
    provider, _ = vidu(answer)
    with pytest.raises(UpstreamError) as caught:
        await provider.balance()
    assert caught.value.code is ErrorCode.OVERLOADED
