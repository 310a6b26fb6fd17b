"""What a stage of a task works on, and where: its folder and its input files."""

from pathlib import Path

from portico.flows import collect, gather, notices
from portico.flows.gateway import Gateway
from portico.providers.base import Assignment, InputFile
from portico.tasks import RouteTaken, Task


async def stage_inputs(gateway: Gateway, task: Task) -> tuple[InputFile, ...]:
    """Return the customer's files for the first stage, for a later one what the last one made."""
    if task.stage > 0:
        return (await collect.stage_result(gateway, task, work_folder(gateway, task)),)
    if not task.media_job().inputs:
        return ()
    return await gather.fetch_inputs(gateway, task, work_folder(gateway, task))


def assignment_of(
    gateway: Gateway,
    task: Task,
    attempt_id: str,
    route: RouteTaken,
    inputs: tuple[InputFile, ...],
) -> Assignment:
    """Return what a provider is handed for the stage at which a task stands."""
    job = task.media_job()
    return Assignment(
        job=job,
        stage=job.stages[task.stage],
        model=route.upstream_model,
        inputs=inputs,
        folder=work_folder(gateway, task),
        callback_url=notices.callback_url(gateway, route.credential, attempt_id),
    )


def work_folder(gateway: Gateway, task: Task) -> Path:
    """Make the task's own folder: always a local disk, and cheaper than a hop to a thread."""
    folder = gateway.work_folder / str(task.id)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder
