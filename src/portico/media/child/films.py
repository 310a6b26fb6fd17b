"""MP4, MOV, WebM, WAV, MP3 and M4A through PyAV; runs in the child only.

The demuxer is forced to what the bytes said, no protocol is allowed (a playlist may otherwise
read other files of this machine), and only decoders in use today may open (M4).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import av
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from PIL import Image, ImageStat

from portico.media.child.pictures import COVER_PIXELS, check_dimensions, draw_cover
from portico.media.child.refusal import Refusal, RefusedError

DEMUXERS = {
    "video/mp4": "mov",
    "video/quicktime": "mov",
    "audio/mp4": "mov",
    "video/webm": "matroska",
    "audio/wav": "wav",
    "audio/mpeg": "mp3",
}
DECODERS = frozenset([
    "h264", "hevc", "libdav1d", "av1", "vp8", "vp9", "libvpx", "libvpx-vp9", "mpeg4", "mjpeg",
    "prores", "aac", "aac_fixed", "mp3", "mp3float", "opus", "libopus", "vorbis", "alac", "flac",
    "pcm_u8", "pcm_s16le", "pcm_s16be", "pcm_s24le", "pcm_s32le", "pcm_f32le",
])  # fmt: skip
COVER_FRAMES_MAX = 24  # of so many first frames the first good one becomes the cover
GOOD_CONTRAST = 20.0  # standard deviation of brightness, of 255
MISSING_S_MAX = 0.5  # how much a file may lack of what its header promises
_MICROSECONDS = 1_000_000


def inspect(request: dict[str, Any]) -> dict[str, Any]:
    """Return the facts of a film or sound; its first frames are decoded, all packets counted."""
    limits = request["limits"]
    is_film = request["media_type"].startswith("video/")
    with opened(request) as container:
        film = film_of(container)
        if is_film != (film is not None) or not (film or container.streams.audio):
            raise RefusedError(Refusal.BROKEN)
        duration_s = (container.duration or 0) / _MICROSECONDS
        facts = check_film(film, limits) if film else {}
        _refuse_long(duration_s, limits, is_film=is_film)
        frames, end_s = count(container, film)
    if duration_s - end_s > MISSING_S_MAX or (film and film.frames > frames):
        raise RefusedError(Refusal.BROKEN)  # cut off
    duration_s = duration_s or end_s
    _refuse_long(duration_s, limits, is_film=is_film)
    with opened(request) as container:
        facts |= {
            "has_audio": bool(container.streams.audio),
            "duration_ms": round(duration_s * 1_000),
        }
        if film is None:
            refuse_odd_codec(container.streams.audio[0])
            next(container.decode(audio=0))
            return facts
        facts["frames"] = frames
        facts["fps"] = facts["fps"] or (frames / duration_s if duration_s else None)
        look(container, cover_to=request["cover_to"])
    if round(facts["fps"] or 0) > limits["fps_max"]:
        raise RefusedError(Refusal.FRAME_RATE)
    return facts


def check_film(film: VideoStream, limits: dict[str, int]) -> dict[str, Any]:
    """Return size and rate as the header tells them, if they are within limits (M2)."""
    width, height = film.codec_context.width, film.codec_context.height
    side_max = limits["film_side_max"]
    check_dimensions(width, height, pixels_max=side_max * side_max, side_max=side_max)
    rate = film.average_rate or film.guessed_rate
    fps = round(float(rate), 3) if rate else None
    if round(fps or 0) > limits["fps_max"]:
        raise RefusedError(Refusal.FRAME_RATE)
    return {"width": width, "height": height, "fps": fps}


def count(container: InputContainer, film: VideoStream | None) -> tuple[int, float]:
    """Return the number of frames and when the last packet ends, in seconds."""
    frames, end_s = 0, 0.0
    for packet in container.demux():
        if packet.dts is None or packet.size == 0:
            continue  # the flush at the end
        if film is not None and packet.stream.index == film.index:
            frames += 1
        at = packet.pts if packet.pts is not None else packet.dts
        end_s = max(end_s, float((at + (packet.duration or 0)) * packet.time_base))
    return frames, end_s


def look(container: InputContainer, *, cover_to: str | None) -> None:
    """Decode the first frame, or as many as it takes to find a good one for the cover."""
    film = film_of(container)
    assert film is not None
    refuse_odd_codec(film)
    frames = container.decode(film)
    best = small(next(frames))
    for _ in range(COVER_FRAMES_MAX if cover_to else 0):
        if contrast(best) >= GOOD_CONTRAST:
            break
        frame = next(frames, None)
        if frame is None:
            break
        best = max(best, small(frame), key=contrast)
    if cover_to:
        draw_cover(best, cover_to)


def refuse_odd_codec(stream: VideoStream | AudioStream) -> None:
    """Refuse to decode with anything but a decoder in use today.

    The library's own white list holds while it opens a file, but not when it decodes.
    """
    if stream.codec_context.name not in DECODERS:
        raise RefusedError(Refusal.BROKEN)


def small(frame: VideoFrame) -> Image.Image:
    """Return a frame as a picture no larger than a cover, upright."""
    scale = min(1, COVER_PIXELS / max(frame.width, frame.height))
    size = [max(2, round(side * scale)) for side in (frame.width, frame.height)]
    scaled = frame.reformat(width=size[0], height=size[1], format="rgb24")
    picture: Image.Image = scaled.to_image()  # type: ignore[no-untyped-call]
    return picture.rotate(frame.rotation, expand=True) if frame.rotation else picture


def contrast(picture: Image.Image) -> float:
    """Return how much the brightness of a picture varies; a black frame has none."""
    return ImageStat.Stat(picture.convert("L")).stddev[0]


def film_of(container: InputContainer) -> VideoStream | None:
    """Return the one film in a file; the cover of a song is none."""
    films = [stream for stream in container.streams.video if not _is_cover(stream)]
    if len(films) > 1:
        raise RefusedError(Refusal.BROKEN)
    return films[0] if films else None


@contextmanager
def opened(request: dict[str, Any]) -> Iterator[InputContainer]:
    """Open a file with its demuxer forced and everything else forbidden."""
    with (
        open(request["path"], "rb") as file,  # noqa: PTH123
        av.open(
            file,
            format=DEMUXERS[request["media_type"]],
            options={"protocol_whitelist": "none", "codec_whitelist": ",".join(DECODERS)},
            metadata_errors="replace",
        ) as container,
    ):
        assert isinstance(container, InputContainer)
        for stream in container.streams.video:
            stream.thread_count = 1
        yield container


def _is_cover(stream: VideoStream) -> bool:
    return bool(stream.disposition & av.stream.Disposition.attached_pic)


def _refuse_long(duration_s: float, limits: dict[str, int], *, is_film: bool) -> None:
    if int(duration_s) > limits["film_s_max" if is_film else "sound_s_max"]:
        raise RefusedError(Refusal.DURATION)
