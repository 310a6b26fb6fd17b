"""Make views: a task's rows, links and progress as its owner may see them."""

from collections.abc import Sequence

import msgspec

from portico.core.errors import PorticoError
from portico.core.jobs import MediaJob
from portico.core.views import AssetView, TaskState, TaskView
from portico.flows.gateway import Gateway
from portico.flows.live import Progress
from portico.media.model import Asset
from portico.media.sniff import SUFFIXES
from portico.tasks import NewTask, Task


def task_view(gateway: Gateway, task: Task, assets: Sequence[Asset]) -> TaskView:
    """Show a task as it stands."""
    progress = gateway.live.progress(task.id)
    shown = [asset_view(gateway, asset) for asset in assets]
    return TaskView(
        id=task.id,
        account_id=task.account_id,
        dialect=task.dialect,
        kind=task.kind,
        mode=task.mode,
        model=task.model,
        offering=task.offering,
        offered_name=task.offered_name,
        state=task.state,
        params=_params(task),
        price=task.price,
        charged=task.charged,
        progress=_done(task, progress),
        failure_code=task.failure_code,
        failure_message=task.failure_message,
        usage=msgspec.json.decode(task.usage),
        upstream_started=task.state is TaskState.STORING or progress is None or progress.begun,
        provider_label=provider_label(gateway, task),
        created_at=task.created_at,
        finished_at=task.finished_at,
        expires_at=task.expires_at,
        outputs=tuple(asset for asset in shown if asset.role == "output"),
        cover=next((asset for asset in shown if asset.role == "cover"), None),
    )


def new_task_view(gateway: Gateway, task: NewTask, job: MediaJob | None = None) -> TaskView:
    """Show a task as it was at the moment it was accepted."""
    return TaskView(
        id=task.id,
        account_id=task.account_id,
        dialect=task.dialect,
        kind=task.kind,
        mode=task.mode,
        model=task.model,
        offering=task.offering,
        offered_name=task.offered_name,
        state=TaskState.QUEUED,
        params=job.params if job else _params(task),
        price=task.price,
        charged=0,
        progress=None,
        failure_code=None,
        failure_message=None,
        usage={},
        upstream_started=False,
        provider_label=provider_label(gateway, task),
        created_at=task.created_at,
        finished_at=None,
        expires_at=None,
    )


def asset_view(gateway: Gateway, asset: Asset) -> AssetView:
    """Show a stored file, with a signed link that works until the file goes."""
    extension = SUFFIXES.get(asset.media_type, "bin")
    return AssetView(
        id=asset.id,
        role=asset.role,
        media_type=asset.media_type,
        size_bytes=asset.size_bytes,
        width=asset.width,
        height=asset.height,
        duration_ms=asset.duration_ms,
        url_path=gateway.links.path(
            asset.id, expires_at=asset.expires_at, name=f"{asset.role}.{extension}"
        ),
        expires_at=asset.expires_at,
    )


def provider_label(gateway: Gateway, task: NewTask) -> str:
    """Return the word that is shown for who makes it; also for a model since removed (F36)."""
    try:
        return gateway.catalogue.model(task.model).provider_label
    except PorticoError:
        return ""


def _done(task: Task, progress: Progress | None) -> float | None:
    if task.state is TaskState.SUCCEEDED:
        return 1.0
    return progress.done if progress else None


def _params(task: NewTask) -> dict[str, str | int | float | bool]:
    job = msgspec.json.decode(task.job)
    return dict(job.get("params", {}))
