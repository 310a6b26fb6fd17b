"""Replicate's predictions, for its official models, for versions and for deployments.

A model's name is `owner/name` of an official model (`POST /models/{owner}/{name}/predictions`),
`owner/name:version` or a bare version (`POST /predictions`), or `deployments/owner/name`. Without
a `Prefer` header the answer comes at once, then `GET /predictions/{id}`. Sources: the pages "HTTP
API", "Webhooks" and "Input files", the models' own pages, and what its Python client 1.0.7 sends.

There is no key of ours on a prediction. What can be told apart is the seed in its input: where the
customer names none and the model is known to have one, we choose one that follows from the
attempt, and a lost start is found by it in the list. Knows no options of a credential.
"""

import hashlib
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

from portico.core.clock import MINUTE_MS, SECOND_MS
from portico.core.jobs import Kind, Mode, ParamValue, Role
from portico.core.upstreams import Call, Part, Trouble, Upstream, UpstreamError
from portico.providers.base import (
    Assignment,
    Capabilities,
    Credential,
    Finished,
    HandOver,
    InputFile,
    Lost,
    Missing,
    OutputFile,
    Pending,
)
from portico.providers.http import Api, Refusals, State, at, hint_of, read_id, read_url, read_usage
from portico.providers.inputs import file_name
from portico.providers.profiles import Profile, full_name, profile_of, read_input, result_urls

PREDICTIONS = "/predictions"
STATES = {
    "starting": State.QUEUED,
    "processing": State.RUNNING,
    "succeeded": State.DONE,
    "failed": State.FAILED,
    "canceled": State.FAILED,
    "aborted": State.FAILED,
}
REFUSALS = Refusals(
    code_at=("detail",),  # a text, as a failed prediction's error is
    codes={
        "*NSFW*": Trouble.CONTENT,
        "*(E005)*": Trouble.CONTENT,
        "*flagged as sensitive*": Trouble.CONTENT,
        "*(E006)*": Trouble.REQUEST,
    },
)
_WAYS = (HandOver.PASS, HandOver.DATA, HandOver.UPLOAD, HandOver.LINK)
CAN = Capabilities(
    kinds=frozenset({Kind.VIDEO, Kind.IMAGE}),
    media={"image": _WAYS, "video": _WAYS, "audio": _WAYS},
    data_bytes_max=256_000,
    calls_back=True,
)
ENDINGS = {"wan-video/wan-2.[0-9]": {Mode.TEXT: "-t2v", Mode.IMAGE: "-i2v"}}
_COMMON = {"duration": "duration", "resolution": "resolution", "ratio": "aspect_ratio"}
_SEEDED = _COMMON | {"seed": "seed"}
_SEEDANCE = _SEEDED | {"lock_camera": "camera_fixed"}
_WAN = {
    "duration": "duration",
    "seed": "seed",
    "negative_prompt": "negative_prompt",
    "prompt_expansion": "enable_prompt_expansion",
}
_FRAMES = {Role.FIRST_FRAME: "image", Role.LAST_FRAME: "last_frame_image"}
_OF_FRAME = frozenset({"ratio"})
_NEUTRAL: Mapping[str, Mapping[ParamValue, ParamValue | None]] = {"ratio": {"adaptive": None}}
_PICTURES = dict.fromkeys(
    (Role.REFERENCE_IMAGE, Role.SOURCE_IMAGE, Role.FIRST_FRAME), "image_input"
)
# After the models' own pages where those could be read; the last of each kind is what most models
# there have in common.
PROFILES = (
    Profile(
        models="bytedance/seedance-1.5*",
        params={name: _SEEDANCE[name] for name in _SEEDANCE if name != "resolution"}
        | {"audio": "generate_audio"},
        roles=_FRAMES,
        words={**_NEUTRAL, "resolution": {"720p": None}},  # the only one it makes
        is_seeded=True,
    ),
    Profile(
        models="bytedance/seedance-1*",
        params=_SEEDANCE,
        roles=_FRAMES | {Role.REFERENCE_IMAGE: "reference_images"},
        lists=frozenset({"reference_images"}),
        words=_NEUTRAL,
        is_seeded=True,
    ),
    Profile(
        models="bytedance/seedance-2*",
        params=_SEEDED | {"audio": "generate_audio"},
        roles=_FRAMES
        | {
            Role.REFERENCE_IMAGE: "reference_images",
            Role.REFERENCE_VIDEO: "reference_videos",
            Role.REFERENCE_AUDIO: "reference_audios",
        },
        lists=frozenset({"reference_images", "reference_videos", "reference_audios"}),
        words=_NEUTRAL,
        is_seeded=True,
    ),
    Profile(
        models="wan-video/wan-2.[56]-t2v*",
        params=_WAN | {"ratio": "size", "size": "size"},
        words={
            "ratio": {"16:9": "1280*720", "9:16": "720*1280", "adaptive": None},
            "resolution": {"720p": None},  # the size says it
        },
        size_mark="*",
        is_seeded=True,
    ),
    Profile(
        models="wan-video/wan-2.[56]-i2v*",
        params=_WAN | {"resolution": "resolution"},
        roles={Role.FIRST_FRAME: "image"},
        of_frame=_OF_FRAME,
        splits_size=True,
        is_seeded=True,
    ),
    Profile(
        models="wan-video/wan-2.7-*",
        params=_WAN | _COMMON,
        roles={Role.FIRST_FRAME: "image"},
        of_frame=_OF_FRAME,
        splits_size=True,
        is_seeded=True,
    ),
    Profile(
        models="minimax/hailuo-*",
        params={
            "duration": "duration",
            "resolution": "resolution",
            "prompt_expansion": "prompt_optimizer",
        },
        roles={Role.FIRST_FRAME: "first_frame_image", Role.LAST_FRAME: "last_frame_image"},
        words={"ratio": {"adaptive": None}},
        of_frame=_OF_FRAME,
    ),
    Profile(
        models="*",
        params=_SEEDED | {"negative_prompt": "negative_prompt"},
        roles={Role.FIRST_FRAME: "image"},
        words=_NEUTRAL,
        of_frame=_OF_FRAME,
    ),
    Profile(
        models="bytedance/seedream-[45]*",
        kind=Kind.IMAGE,
        params={"ratio": "aspect_ratio", "resolution": "size"},
        roles=_PICTURES,
        lists=frozenset({"image_input"}),
        words={**_NEUTRAL, "resolution": {"1k": "1K", "2k": "2K", "4k": "4K"}},
    ),
    Profile(
        models="*",
        kind=Kind.IMAGE,
        params={"ratio": "aspect_ratio", "seed": "seed"},
        roles=dict.fromkeys((Role.REFERENCE_IMAGE, Role.SOURCE_IMAGE, Role.FIRST_FRAME), "image"),
        words=_NEUTRAL,
    ),
)
USAGE = {"predict_time": "compute_seconds"}
PICTURES = (".png", ".jpg", ".jpeg", ".webp", ".avif")
LIST_PAGES_MAX = 20
CLOCKS_DIFFER_MS = 5 * MINUTE_MS
SEEDS = 2**31 - 1  # the models take no larger one


