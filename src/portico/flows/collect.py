"""Copy what an upstream made into our own storage, check it, and end the stage or the task.

A provider's file on this machine is one we made ourselves; everything behind a URL is hostile
until its bytes have been checked. A record never points to a partial file: files first, rows after.
"""

import asyncio
import shutil
from collections.abc import Mapping
from pathlib import Path

from portico import tasks
from portico.core import faults
from portico.core.clock import HOUR_MS
from portico.core.errors import ErrorCode, PorticoError
from portico.core.jobs import Kind, Role
from portico.core.views import TaskState
from portico.flows import costing, settle
from portico.flows.download import copy_out
from portico.flows.gateway import Gateway
from portico.media import service as media
from portico.media.inspection import Facts
from portico.media.model import AssetRole, NewAsset
from portico.media.sniff import sniff_file
from portico.media.storage import storage_key
from portico.providers.base import Finished, InputFile, OutputFile
from portico.store import Tx
from portico.tasks import Task

FETCHES_MAX = 3
FETCH_AGAIN_S = 1.0
STAGE_KEPT_MS = 2 * HOUR_MS


async def collect(gateway: Gateway, task: Task, attempt_id: str, finished: Finished) -> None:
    """Store the outputs, then go on to the next stage or settle; safe to repeat.

    Raises:
        PorticoError: UPSTREAM_FAILED when there is nothing usable in what came back.
    """
    if task.state is not TaskState.STORING:
        faults.reach("storing.before_commit")
        is_open = await _note_made(gateway, task, attempt_id, finished.usage)
        faults.reach("storing.after_commit")
        if not is_open:
            return
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

    await gateway.store.write(write, lane=task.id)
    faults.reach("stage.after_commit")
    settle.leave_room(gateway, task)


async def _note_made(
    gateway: Gateway, task: Task, attempt_id: str, usage: Mapping[str, object]
) -> bool:
    """Write down that the upstream is done, and what it takes whatever becomes of the result.

    False: the task has ended meanwhile.
    """
    cost = await costing.attempt_cost(gateway, task, attempt_id, usage)

    def write(tx: Tx) -> bool:
        if cost is not None:
            tasks.note_cost(tx, attempt_id, cost=cost)
        return tasks.mark_storing(tx, task.id, runner=task.runner)

    return await gateway.store.write(write, lane=task.id)


def is_gone(finished: Finished) -> bool:
    """Whether a file made on this machine is no longer where its maker left it.

    Storing moves files: one that was stored and could not be recorded has to be made again.
    """
    paths = [each.path for each in finished.outputs if each.role == "output"]
    return any(path is not None and not path.exists() for path in paths)


async def stage_result(gateway: Gateway, task: Task, folder: Path) -> InputFile:
    """Bring what the stage before made to this machine's disk, as the next stage's input."""
    kept = await gateway.store.read(lambda tx: media.of_task(tx, task.id))
    made = [asset for asset in kept if asset.role is AssetRole.STAGE]
    if not made:
        raise PorticoError(ErrorCode.UPSTREAM_FAILED, "Generation failed")
    target = folder / f"stage-{task.stage}"
    await copy_out(gateway, made[-1], target)
    role = Role.SOURCE_VIDEO if made[-1].media_type.startswith("video/") else Role.SOURCE_IMAGE
    return InputFile(role=role, media_type=made[-1].media_type, path=target)


async def _store_all(
    gateway: Gateway, task: Task, attempt_id: str, finished: Finished, *, last: bool
) -> list[NewAsset]:
    folder = gateway.work_folder / str(task.id)
    outputs = [each for each in finished.outputs if each.role == "output"]
    if not outputs:
        raise PorticoError(ErrorCode.UPSTREAM_FAILED, "Generation failed")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)  # a restored copy has no work folders
    faults.reach("collect.before_store")
    cover = next((each.path for each in finished.outputs if each.role == "cover"), None)
    stored = []
    for number, output in enumerate(outputs):
        fetched = folder / f"{attempt_id}-{number}"
        path, facts = await _checked(gateway, task, output, fetched, finished.usage)
        role = AssetRole.OUTPUT if last else AssetRole.STAGE
        stored.append(await _put(gateway, task, path, role=role, facts=facts))
        made_cover = cover or fetched.with_suffix(".cover")
        if last and number == 0 and task.kind is Kind.VIDEO and made_cover.exists():
            stored.append(
                await _put(gateway, task, made_cover, role=AssetRole.COVER, facts=Facts())
            )
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
    await _download(gateway, task, output, fetched)
    media_type = await asyncio.to_thread(sniff_file, fetched)
    if media_type is None or not media_type.startswith(f"{task.kind}/"):
        raise PorticoError(ErrorCode.UPSTREAM_FAILED, "Generation failed")
    cover_to = fetched.with_suffix(".cover") if task.kind is Kind.VIDEO else None
    try:
        return fetched, await gateway.inspector.inspect(fetched, media_type, cover_to=cover_to)
    except PorticoError as error:  # a bad result is no fault of what the customer sent
        raise PorticoError(ErrorCode.UPSTREAM_FAILED, "Generation failed") from error


async def _download(gateway: Gateway, task: Task, output: OutputFile, target: Path) -> None:
    """Fetch a result, in a few tries: the upstream's link may only be late (F17)."""
    size_max_bytes = gateway.limits.video_size_max_bytes
    for left in reversed(range(FETCHES_MAX)):
        await asyncio.to_thread(target.unlink, missing_ok=True)
        try:
            if output.save is not None:
                await output.save(target, size_max_bytes)
            else:
                await gateway.door.download(
                    output.url or "",
                    target,
                    size_max_bytes=size_max_bytes,
                    account_id=task.account_id,
                )
        except PorticoError as error:
            if left == 0:
                message = "Generation failed"
                raise PorticoError(ErrorCode.UPSTREAM_FAILED, message) from error
            await gateway.clock.sleep(FETCH_AGAIN_S)
        else:
            return


async def _put(
    gateway: Gateway, task: Task, path: Path, *, role: AssetRole, facts: Facts
) -> NewAsset:
    media_type = await asyncio.to_thread(sniff_file, path)
    if media_type is None:
        raise PorticoError(ErrorCode.UPSTREAM_FAILED, "Generation failed")
    asset_id = gateway.ids.opaque_id("ast")
    key = storage_key(asset_id, media_type)
    size_bytes = await asyncio.to_thread(lambda: path.stat().st_size)
    await gateway.storage.put_file(await _own(gateway, task, path), key)
    now = gateway.clock.now()
    kept_ms = STAGE_KEPT_MS if role is AssetRole.STAGE else gateway.limits.result_kept_ms
    return NewAsset(
        id=asset_id,
        account_id=task.account_id,
        task_id=task.id,
        role=role,
        media_type=media_type,
        size_bytes=size_bytes,
        width=facts.width,
        height=facts.height,
        duration_ms=facts.duration_ms,
        storage_key=key,
        created_at=now,
        expires_at=now + kept_ms,
    )


async def _own(gateway: Gateway, task: Task, path: Path) -> Path:
    """Return a file that storing may move away: a copy of one that is not the task's own."""
    folder = gateway.work_folder / str(task.id)
    if path.is_relative_to(folder):
        return path
    copied = folder / f"own-{path.name}"
    await asyncio.to_thread(shutil.copyfile, path, copied)
    return copied


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
