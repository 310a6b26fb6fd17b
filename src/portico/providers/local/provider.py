"""Serve image and video jobs on this machine, one render child per job."""

import asyncio
import os
import time
from collections import OrderedDict
from dataclasses import dataclass, field
from pathlib import Path

from portico.core.errors import ErrorCode, PorticoError
from portico.core.jobs import Kind
from portico.providers.base import Assignment, Finished, Missing, OutputFile, Pending
from portico.providers.local.process import run_child
from portico.providers.local.request import RenderInput, RenderLimits, RenderRequest

_OUTCOMES_MAX = 1_000
_CHECK_MIN_S = 0.2
_CHECK_MAX_S = 1.0
_IMAGE_LIMITS = RenderLimits(cpu_s=60, wall_s=120.0)
_VIDEO_LIMITS = RenderLimits(cpu_s=600, wall_s=1_200.0)

Outcome = Finished | PorticoError


@dataclass(slots=True)
class _Render:
    """One job that is waiting or being drawn."""

    task: "asyncio.Task[None] | None" = None
    pid: int | None = None
    running: bool = False
    progress: float = 0.0
    started_s: float = field(default_factory=time.monotonic)


class LocalProvider:
    """Draws procedural pictures and videos in child processes of this machine.

    Args:
        children_max: renders at once; None means one per processor.
        image_limits, video_limits: what one child may use.
    """

    name = "local"
    restartable = True

    def __init__(
        self,
        *,
        children_max: int | None = None,
        image_limits: RenderLimits = _IMAGE_LIMITS,
        video_limits: RenderLimits = _VIDEO_LIMITS,
    ) -> None:
        self._slots = asyncio.Semaphore(max(1, children_max or os.cpu_count() or 1))
        self._limits = {Kind.IMAGE: image_limits, Kind.VIDEO: video_limits}
        self._renders: dict[str, _Render] = {}
        self._outcomes: OrderedDict[str, Outcome] = OrderedDict()

    async def start(self, assignment: Assignment, *, attempt_id: str) -> Pending | Finished:
        """Queue one render under the id of its attempt; repeating it starts nothing new.

        Raises:
            PorticoError: UNSUPPORTED_OPTION for text; the failure itself when this attempt
                has already failed.
        """
        if assignment.job.kind not in self._limits:
            raise PorticoError(ErrorCode.UNSUPPORTED_OPTION, "The local renderer makes no text")
        known = await self.check(attempt_id)
        if not isinstance(known, Missing):
            return known
        render = self._renders[attempt_id] = _Render()
        request = _request(assignment, self._limits[assignment.job.kind])
        render.task = asyncio.create_task(self._run(attempt_id, render, request))
        return Pending(attempt_id, running=False, progress=0.0, check_after_s=_CHECK_MIN_S)

    async def check(self, upstream_id: str) -> Pending | Finished | Missing:
        """Say how far a render is.

        Raises:
            PorticoError: MEDIA_REJECTED when an input cannot be decoded, INVALID_REQUEST or
                UNSUPPORTED_OPTION as the child found, UPSTREAM_FAILED otherwise.
        """
        render = self._renders.get(upstream_id)
        if render is not None:
            waited_s = time.monotonic() - render.started_s
            return Pending(
                upstream_id,
                running=render.running,
                progress=render.progress,
                check_after_s=min(max(_CHECK_MIN_S, waited_s * 0.1), _CHECK_MAX_S),
            )
        outcome = self._outcomes.get(upstream_id)
        if isinstance(outcome, PorticoError):
            again = PorticoError(outcome.code, outcome.message, param=outcome.param)
            again.facts = dict(outcome.facts)
            raise again
        return outcome or Missing()

    async def cancel(self, upstream_id: str) -> None:
        """Kill the render's process group and forget it; harmless for an unknown id."""
        self._outcomes.pop(upstream_id, None)
        render = self._renders.get(upstream_id)
        if render is not None and render.task is not None:
            render.task.cancel()
            await asyncio.wait([render.task])

    async def close(self) -> None:
        """Kill every render child."""
        for upstream_id in list(self._renders):
            await self.cancel(upstream_id)
        self._outcomes.clear()

    async def _run(self, upstream_id: str, render: _Render, request: RenderRequest) -> None:
        try:
            async with self._slots:
                render.running = True
                outcome = await _outcome(render, request)
            self._remember(upstream_id, outcome)
        finally:
            self._renders.pop(upstream_id, None)

    def _remember(self, upstream_id: str, outcome: Outcome) -> None:
        self._outcomes[upstream_id] = outcome
        while len(self._outcomes) > _OUTCOMES_MAX:
            self._outcomes.popitem(last=False)


async def _outcome(render: _Render, request: RenderRequest) -> Outcome:
    def on_progress(done: float) -> None:
        render.progress = done

    def on_start(pid: int) -> None:
        render.pid = pid

    try:
        made = await run_child(request, on_progress=on_progress, on_start=on_start)
    except PorticoError as error:
        return error.with_traceback(None)
    except OSError:
        return PorticoError(ErrorCode.UPSTREAM_FAILED, "The local renderer failed")
    folder = Path(request.folder)
    outputs = (
        OutputFile(role="output", path=folder / made.output),
        OutputFile(role="cover", path=folder / made.cover),
    )
    return Finished(outputs=outputs, usage=made.usage)


def _request(assignment: Assignment, limits: RenderLimits) -> RenderRequest:
    job = assignment.job
    return RenderRequest(
        kind=job.kind,
        mode=job.mode,
        stage=assignment.stage,
        model=assignment.model,
        prompt=job.prompt,
        params=dict(job.params),
        inputs=tuple(
            RenderInput(role=item.role, media_type=item.media_type, path=str(item.path.absolute()))
            for item in assignment.inputs
        ),
        folder=str(assignment.folder.absolute()),
        limits=limits,
    )