class Replicate:
    """Implements `TaskProvider` for one credential, looks up lost starts and reads callbacks."""

    name = "replicate"
    restartable = False
    capabilities = (CAN,)

    def __init__(self, credential: Credential, upstream: Upstream) -> None:
        headers = {"Authorization": f"Bearer {credential.secret}"}
        self._api = Api(upstream, headers=headers, refusals=REFUSALS)

    async def start(self, assignment: Assignment, *, attempt_id: str) -> Pending | Finished:
        """Create a prediction and return its id."""
        model = full_name(ENDINGS, assignment)
        path, body = _target(model)
        profile = profile_of(PROFILES, model, assignment.job.kind)
        asked = await read_input(profile, assignment, CAN, upload=self._upload)
        if profile.is_seeded:
            asked.setdefault("seed", seed_of(attempt_id))
        body["input"] = asked
        if assignment.callback_url:
            body["webhook"] = assignment.callback_url
            body["webhook_events_filter"] = ["completed"]
        answer = await self._api.begin(path, attempt_id=attempt_id, body=body)
        upstream_id = read_id(answer.get("id"))
        return Pending(upstream_id, running=False, check_after_s=CAN.check_after_s)

    async def check(self, upstream_id: str) -> Pending | Finished | Missing:
        """Read a prediction once."""
        asked = await self._api.ask(f"{PREDICTIONS}/{upstream_id}")
        return Missing() if asked is None else self._outcome(upstream_id, asked[0])

    async def cancel(self, upstream_id: str) -> None:
        """Stop a prediction; one that has ended stays as it is."""
        await self._api.stop("POST", f"{PREDICTIONS}/{upstream_id}/cancel")

    async def find(self, lost: Lost) -> Pending | Finished | Missing | None:
        """Look through the list for the prediction that carries the seed of this attempt."""
        model = full_name(ENDINGS, lost.assignment)
        job = lost.assignment.job
        if "seed" in job.params or not profile_of(PROFILES, model, job.kind).is_seeded:
            return None
        seed, since_ms = seed_of(lost.attempt_id), lost.started_at - CLOCKS_DIFFER_MS
        cursor, is_certain = "", True
        for _ in range(LIST_PAGES_MAX):
            page = await self._page(cursor)
            items = page["results"]
            times = [_created_ms(item) for item in items]
            for item, created_ms in zip(items, times, strict=True):
                is_ours = at(item, "input", "seed") == seed
                if is_ours and created_ms >= since_ms:
                    return self._outcome(read_id(item.get("id")), item)
                is_late = created_ms >= since_ms and at(item, "data_removed") is True
                is_certain = is_certain and not is_late and not (is_ours and not created_ms)
            cursor = _cursor(page.get("next"))
            if not cursor or (times and min(times) > 0 and max(times) < since_ms):
                return Missing() if is_certain else None
        return None  # the list is longer than what can be looked through

    def parse_callback(self, body: bytes) -> str | None:
        """Return the prediction's id."""
        return hint_of(body, "id")

    async def close(self) -> None:
        """Let go of all connections."""
        await self._api.upstream.close()

    def _outcome(self, upstream_id: str, prediction: Mapping[str, Any]) -> Pending | Finished:
        state = self._api.state(STATES, prediction.get("status"))
        if state is State.FAILED:
            raise self._api.failed(prediction.get("error"))
        if state is not State.DONE:
            running = state is State.RUNNING
            return Pending(upstream_id, running=running, check_after_s=CAN.check_after_s)
        urls = result_urls(prediction.get("output"))
        usage = read_usage(prediction.get("metrics"), USAGE)
        if pictures := [url for url in urls if urlsplit(url).path.endswith(PICTURES)]:
            usage["images"] = len(pictures)
        return Finished(outputs=tuple(OutputFile("output", url=url) for url in urls), usage=usage)

    async def _page(self, cursor: str) -> Mapping[str, Any]:
        query = (("cursor", cursor),) if cursor else ()
        asked = await self._api.ask(PREDICTIONS, query=query)
        if asked is None or not isinstance(asked[0].get("results"), list):
            raise UpstreamError(Trouble.UNREACHED, error="no list")
        return asked[0]

    async def _upload(self, file: InputFile) -> str:
        """Lay a file down there for a day; nothing is begun by it, so it may be tried again."""
        part = Part(
            name="content",
            path=file.path,
            media_type=file.media_type,
            file_name=file_name(file, 0),
        )
        call = Call(method="POST", path="/files", headers=self._api.headers, parts=(part,))
        answer = self._api.read(await self._api.upstream.send(call))
        if url := read_url(at(answer, "urls", "get")):
            return url
        raise UpstreamError(Trouble.UNREACHED, error="no address")


def seed_of(attempt_id: str) -> int:
    """Return the seed that marks an attempt: one in two billion shares it."""
    return int.from_bytes(hashlib.sha256(attempt_id.encode()).digest()[:4], "big") % SEEDS


def _target(model: str) -> tuple[str, dict[str, Any]]:
    """Return where a prediction of a model is created, and what says the model there."""
    name, _, version = model.partition(":")
    if version or "/" not in model:
        return PREDICTIONS, {"version": version or model}
    if name.startswith("deployments/"):
        return f"/{name}{PREDICTIONS}", {}
    return f"/models/{name}{PREDICTIONS}", {}


def _created_ms(item: object) -> int:
    """Return when a prediction was created, 0 where that cannot be read."""
    try:
        return int(datetime.fromisoformat(str(at(item, "created_at"))).timestamp() * SECOND_MS)
    except ValueError:
        return 0


def _cursor(address: object) -> str:
    """Return the cursor in the address of the next page, which itself is never followed."""
    if not isinstance(address, str):
        return ""
    return next(iter(parse_qs(urlsplit(address).query).get("cursor", [])), "")
