"""fal's queue: every model is an app there, with inputs of its own and no envelope around them.

A job is `POST /{owner}/{app}[/…]`, then `GET /{owner}/{app}/requests/{id}/status` and
`…/requests/{id}`: the id belongs to the app, which is the first two parts of a model's name.
Sources: the pages "Queue", "Webhooks", "Model Errors", "Request Error Types" and the models' own
pages, and what its Python client 1.0.3 does.

A failure is `COMPLETED` with an `error`, or a result that is refused. There is no list and no key
of ours on a job, so a start whose answer was lost stays lost. Knows no options of a credential.
"""

import re
from collections.abc import Mapping
from typing import Any

from portico.core.jobs import Kind, Mode, ParamValue, Role
from portico.core.upstreams import Call, Reply, Trouble, Upstream, UpstreamError
from portico.providers.base import (
    Assignment,
    Capabilities,
    Credential,
    Finished,
    HandOver,
    Missing,
    OutputFile,
    Pending,
)
from portico.providers.http import (
    GONE,
    Api,
    Refusals,
    State,
    at,
    hint_of,
    read_id,
    read_json,
    read_usage,
)
from portico.providers.profiles import Profile, full_name, profile_of, read_input, result_urls

STATES = {"IN_QUEUE": State.QUEUED, "IN_PROGRESS": State.RUNNING, "COMPLETED": State.DONE}
CODES = {
    "content_policy_violation": Trouble.CONTENT,
    "image_*": Trouble.MEDIA,
    "video_*": Trouble.MEDIA,
    "audio_*": Trouble.MEDIA,
    "unsupported_*_format": Trouble.MEDIA,
    "file_too_large": Trouble.MEDIA,
    "file_download_error": Trouble.MEDIA,
    "face_detection_error": Trouble.MEDIA,
    "*[Ee]xhausted balance*": Trouble.CREDIT,  # a text, of an account that is locked for it
}
# A result is refused with one of these when the job has failed, and with others when it cannot
# be read just now.
ENDS = frozenset(
    {
        "request_timeout",
        "startup_timeout",
        "runner_scheduling_failure",
        "runner_connection_timeout",
        "runner_disconnected",
        "runner_connection_refused",
        "runner_connection_error",
        "runner_incomplete_response",
        "runner_server_error",
        "client_disconnected",
        "client_cancelled",
        "bad_request",
        "internal_error",
    }
)
_WAYS = (HandOver.PASS, HandOver.DATA, HandOver.LINK)
CAN = Capabilities(
    kinds=frozenset({Kind.VIDEO, Kind.IMAGE}),
    media={"image": _WAYS, "video": _WAYS, "audio": _WAYS},
    data_bytes_max=8 * 2**20,
    calls_back=True,
)
_VIDEO_ENDINGS = {
    Mode.TEXT: "/text-to-video",
    Mode.IMAGE: "/image-to-video",
    Mode.FIRST_LAST: "/image-to-video",
    Mode.REFERENCE: "/reference-to-video",
}
ENDINGS = {
    "bytedance/seedance-*": _VIDEO_ENDINGS,
    "fal-ai/bytedance/seedance/*": _VIDEO_ENDINGS,
    "wan/v2.6": _VIDEO_ENDINGS,
    "fal-ai/wan-25-preview": _VIDEO_ENDINGS,
    "fal-ai/kling-video/*": _VIDEO_ENDINGS,
    "fal-ai/bytedance/seedream/*": {Mode.TEXT: "/text-to-image", Mode.IMAGE: "/edit"},
}
_COMMON = {"duration": "duration", "resolution": "resolution", "ratio": "aspect_ratio"}
_SEEDED = _COMMON | {"seed": "seed"}
_WAN = _SEEDED | {
    "negative_prompt": "negative_prompt",
    "prompt_expansion": "enable_prompt_expansion",
}
_FRAMES = {Role.FIRST_FRAME: "image_url", Role.LAST_FRAME: "end_image_url"}
_AS_TEXT = {"duration": "{}"}
_AUTO: Mapping[str, Mapping[ParamValue, ParamValue | None]] = {"ratio": {"adaptive": "auto"}}
_EDITED = dict.fromkeys((Role.REFERENCE_IMAGE, Role.SOURCE_IMAGE, Role.FIRST_FRAME), "image_urls")
_SIZES: Mapping[ParamValue, ParamValue | None] = {
    "1:1": "square_hd",
    "4:3": "landscape_4_3",
    "16:9": "landscape_16_9",
    "3:4": "portrait_4_3",
    "9:16": "portrait_16_9",
    "3:2": "2496x1664",
    "2:3": "1664x2496",
    "21:9": "3024x1296",
}
# After the models' own pages where those could be read; the last of each kind is what most models
# there have in common.
PROFILES = (
    Profile(
        models="bytedance/seedance-*",
        params=_SEEDED | {"audio": "generate_audio"},
        roles=_FRAMES
        | {
            Role.REFERENCE_IMAGE: "image_urls",
            Role.REFERENCE_VIDEO: "video_urls",
            Role.REFERENCE_AUDIO: "audio_urls",
        },
        lists=frozenset({"image_urls", "video_urls", "audio_urls"}),
        forms=_AS_TEXT,
        words=_AUTO,
    ),
    Profile(
        models="fal-ai/bytedance/seedance/v1.5/*",
        params=_SEEDED | {"audio": "generate_audio", "lock_camera": "camera_fixed"},
        roles=_FRAMES,
        forms=_AS_TEXT,
        words=_AUTO,
    ),
    Profile(
        models="fal-ai/bytedance/seedance/*",
        params=_SEEDED | {"lock_camera": "camera_fixed"},
        roles=_FRAMES,
        forms=_AS_TEXT,
        words=_AUTO,
    ),
    Profile(
        models="fal-ai/wan-25-preview*",
        params=_WAN,
        roles={Role.FIRST_FRAME: "image_url"},
        forms=_AS_TEXT,
        of_frame=frozenset({"ratio"}),
        splits_size=True,
    ),
    Profile(
        models="wan/v2.6*",
        params=_WAN,
        roles={Role.FIRST_FRAME: "image_url", Role.REFERENCE_VIDEO: "video_urls"},
        lists=frozenset({"video_urls"}),
        forms=_AS_TEXT,
        of_frame=frozenset({"ratio"}),
        splits_size=True,
    ),
    Profile(
        models="fal-ai/kling-video/v3/*",
        params={
            "duration": "duration",
            "ratio": "aspect_ratio",
            "negative_prompt": "negative_prompt",
            "audio": "generate_audio",
        },
        roles={Role.FIRST_FRAME: "start_image_url", Role.LAST_FRAME: "end_image_url"},
        forms=_AS_TEXT,
        of_frame=frozenset({"ratio"}),
    ),
    Profile(
        models="fal-ai/veo3*",
        params=_SEEDED | {"audio": "generate_audio", "negative_prompt": "negative_prompt"},
        roles={Role.FIRST_FRAME: "image_url"},
        forms={"duration": "{}s"},
        words=_AUTO,
    ),
    Profile(
        models="*",
        params=_SEEDED | {"negative_prompt": "negative_prompt", "audio": "generate_audio"},
        roles=_FRAMES,
        forms=_AS_TEXT,
        words={"ratio": {"adaptive": None}},
        of_frame=frozenset({"ratio"}),
    ),
    Profile(
        models="*",
        kind=Kind.IMAGE,
        params={"ratio": "image_size", "size": "image_size", "seed": "seed"},
        roles=_EDITED,
        lists=frozenset({"image_urls"}),
        words={"ratio": {**_SIZES, "adaptive": None}},
        says={"num_images": 1},
    ),
)
USAGE = {"inference_time": "compute_seconds"}
_NAME = re.compile(r"[A-Za-z0-9][\w.-]*(?:/[A-Za-z0-9][\w.-]*)+")
_HELD = 422  # a model refuses its input, or what it made
_REFUSED_FROM = 400


