"""Open pictures and videos that strangers made: by their bytes, with the format forced."""

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import NoReturn

import av
import numpy as np
from PIL import Image as Pictures
from PIL import ImageOps

from portico.core.errors import ErrorCode, PorticoError
from portico.providers.local.drawing.encode import SAMPLE_RATE, Sound
from portico.providers.local.drawing.pixels import Bytes
from portico.providers.local.request import RenderInput

PIXELS_MAX = 50_000_000
SIDE_MAX = 16_384
ANIMATION_FRAMES_MAX = 300
VIDEO_SIDE_MAX = 4_096
VIDEO_SECONDS_MAX = 61.0
VIDEO_FPS_MAX = 61
_HEAD_BYTES = 64

Pictures.MAX_IMAGE_PIXELS = PIXELS_MAX


@dataclass(frozen=True, slots=True)
class VideoFacts:
    """What a video's header says."""

    width: int
    height: int
    seconds: float
    fps: Fraction
    has_audio: bool


def read_picture(item: RenderInput) -> Bytes:
    """Return a picture as RGB, upright, transparent parts on white.

    Raises:
        PorticoError: MEDIA_REJECTED when it is not a JPEG, PNG or WebP, is too large, or
            cannot be decoded.
    """
    name = _picture_format(_head(item))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Pictures.DecompressionBombWarning)
            with Pictures.open(io.BytesIO(Path(item.path).read_bytes()), formats=[name]) as picture:
                _check_picture(picture)
                return _upright(picture)
    except PorticoError:
        raise
    except Exception as error:  # noqa: BLE001 - decoders fail in every way there is
        _reject("The picture cannot be decoded", error)


def video_facts(item: RenderInput) -> VideoFacts:
    """Return what a video's header says, within the limits.

    Raises:
        PorticoError: MEDIA_REJECTED when it is not an MP4 or WebM, is outside the limits, or
            cannot be opened.
    """
    with _opened(item) as container:
        stream = _video_stream(container)
        seconds = _seconds(container, stream)
        fps = Fraction(stream.average_rate or stream.base_rate or 24)
        facts = VideoFacts(
            stream.codec_context.width, stream.codec_context.height, seconds, fps,
            has_audio=bool(container.streams.audio),
        )  # fmt: skip
    if not 0 < max(facts.width, facts.height) <= VIDEO_SIDE_MAX:
        _reject("The video's frame is too large")
    if facts.seconds > VIDEO_SECONDS_MAX:
        _reject("The video is too long")
    if not 0 < facts.fps <= VIDEO_FPS_MAX:
        _reject("The video has too many frames a second")
    return facts


def read_video(item: RenderInput, *, fps: Fraction) -> Iterator[Bytes]:
    """Yield RGB frames resampled to `fps`, each shown at its own time.

    Raises:
        PorticoError: MEDIA_REJECTED when not a single frame can be decoded.
    """
    limit = round(VIDEO_SECONDS_MAX * fps)
    made = 0
    with _opened(item) as container:
        stream = _video_stream(container)
        start: Fraction | None = None
        last: Bytes | None = None
        for frame in container.decode(stream):
            _check_frame(frame)
            at = _time(frame)
            start = at if start is None else start
            while last is not None and made < limit and Fraction(made) / fps < at - start:
                yield last
                made += 1
            last = np.asarray(frame.to_ndarray(format="rgb24"), np.uint8)
        if last is not None and made < limit:
            yield last
            made += 1
    if made == 0:
        _reject("The video holds no frame")


def read_sound(item: RenderInput, seconds: float) -> Sound | None:
    """Return a video's sound as stereo of exactly `seconds`; None when it has none."""
    wanted = round(seconds * SAMPLE_RATE)
    with _opened(item) as container:
        if not container.streams.audio:
            return None
        turn = av.AudioResampler(format="fltp", layout="stereo", rate=SAMPLE_RATE)
        blocks: list[Sound] = []
        have = 0
        for frame in container.decode(container.streams.audio[0]):
            for block in turn.resample(frame):
                blocks.append(np.asarray(block.to_ndarray(), np.float32))
                have += blocks[-1].shape[1]
            if have >= wanted:
                break
    if not blocks:
        return None
    sound = np.concatenate(blocks, axis=1)[:, :wanted]
    return np.ascontiguousarray(np.pad(sound, ((0, 0), (0, wanted - sound.shape[1]))))


@contextmanager
def _opened(item: RenderInput) -> "Iterator[av.container.InputContainer]":
    """Open a video with the demuxer of its magic bytes, through a plain file object."""
    name = _video_format(_head(item))
    try:
        with (
            Path(item.path).open("rb") as file,
            av.open(
                file, "r", format=name, metadata_errors="replace",
                options={"protocol_whitelist": "file"},
            ) as container,
        ):  # fmt: skip
            yield container
    except (PorticoError, GeneratorExit):
        raise
    except Exception as error:  # noqa: BLE001 - decoders fail in every way there is
        _reject("The video cannot be decoded", error)


def _head(item: RenderInput) -> bytes:
    try:
        with Path(item.path).open("rb") as file:
            return file.read(_HEAD_BYTES)
    except OSError as error:
        return _reject("The input file cannot be read", error)


def _picture_format(head: bytes) -> str:
    if head.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "PNG"
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return "WEBP"
    return _reject("The picture is not a JPEG, PNG or WebP file")


def _video_format(head: bytes) -> str:
    if head[4:8] == b"ftyp":
        return "mp4"
    if head.startswith(b"\x1a\x45\xdf\xa3"):
        return "matroska"
    return _reject("The video is not an MP4 or WebM file")


def _check_picture(picture: Pictures.Image) -> None:
    width, height = picture.size
    if width * height > PIXELS_MAX or max(width, height) > SIDE_MAX:
        _reject("The picture is too large")
    if getattr(picture, "n_frames", 1) > ANIMATION_FRAMES_MAX:
        _reject("The picture has too many frames")


def _upright(picture: Pictures.Image) -> Bytes:
    turned = ImageOps.exif_transpose(picture)
    if turned.mode in {"RGBA", "LA", "PA"} or "transparency" in turned.info:
        clear = turned.convert("RGBA")
        white = Pictures.new("RGBA", clear.size, (255, 255, 255, 255))
        turned = Pictures.alpha_composite(white, clear)
    return np.asarray(turned.convert("RGB"), np.uint8).copy()


def _video_stream(container: "av.container.InputContainer") -> "av.video.stream.VideoStream":
    if not container.streams.video:
        _reject("The file holds no video")
    stream = container.streams.video[0]
    stream.codec_context.thread_count = 1
    return stream


def _seconds(
    container: "av.container.InputContainer", stream: "av.video.stream.VideoStream"
) -> float:
    if stream.duration is not None and stream.time_base is not None:
        return float(stream.duration * stream.time_base)
    return float(container.duration or 0) / 1_000_000


def _check_frame(frame: "av.VideoFrame") -> None:
    if max(frame.width, frame.height) > VIDEO_SIDE_MAX:
        _reject("The video's frame is too large")


def _time(frame: "av.VideoFrame") -> Fraction:
    if frame.pts is None or frame.time_base is None:
        return Fraction(0)
    return frame.pts * frame.time_base


def _reject(message: str, cause: Exception | None = None) -> NoReturn:
    raise PorticoError(
        ErrorCode.MEDIA_REJECTED, message, cause=type(cause).__name__ if cause else ""
    ) from cause
