"""Small real files for tests, made with the libraries the child uses."""

import io
from pathlib import Path
from typing import Any

import av
import numpy as np
from PIL import Image

BLACK_FRAMES = 3


def picture(kind: str = "PNG", size: tuple[int, int] = (64, 48), **options: Any) -> bytes:
    """Return an encoded picture with something on it."""
    made = io.BytesIO()
    noise = np.random.default_rng(1).integers(0, 255, (size[1], size[0], 3), dtype=np.uint8)
    Image.fromarray(noise).save(made, kind, **options)
    return made.getvalue()


def film(
    path: Path,
    *,
    kind: str = "mp4",
    codec: str = "libx264",
    sound: str | None = None,
    size: tuple[int, int] = (64, 48),
    frames: int = 24,
    rate: int = 24,
) -> Path:
    """Write a film of a white half on black, after three black frames."""
    width, height = size
    with av.open(str(path), "w", format=kind) as container:
        stream = container.add_stream(codec, rate=rate)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        audio = container.add_stream(sound, rate=48_000) if sound else None
        for number in range(frames):
            shade = np.zeros((height, width, 3), np.uint8)
            if number >= BLACK_FRAMES:
                shade[: height // 2] = 200
            for packet in stream.encode(av.VideoFrame.from_ndarray(shade, format="rgb24")):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)
        if audio:
            _add_sound(container, audio, seconds=frames / rate)
    return path


def sound(path: Path, *, kind: str, codec: str, seconds: float = 1.0) -> Path:
    """Write a quiet sound."""
    with av.open(str(path), "w", format=kind) as container:
        audio = container.add_stream(codec, rate=48_000)
        _add_sound(container, audio, seconds=seconds)
    return path


def _add_sound(container, stream, *, seconds: float) -> None:
    planar = stream.codec_context.format.is_planar
    size = stream.codec_context.frame_size or 1_024
    name = stream.codec_context.format.name
    kind = np.float32 if "flt" in name else np.int32 if "s32" in name else np.int16
    channels = stream.codec_context.layout.nb_channels
    shape = (channels, size) if planar else (1, size * channels)
    for number in range(int(seconds * 48_000 / size)):
        frame = av.AudioFrame.from_ndarray(
            np.zeros(shape, kind), format=name, layout=stream.codec_context.layout.name
        )
        frame.sample_rate, frame.pts = 48_000, number * size
        for packet in stream.encode(frame):
            container.mux(packet)
    for packet in stream.encode():
        container.mux(packet)
