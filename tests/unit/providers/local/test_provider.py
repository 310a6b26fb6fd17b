import asyncio
import os
import signal
import sys
from pathlib import Path

import msgspec
import pytest

from portico.core.errors import ErrorCode, PorticoError
from portico.core.jobs import Kind
from portico.providers.base import Finished, Missing, Pending
from portico.providers.local import provider as provider_module
from portico.providers.local.provider import LocalProvider
from portico.providers.local.request import RenderLimits
from tests.unit.providers.local.conftest import finish, output


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


async def child_of(provider: LocalProvider, attempt_id: str) -> int:
    async with asyncio.timeout(20):
        while (pid := provider._renders[attempt_id].pid) is None:  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.01)
    return pid


async def until_drawing(provider: LocalProvider, attempt_id: str) -> None:
    async with asyncio.timeout(20):
        while provider._renders[attempt_id].progress == 0:  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.01)


async def test_unknown_id_is_missing_and_cancel_of_it_harmless(provider):
    await provider.cancel("nobody")
    assert isinstance(await provider.check("nobody"), Missing)


async def test_render_goes_from_pending_to_finished(provider, assign):
    started = await provider.start(assign(), attempt_id="a")
    assert started == Pending("a", running=False, progress=0.0, check_after_s=0.2)
    finished = await finish(provider, assign(), "a")
    assert output(finished).exists()
    assert await provider.check("a") == finished


async def test_progress_grows_and_stays_within_bounds(provider, assign):
    await provider.start(assign(duration=3), attempt_id="a")
    seen = []
    async with asyncio.timeout(30):
        while isinstance(answer := await provider.check("a"), Pending):
            assert answer.progress is not None
            seen.append(answer.progress)
            assert 0.2 <= answer.check_after_s <= 1.0
            await asyncio.sleep(0.01)
    assert seen == sorted(seen)
    assert 0 < seen[-1] <= 1


async def test_starting_an_attempt_twice_renders_once(provider, assign):
    first, second = assign(), assign()
    await provider.start(first, attempt_id="a")
    again = await provider.start(second, attempt_id="a")
    assert isinstance(again, Pending)
    finished = await finish(provider, second, "a")
    assert output(finished).parent == first.folder
    assert list(second.folder.iterdir()) == []


async def test_no_more_children_run_than_allowed(assign):
    provider = LocalProvider(children_max=1)
    for name in ("a", "b"):
        await provider.start(assign(duration=20), attempt_id=name)
    await child_of(provider, "a")
    waiting = await provider.check("b")
    assert isinstance(waiting, Pending)
    assert not waiting.running
    await provider.cancel("a")
    await child_of(provider, "b")
    await provider.close()


async def test_cancel_leaves_no_process_and_no_file(provider, assign):
    job = assign(duration=30)
    await provider.start(job, attempt_id="a")
    pid = await child_of(provider, "a")
    await until_drawing(provider, "a")
    await provider.cancel("a")
    assert not alive(pid)
    assert list(job.folder.iterdir()) == []
    assert isinstance(await provider.check("a"), Missing)


async def test_close_kills_every_child(assign):
    provider = LocalProvider(children_max=2)
    pids = []
    for name in ("a", "b"):
        await provider.start(assign(duration=30), attempt_id=name)
        pids.append(await child_of(provider, name))
    await provider.close()
    assert not any(alive(pid) for pid in pids)


async def test_killed_child_is_an_upstream_failure(provider, assign):
    job = assign(duration=30)
    await provider.start(job, attempt_id="a")
    os.kill(await child_of(provider, "a"), signal.SIGKILL)
    with pytest.raises(PorticoError) as caught:
        await finish(provider, job, "a")
    assert caught.value.code is ErrorCode.UPSTREAM_FAILED
    assert list(job.folder.iterdir()) == []


async def test_failure_is_told_again_on_every_check(provider, assign):
    job = assign(size="wide")
    for _ in range(2):
        with pytest.raises(PorticoError) as caught:
            await finish(provider, job, "a")
        assert caught.value.code is ErrorCode.INVALID_REQUEST


async def test_processor_limit_ends_as_failure(assign):
    provider = LocalProvider(video_limits=RenderLimits(cpu_s=1))
    with pytest.raises(PorticoError) as caught:
        await finish(provider, assign(duration=60, size="1280x720"), "a")
    assert caught.value.code is ErrorCode.UPSTREAM_FAILED
    await provider.close()


async def test_wall_clock_limit_ends_as_failure(assign):
    provider = LocalProvider(video_limits=RenderLimits(wall_s=0.5))
    job = assign(duration=60)
    with pytest.raises(PorticoError) as caught:
        await finish(provider, job, "a")
    assert caught.value.code is ErrorCode.UPSTREAM_FAILED
    assert list(job.folder.iterdir()) == []
    await provider.close()


async def test_full_disk_or_file_limit_ends_as_failure(assign):
    provider = LocalProvider(image_limits=RenderLimits(file_bytes=2_000))
    job = assign(kind=Kind.IMAGE, size="512x512")
    with pytest.raises(PorticoError) as caught:
        await finish(provider, job, "a")
    assert caught.value.code is ErrorCode.UPSTREAM_FAILED
    assert list(job.folder.iterdir()) == []
    await provider.close()


async def test_text_jobs_are_refused(provider, assign):
    with pytest.raises(PorticoError) as caught:
        await provider.start(assign(kind=Kind.TEXT), attempt_id="a")
    assert caught.value.code is ErrorCode.UNSUPPORTED_OPTION


async def test_remembered_outcomes_are_bounded(provider, monkeypatch):
    monkeypatch.setattr(provider_module, "_OUTCOMES_MAX", 3)
    for index in range(5):
        provider._remember(f"a{index}", Finished(outputs=()))
    assert isinstance(await provider.check("a0"), Missing)
    assert isinstance(await provider.check("a4"), Finished)
    assert len(provider._outcomes) == 3


async def test_child_sees_nothing_of_the_servers_environment(provider, assign):
    await provider.start(assign(duration=30), attempt_id="a")
    names = environment_names(await child_of(provider, "a"))
    assert names <= {"PATH", "LANG", "LC_CTYPE", "PYTHONDONTWRITEBYTECODE"} | {
        f"{library}_NUM_THREADS" for library in ("OPENBLAS", "OMP")
    }


async def test_child_ends_when_its_parents_pipe_closes(assign):
    request = provider_module._request(assign(duration=30), RenderLimits())
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "portico.providers.local.child",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(msgspec.json.encode(request) + b"\n")
    await process.stdin.drain()
    await process.stdout.readline()
    process.stdin.close()
    async with asyncio.timeout(20):
        assert await process.wait() == 1


def environment_names(pid: int) -> set[str]:
    listed = Path(f"/proc/{pid}/environ")
    if not listed.exists():
        pytest.skip("this system shows no process environments")
    return {part.split(b"=")[0].decode() for part in listed.read_bytes().split(b"\0") if part}
