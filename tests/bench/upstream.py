"""An emulated upstream that also tells how long each job's end went unnoticed.

Run as `python -m tests.bench.upstream PORT`, in a process of its own. A prompt says how long its
job takes, such as `a lake [takes:8]`; without that it takes an hour.
"""

import asyncio
import contextlib
import re
import sys
from dataclasses import dataclass, field

from portico.core.clock import SECOND_MS
from portico.emulators.emulator import Job, Received
from portico.emulators.wavespeed import WaveSpeedEmulator
from portico.emulators.wire import Answer, Request, json_answer

SEEN_PATH = "/_emulator/seen"
LONG_S = 3_600.0
_TAKES = re.compile(r"\[takes:([\d.]+)\]")


@dataclass(slots=True)
class Watched(WaveSpeedEmulator):
    """WaveSpeed, with a stopwatch on every job."""

    reads: int = 0
    unnoticed_ms: dict[str, int] = field(default_factory=dict)  # from the end to the first look

    def new_job(self, received: Received, *, kind: str, prefix: str) -> Job:
        """Take a job that is done when its prompt says so."""
        job = WaveSpeedEmulator.new_job(self, received, kind=kind, prefix=prefix)
        found = _TAKES.search(str(job.body.get("prompt", "")))
        took_s = float(found[1]) if found else LONG_S
        job.due_at = job.created_at + round(took_s * SECOND_MS)
        return job

    async def _read(self, received: Received) -> Answer:
        self.reads += 1
        job, now = self.known(received), self.clock.now()
        if now >= job.due_at:
            self.unnoticed_ms.setdefault(job.id, now - job.due_at)
        return await WaveSpeedEmulator._read(self, received)

    async def _answer(self, request: Request) -> Answer:
        if request.path == SEEN_PATH:
            told = {"reads": self.reads, "unnoticed_ms": list(self.unnoticed_ms.values())}
            return json_answer(told | {"jobs": len(self.jobs)})
        answer = await WaveSpeedEmulator._answer(self, request)
        self.requests.clear()  # there are millions
        return answer


async def _serve(port: int) -> None:
    await Watched().start(port=port)
    await asyncio.Event().wait()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_serve(int(sys.argv[1])))
