"""Write finished frames to disk: MP4 (H.264, AAC), PNG, and the JPEG cover."""

import queue
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import av.audio
import av.video
import numpy as np
import numpy.typing as npt
from PIL import Image as Pictures
from PIL.PngImagePlugin import PngInfo

from portico.providers.local.drawing.pixels import Bytes
from portico.providers.local.request import COVER_NAME, MODEL_LABEL, PART_PREFIX

SAMPLE_RATE = 44_100
_AUDIO_BLOCK = 1024
_QUEUE_FRAMES = 4
_COVER_WIDTH = 640

Sound = npt.NDArray[np.float32]  # (2, samples), -1 to 1


@dataclass(frozen=True, slots=True)
class VideoStyle:
    """How a video is encoded: frames a second, the encoder's speed, and its sound."""

    fps: Fraction
    preset: str
    sound: Sound | None = None


def write_video(
    path: Path,
    frames: Iterable[Bytes],
    style: VideoStyle,
    *,
    count: int,
    on_frame: Callable[[int], None] = lambda _: None,
) -> Bytes:
    """Encode frames as they come, under a temporary name, then rename; return the cover frame.

    One encoder thread beside the drawing one; the encoder itself runs single-threaded so that
    equal frames give equal bytes.
    """
    part = path.with_name(f"{PART_PREFIX}{path.name}")
    chosen: list[Bytes] = []
    waiting: queue.Queue[Bytes | None] = queue.Queue(_QUEUE_FRAMES)
    failed: list[BaseException] = []

    def encode() -> None:
        try:
            _encode(part, waiting, style)
        except BaseException as error:  # noqa: BLE001 - handed to the drawing thread below
            failed.append(error)
            while waiting.get() is not None:
                pass

    worker = threading.Thread(target=encode, daemon=True)
    worker.start()
    try:
        for index, frame in enumerate(frames):
            if not chosen or index == int(count * 0.4):
                chosen[:] = [frame]
            waiting.put(frame)
            on_frame(index + 1)
    finally:
        waiting.put(None)
        worker.join()
    if failed:
        raise failed[0]
    part.rename(path)
    return chosen[0]


def write_png(folder: Path, name: str, picture: Bytes) -> None:
    """Write a PNG that says who made it, under a temporary name, then rename."""
    part = folder / f"{PART_PREFIX}{name}"
    about = PngInfo()
    about.add_text("Software", MODEL_LABEL)
    Pictures.fromarray(picture).save(part, "PNG", pnginfo=about, compress_level=4)
    part.rename(folder / name)


def write_cover(folder: Path, frame: Bytes) -> None:
    """Write the JPEG cover, 640 pixels wide."""
    part = folder / f"{PART_PREFIX}{COVER_NAME}"
    picture = Pictures.fromarray(frame)
    height = max(1, round(picture.height * _COVER_WIDTH / picture.width))
    small = picture.resize((_COVER_WIDTH, height), Pictures.Resampling.LANCZOS)
    small.save(part, "JPEG", quality=85)
    part.rename(folder / COVER_NAME)


def _encode(part: Path, waiting: "queue.Queue[Bytes | None]", style: VideoStyle) -> None:
    first = waiting.get()
    if first is None:
        message = "no frame was drawn"
        raise RuntimeError(message)
    with av.open(str(part), "w", format="mp4", options={"movflags": "+faststart"}) as container:
        container.metadata["comment"] = MODEL_LABEL
        video = _video_stream(container, first, style)
        audio = _audio_stream(container) if style.sound is not None else None
        frame: Bytes | None = first
        index = 0
        while frame is not None:
            picture = av.VideoFrame.from_ndarray(frame, format="rgb24").reformat(
                format="yuv420p", dst_colorspace="ITU709", dst_color_range="MPEG"
            )
            picture.pts = index
            container.mux(video.encode(picture))
            index += 1
            frame = waiting.get()
        container.mux(video.encode(None))
        if audio is not None and style.sound is not None:
            _write_sound(container, audio, style.sound)


def _video_stream(
    container: av.container.OutputContainer, first: Bytes, style: VideoStyle
) -> "av.video.stream.VideoStream":
    video = container.add_stream("libx264", rate=style.fps)
    video.height, video.width = first.shape[:2]
    video.pix_fmt = "yuv420p"
    context = video.codec_context
    context.time_base = 1 / style.fps
    context.thread_count = 1
    context.color_range = 1
    context.colorspace = context.color_primaries = context.color_trc = 1  # BT.709
    context.options = {"preset": style.preset, "crf": "20", "threads": "1"}
    return video


def _audio_stream(container: av.container.OutputContainer) -> "av.audio.stream.AudioStream":
    stream = container.add_stream("aac", rate=SAMPLE_RATE)
    stream.bit_rate = 128_000
    stream.layout = "stereo"
    return stream


def _write_sound(
    container: av.container.OutputContainer, stream: "av.audio.stream.AudioStream", sound: Sound
) -> None:
    for start in range(0, sound.shape[1], _AUDIO_BLOCK):
        block = np.ascontiguousarray(sound[:, start : start + _AUDIO_BLOCK])
        frame = av.AudioFrame.from_ndarray(block, format="fltp", layout="stereo")
        frame.sample_rate = SAMPLE_RATE
        frame.pts = start
        frame.time_base = Fraction(1, SAMPLE_RATE)
        container.mux(stream.encode(frame))
    container.mux(stream.encode(None))