class _FalRefusals(Refusals, frozen=True, kw_only=True):
    """The code stands in the first item of a list, or beside a text, or is that text."""

    def of(self, status: int, body: object) -> Trouble:
        """Return what an answer with an error means."""
        return self.of_code(_code(body)) or Refusals.of(self, status, body)


REFUSALS = _FalRefusals(code_at=("error_type",), codes=CODES)


class Fal:
    """Implements `TaskProvider` for one credential, and reads callbacks.

    The id of a job is `owner:app:request`, since nothing else here remembers the app.
    """

    name = "fal"
    no_such_job = "fal-ai:portico:portico-0"  # what a trial of the key asks about
    restartable = False
    capabilities = (CAN,)

    def __init__(self, credential: Credential, upstream: Upstream) -> None:
        headers = {"Authorization": f"Key {credential.secret}"}
        self._api = Api(upstream, headers=headers, refusals=REFUSALS)

    async def start(self, assignment: Assignment, *, attempt_id: str) -> Pending | Finished:
        """Put a job into the queue of its app and return its id."""
        model = full_name(ENDINGS, assignment)
        if not _NAME.fullmatch(model):
            raise UpstreamError(Trouble.MODEL, error="no owner and app")
        profile = profile_of(PROFILES, model, assignment.job.kind)
        body = await read_input(profile, assignment, CAN)
        back = assignment.callback_url
        call = Call(
            method="POST",
            path=f"/{model}",
            query=(("fal_webhook", back),) if back else (),
            headers=self._api.headers,
            body=body,
            once=True,
        )
        answer = await self._api.begin_by(call, attempt_id=attempt_id)
        owner, app = model.split("/")[:2]
        upstream_id = f"{owner}:{app}:{read_id(answer.get('request_id'))}"
        return Pending(upstream_id, running=False, check_after_s=CAN.check_after_s)

    async def check(self, upstream_id: str) -> Pending | Finished | Missing:
        """Read the state of a job, and what it made once that is there."""
        if (path := _path(upstream_id)) is None:
            return Missing()
        if (asked := await self._api.ask(f"{path}/status")) is None:
            return Missing()
        status, _ = asked
        state = self._api.state(STATES, status.get("status"))
        if state is State.DONE:
            return await self._result(path, status)
        running = state is State.RUNNING
        return Pending(upstream_id, running=running, check_after_s=CAN.check_after_s)

    async def cancel(self, upstream_id: str) -> None:
        """Take a job out of the queue, or ask its app to stop; one that is done stays."""
        if path := _path(upstream_id):
            await self._api.stop("PUT", f"{path}/cancel")

    def parse_callback(self, body: bytes) -> str | None:
        """Return the request's id, which is the last part of a job's; the app is not in there."""
        return hint_of(body, "request_id")

    async def close(self) -> None:
        """Let go of all connections."""
        await self._api.upstream.close()

    async def _result(self, path: str, status: Mapping[str, Any]) -> Finished | Missing:
        """Read what a job made, or why it made nothing: that is told here or there."""
        told = status.get("error_type")
        if isinstance(told, str) and (told in ENDS or self._api.refusals.of_code(told)):
            raise self._api.failed(told)
        call = Call(method="GET", path=path, headers=self._api.headers)
        reply = await self._api.upstream.send(call)
        if _is_end(reply):
            raise self._api.refused(reply).of_job()
        if status.get("error") or told:
            raise self._api.failed(None)
        if reply.status in GONE:
            return Missing()
        made = self._api.read(reply)
        urls = result_urls(made)
        usage = read_usage(status.get("metrics"), USAGE)
        if made.keys() & {"image", "images"}:
            usage["images"] = len(urls)
        return Finished(outputs=tuple(OutputFile("output", url=url) for url in urls), usage=usage)


def _path(upstream_id: str) -> str | None:
    owner, _, rest = upstream_id.partition(":")
    app, _, request_id = rest.partition(":")
    return f"/{owner}/{app}/requests/{request_id}" if request_id else None


def _is_end(reply: Reply) -> bool:
    """Whether a result is refused because its job has failed, and not for the moment."""
    body = read_json(reply.body)
    is_refused = reply.status >= _REFUSED_FROM
    told = at(body, "error_type")
    typed = isinstance(at(body, "detail"), list) or (isinstance(told, str) and told in ENDS)
    return is_refused and (typed or reply.status == _HELD)


def _code(body: object) -> object:
    detail = at(body, "detail")
    first = detail[0] if isinstance(detail, list) and detail else None
    return at(first, "type") or at(body, "error_type") or detail
