"""Real renders through the real provider, kept tiny; pictures and videos made on the spot."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from portico.core.jobs import Kind, MediaJob, Mode, Role
from portico.providers.base import Assignment, Finished, InputFile, Pending
from portico.providers.local.provider import LocalProvider

Render = Callable[..., Awaitable[Finished]]
Assign = Callable[..., Assignment]


@pytest.fixture
def assign(tmp_path: Path) -> Assign:
    made = 0

    def build(
        prompt: str = "sea",
        *,
        kind: Kind = Kind.VIDEO,
        mode: Mode = Mode.TEXT,
        inputs: tuple[InputFile, ...] = (),
        stage: str = "generate",
        model: str = "scene-fast",
        **params: str | float | bool,
    ) -> Assignment:
        nonlocal made
        made += 1
        folder = tmp_path / f"attempt-{made}"
        folder.mkdir()
        small: dict[str, str | int | float | bool] = {"duration": 1}
        if not inputs:
            small["size"] = "160x96"
        job = MediaJob(
            offering="x:y", model="m", kind=kind, mode=mode, prompt=prompt, params=small | params
        )
        return Assignment(job=job, stage=stage, model=model, inputs=inputs, folder=folder)

    return build


@pytest.fixture
async def provider() -> AsyncIterator[LocalProvider]:
    provider = LocalProvider(children_max=2)
    yield provider
    await provider.close()


@pytest.fixture
def render(provider: LocalProvider, assign: Assign) -> Render:
    made = 0

    async def run(*args: object, **kwargs: object) -> Finished:
        nonlocal made
        made += 1
        return await finish(provider, assign(*args, **kwargs), f"attempt-{made}")

    return run


async def finish(provider: LocalProvider, assignment: Assignment, attempt_id: str) -> Finished:
    answer = await provider.start(assignment, attempt_id=attempt_id)
    async with asyncio.timeout(60):
        while isinstance(answer, Pending):
            await asyncio.sleep(0.02)
            checked = await provider.check(attempt_id)
            assert isinstance(checked, Pending | Finished)
            answer = checked
    return answer


def output(finished: Finished, role: str = "output") -> Path:
    path = next(item.path for item in finished.outputs if item.role == role)
    assert path is not None
    return path


def gradient(width: int, height: int, turn: int = 0) -> np.ndarray:
    y, x = np.mgrid[0:height, 0:width]
    checks = ((x // 16 + y // 16 + turn) % 2) * 60
    picture = np.stack([x * 180 / width + checks, y * 180 / height + checks, 90 + checks], axis=-1)
    return picture.astype(np.uint8)


def write_picture(path: Path, picture: np.ndarray, role: Role) -> InputFile:
    Image.fromarray(picture).save(path)
    return InputFile(role=role, media_type="image/png", path=path)


def write_clip(
    path: Path, role: Role, *, pan: int = 0, frames: int = 24, fps: int = 24
) -> InputFile:
    noise = np.random.default_rng(3).integers(40, 215, (24, 80, 3), dtype=np.uint8)
    wide = np.asarray(Image.fromarray(noise).resize((640, 192), Image.Resampling.BICUBIC))
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=Fraction(fps))
        stream.width, stream.height, stream.pix_fmt = 192, 128, "yuv420p"
        for index in range(frames):
            left = 100 + index * pan
            cut = np.ascontiguousarray(wide[32:160, left : left + 192])
            container.mux(stream.encode(av.VideoFrame.from_ndarray(cut, format="rgb24")))
        container.mux(stream.encode(None))
    return InputFile(role=role, media_type="video/mp4", path=path)


def frames_of(path: Path) -> list[np.ndarray]:
    with av.open(str(path)) as container:
        return [np.asarray(f.to_ndarray(format="rgb24")) for f in container.decode(video=0)]
