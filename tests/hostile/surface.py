"""Every door of the gateway, read from the route table itself: a new route is here at once."""

import json
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from portico.app import build_dialects
from portico.dialects.endpoint import Dialect, owner
from portico.settings import Settings

UNKNOWN_TASK = "1234567890123456789"
DIALECTS = build_dialects(Settings())
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND")
_PARAMETER = re.compile(r"{(?P<name>\w+)(:\w+)?}")
_FILLED = {"task_id": UNKNOWN_TASK, "video_id": f"video_{UNKNOWN_TASK}", "name": "a.mp4"}


class Door(NamedTuple):
    """One method of one route, with a path that can be asked."""

    dialect: str
    method: str
    path: str
    template: str
    admits: bool

    @property
    def reads_task(self) -> bool:
        """Whether the path names a task."""
        return "{task_id}" in self.template or "{video_id}" in self.template

    def __str__(self) -> str:
        return f"{self.method} {self.template}"


def filled(template: str) -> str:
    """Return a path for a route's template."""

    def fill(match: re.Match[str]) -> str:
        if match["name"] == "model":
            return "wan-2-5" if "Task" in template else "gpt-4o"
        return _FILLED.get(match["name"], "x")

    return _PARAMETER.sub(fill, template)


def owner_of(path: str) -> Dialect:
    """Return the dialect whose shape a path's errors have."""
    return owner(DIALECTS, path)


def sound(door: Door, host_url: str) -> dict[str, Any]:
    """Return a body that a door takes."""
    text = json.dumps(SOUND[door.template]).replace("{host}", host_url)
    return dict(json.loads(text))


_CHAT: dict[str, Any] = {
    "model": "gpt-4o",
    "messages": [{"role": "user", "content": "Hello"}],
    "max_tokens": 5,
}
_VIDEO: dict[str, Any] = {"model": "seedance-2.0", "prompt": "a cat"}
_PORTICO: dict[str, Any] = {"model": "portico/scene", "prompt": "a cat", "params": {}}

# a body that is accepted, so that a fault in one field gets past all the others
SOUND: Mapping[str, dict[str, Any]] = {
    "/api/v1/tasks": {
        "modal_key": "seedance_v20",
        "option_key": "720p_5_off",
        "prompt": "a cat",
        "image_url": "{host}/input.png",
    },
    "/api/v1/video/generate": {
        "model": "seedance-2.0/text-to-video",
        "prompt": "a cat",
        "duration": 4,
    },
    "/api/v1/image/generate": {"model": "bytedance/seedream-4.5", "prompt": "a cat"},
    "/api/v1/text/generate": {"model": "gpt-4o", "prompt": "Hello", "max_tokens": 5},
    "/api/v1/generateTask/{model}": {
        "request_type": "async",
        "input": {"mode": "text-to-video", "prompt": "a cat", "duration": 5},
    },
    "/llmage/v1/chat/completions": _CHAT | {"model": "qwen3-max"},
    "/llmage/t2t": {"model": "qwen3-max", "prompt": "Hello", "max_tokens": 5},
    "/llmage/video": {"model": "wan2.6-t2v", "prompt": "a cat"},
    "/llmage/v1/video/generations": {"model": "wan2.6-t2v", "prompt": "a cat"},
    "/v1/chat/completions": _CHAT,
    "/v1/images/generations": {"model": "portico/picture", "prompt": "a cat"},
    "/v1/images/edits": {"prompt": "a cat", "image": "{host}/input.png"},
    "/v1/videos": _VIDEO,
    "/portico/v1/tasks": _PORTICO,
    "/portico/v1/generate": _PORTICO,
    "/portico/v1/quote": _PORTICO,
    "/llmage/tasks": {"taskid": UNKNOWN_TASK},
    "/llmage/v1/tasks": {"taskid": UNKNOWN_TASK},
    "/v1/tasks": {"taskid": UNKNOWN_TASK},
}

# doors that read no body: what is sent to them is of no concern
DEAF = tuple(f"/v1/videos/{noun}" for noun in ("edits", "extensions", "characters"))
DEAF += ("/v1/videos/{video_id}/remix", "/portico/v1/tasks/{task_id}/cancel")


# every name any dialect knows, so that each is tried at each door
_NAMES = (
    "modal_key model_key model option_key prompt image_url video_url clothes_image_url "
    "wardrobe_replace motion_orientation ratio enhance_4k duration aspect_ratio generate_audio "
    "lock_camera mode image_urls system max_tokens temperature request_type callback_url provider "
    "input resolution negative_prompt seed enable_prompt_expansion llmid catelogid image1_file "
    "image2_file image_files video_files audio_files image size radio off_peak messages sys_prompt "
    "stream stream_options max_completion_tokens tools functions n response_format seconds "
    "input_reference quality background stop top_p logit_bias params inputs route taskid "
    "task_id wait user metadata audio"
)
FIELDS = tuple(_NAMES.split())
INSIDE = {"input": FIELDS, "params": ("duration", "resolution", "ratio", "seed", "audio", "size")}

DOORS = [
    Door(dialect.name, method, filled(route.path), route.path, route.admits)
    for dialect in DIALECTS
    for route in dialect.routes
    for method in route.methods
]
POSTS = [each for each in DOORS if each.method == "POST"]
HEARING = [each for each in POSTS if each.template in SOUND]
WORKING = [each for each in HEARING if not each.template.endswith("/tasks") or "api" in each.path]
ADMITTING = [each for each in DOORS if each.admits]
