"""Copy what an upstream made into our own storage, check it, and end the stage or the task.

A provider's file on this machine is one we made ourselves; everything behind a URL is hostile
until its bytes have been checked. A record never points to a partial file: files first, rows after.
"""

import asyncio
from collections.abc import Mapping
from pathlib import Path

from portico import media, tasks
from portico.core import faults
from portico.core.errors import ErrorCode, PorticoError
from portico.core.jobs import Kind, Role
from portico.core.views import TaskState
from portico.flows import settle
from portico.flows.gateway import Gateway
from portico.media import Facts, NewAsset
from portico.providers.base import Finished, InputFile, OutputFile
from portico.store import Tx
from portico.tasks import Task

STAGE_ROLE = "stage"  # an asset that only feeds the task's next stage


async def collect(gateway: Gateway, task: Task, attempt_id: str, finished: Finished) -> None:
    """Store the outputs, then go on to the next stage or settle; safe to repeat.

    Raises:
        PorticoError: UPSTREAM_FAILED when there is nothing usable in what came back.
    """
    if task.state is not TaskState.STORING:
        faults.reach("storing.before_commit")
        await gateway.store.write(lambda tx: tasks.mark_storing(tx, task.id))
        faults.reach("storing.after_commit")
    last = task.stage + 1 == len(task.media_job().stages)
    assets = await _store_all(gateway, task, attempt_id, finished, last=last)
    if last:
        if not await settle.succeed(gateway, task, assets, finished.usage):
            await gateway.storage.delete([asset.storage_key for asset in assets])
        return
    now = gateway.clock.now()
    faults.reach("stage.before_commit")

    def write(tx: Tx) -> None:
        if tasks.next_stage(tx, task, now=now):
            for asset in assets:
                media.record(tx, asset)

    await gateway.store.write(write)
    faults.reach("stage.after_commit")


async def stage_result(gateway: Gateway, task: Task, folder: Path) -> InputFile:
    """Bring what the stage before made to this machine's disk, as the next stage's input."""
    kept = await gateway.store.read(lambda tx: media.of_task(tx, task.id))
    made = [asset for asset in kept if asset.role == STAGE_ROLE]
    if not made:
        raise PorticoError(ErrorCode.UPSTREAM_FAILED, "Generation failed")
    target = folder / f"stage-{task.stage}"
    await gateway.storage.copy_out(made[-1].storage_key, target)
    role = Role.SOURCE_VIDEO if made[-1].media_type.startswith("video/") else Role.SOURCE_IMAGE
    return InputFile(role=role, media_type=made[-1].media_type, path=target)


async def _store_all(
    gateway: Gateway, task: Task, attempt_id: str, finished: Finished, *, last: bool
) -> list[NewAsset]:
    folder = gateway.work_folder / str(task.id)
    outputs = [each for each in finished.outputs if each.role == "output"]
    if not outputs:
        raise PorticoError(ErrorCode.UPSTREAM_FAILED, "Generation failed")
    faults.reach("collect.before_store")
    cover = next((each.path for each in finished.outputs if each.role == "cover"), None)
    stored = []
    for number, output in enumerate(outputs):
        fetched = folder / f"{attempt_id}-{number}"
        path, facts = await _checked(gateway, task, output, fetched, finished.usage)
        role = "output" if last else STAGE_ROLE
        stored.append(await _put(gateway, task, path, role=role, facts=facts))
        made_cover = cover or fetched.with_suffix(".cover")
        if last and number == 0 and task.kind is Kind.VIDEO and made_cover.exists():
            stored.append(await _put(gateway, task, made_cover, role="cover", facts=Facts()))
    faults.reach("collect.after_store")
    return stored


async def _checked(
    gateway: Gateway,
    task: Task,
    output: OutputFile,
    fetched: Path,
    usage: Mapping[str, object],
) -> tuple[Path, Facts]:
    if output.path is not None:
        return output.path, _facts_of(usage)
    await gateway.door.download(
        output.url or "",
        fetched,
        size_max_bytes=gateway.limits.video_size_max_bytes,
        account_id=task.account_id,
    )
    media_type = await asyncio.to_thread(media.sniff_file, fetched)
    if media_type is None or not media_type.startswith(f"{task.kind}/"):
        raise PorticoError(ErrorCode.UPSTREAM_FAILED, "Generation failed")
    cover_to = fetched.with_suffix(".cover") if task.kind is Kind.VIDEO else None
    return fetched, await media.inspect(fetched, media_type, cover_to=cover_to)


async def _put(
    gateway: Gateway, task: Task, path: Path, *, role: str, facts: Facts
) -> NewAsset:
    media_type = await asyncio.to_thread(media.sniff_file, path)
    if media_type is None:
        raise PorticoError(ErrorCode.UPSTREAM_FAILED, "Generation failed")
    asset_id = gateway.ids.opaque_id("ast")
    stored = await gateway.storage.put_file(path, media.storage_key(asset_id))
    now = gateway.clock.now()
    return NewAsset(
        id=asset_id,
        account_id=task.account_id,
        task_id=task.id,
        role=role,
        media_type=media_type,
        size_bytes=stored,
        width=facts.width,
        height=facts.height,
        duration_ms=facts.duration_ms,
        storage_key=media.storage_key(asset_id),
        created_at=now,
        expires_at=now + gateway.limits.result_kept_ms,
    )


def _facts_of(usage: Mapping[str, object]) -> Facts:
    """Read what our own renderer measured of its file."""
    duration_s = usage.get("duration_s")
    return Facts(
        width=_whole(usage.get("width")),
        height=_whole(usage.get("height")),
        duration_ms=round(duration_s * 1000) if isinstance(duration_s, int | float) else None,
    )


def _whole(value: object) -> int | None:
    return value if isinstance(value, int) else None
