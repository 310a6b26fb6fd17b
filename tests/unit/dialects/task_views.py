"""Task views as flows would make them, with every fact a test does not care about filled in."""

from typing import Any

from portico.core.errors import ErrorCode
from portico.core.jobs import Kind, Mode
from portico.core.money import MICRO
from portico.core.views import AssetView, TaskState, TaskView

ID = 1_234_567_890_123_456_789
CREATED_AT = 1_767_965_610_929
FINISHED_AT = 1_767_965_652_317

ENDED_BADLY = (TaskState.FAILED, TaskState.CANCELLED, TaskState.EXPIRED)
UNDER_WAY = (TaskState.QUEUED, TaskState.SUBMITTING, TaskState.RUNNING, TaskState.STORING)


def view(state: TaskState, kind: Kind = Kind.VIDEO, **facts: Any) -> TaskView:
    ended = state not in UNDER_WAY
    known: dict[str, Any] = {
        "id": ID,
        "account_id": "acc_1",
        "dialect": "apixo",
        "kind": kind,
        "mode": Mode.TEXT,
        "model": "wan-2.5",
        "offering": "apixo:wan-2-5",
        "offered_name": "wan-2-5",
        "state": state,
        "params": {},
        "price": 72 * MICRO,
        "charged": 72 * MICRO if state is TaskState.SUCCEEDED else 0,
        "progress": None,
        "failure_code": ErrorCode.UPSTREAM_FAILED if state in ENDED_BADLY else None,
        "failure_message": "Generation failed" if state in ENDED_BADLY else None,
        "usage": {},
        "upstream_started": False,
        "provider_label": "wan",
        "created_at": CREATED_AT,
        "finished_at": FINISHED_AT if ended else None,
        "expires_at": None,
        "outputs": (asset(),) if state is TaskState.SUCCEEDED else (),
    }
    return TaskView(**(known | facts))


def asset(name: str = "video.mp4") -> AssetView:
    return AssetView(
        id="ast_1",
        role="output",
        media_type="video/mp4",
        size_bytes=1,
        width=None,
        height=None,
        duration_ms=None,
        url_path=f"/files/token/{name}",
        expires_at=FINISHED_AT,
    )
