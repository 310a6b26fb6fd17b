"""M2 to M4: facts of real files, refusals of hostile ones, and a child that cannot escape."""

import asyncio
import io
import struct
import subprocess
import sys
import time
import zlib
from typing import Any

import pytest
from PIL import Image, ImageStat

from portico.core.errors import ErrorCode, PorticoError
from portico.media.inspection import Facts, Inspector, MediaLimits, run_child
from tests.unit.media import made


async def refusal(work) -> str:
    with pytest.raises(PorticoError) as caught:
        await work
    assert caught.value.code is ErrorCode.MEDIA_REJECTED
    return str(caught.value.facts["refusal"])


@pytest.fixture
def keep(tmp_path):
    """Write bytes to a file and return its path."""

    def write(data: bytes, name: str = "file"):
        path = tmp_path / name
        path.write_bytes(data)
        return path

    return write


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
async def test_picture_is_measured_and_gets_a_cover(keep, tmp_path, kind):
    path = keep(made.picture(kind, (1300, 200)))
    cover = tmp_path / "cover"
    facts = await Inspector().inspect(path, f"image/{kind.lower()}", cover_to=cover)
    assert facts == Facts(width=1300, height=200, frames=1)
    with Image.open(cover) as image:
        assert (image.format, image.size) == ("JPEG", (640, 98))


async def test_picture_taken_sideways_is_measured_upright(keep, tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    path = keep(made.picture("JPEG", (64, 48), exif=exif))
    facts = await Inspector().inspect(path, "image/jpeg", cover_to=tmp_path / "cover")
    assert (facts.width, facts.height) == (48, 64)
    with Image.open(tmp_path / "cover") as image:
        assert image.size == (48, 64)


async def test_transparent_picture_gets_a_white_cover(keep, tmp_path):
    raw = io.BytesIO()
    Image.new("RGBA", (8, 8), (0, 0, 0, 0)).save(raw, "PNG")
    await Inspector().inspect(keep(raw.getvalue()), "image/png", cover_to=tmp_path / "cover")
    with Image.open(tmp_path / "cover") as image:
        assert image.getpixel((4, 4)) == (255, 255, 255)


@pytest.mark.parametrize(
    ("kind", "codec", "sound", "media_type"),
    [
        ("mp4", "libx264", "aac", "video/mp4"),
        ("mp4", "libx265", None, "video/mp4"),
        ("mov", "libx264", None, "video/quicktime"),
        ("webm", "libvpx-vp9", "libopus", "video/webm"),
    ],
)
async def test_film_is_measured_and_its_first_good_frame_is_the_cover(
    tmp_path, kind, codec, sound, media_type
):
    path = made.film(tmp_path / "film", kind=kind, codec=codec, sound=sound, size=(800, 400))
    facts = await Inspector().inspect(path, media_type, cover_to=tmp_path / "cover")
    assert (facts.width, facts.height, facts.fps, facts.frames) == (800, 400, 24.0, 24)
    assert facts.has_audio is (sound is not None)
    assert facts.duration_ms == pytest.approx(1_000, abs=60)
    with Image.open(tmp_path / "cover") as image:
        assert image.size == (640, 320)
        brightness = ImageStat.Stat(image.convert("L").crop((0, 0, 640, 40))).mean[0]
    assert brightness > 100  # not one of the black frames it begins with


@pytest.mark.parametrize(
    ("kind", "codec", "media_type"),
    [
        ("wav", "pcm_s16le", "audio/wav"),
        ("mp3", "libmp3lame", "audio/mpeg"),
        ("ipod", "aac", "audio/mp4"),
    ],
)
async def test_sound_is_measured(tmp_path, kind, codec, media_type):
    path = made.sound(tmp_path / "sound", kind=kind, codec=codec, seconds=2)
    facts = await Inspector().inspect(path, media_type)
    assert facts.has_audio
    assert facts.width is None
    assert facts.duration_ms == pytest.approx(2_000, abs=120)


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        ({"pixels_max": 64 * 48 - 1}, "dimensions"),
        ({"side_max": 63}, "dimensions"),
        ({"frames_max": 0}, "frames"),
    ],
)
async def test_picture_beyond_a_limit_is_refused(keep, limits, expected):
    inspector = Inspector(MediaLimits(**limits))
    assert await refusal(inspector.inspect(keep(made.picture()), "image/png")) == expected


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        ({"film_side_max": 63}, "dimensions"),
        ({"film_s_max": 1}, "duration"),
        ({"fps_max": 23}, "frame_rate"),
    ],
)
async def test_film_beyond_a_limit_is_refused(tmp_path, limits, expected):
    path = made.film(tmp_path / "film", frames=48)
    inspector = Inspector(MediaLimits(**limits))
    assert await refusal(inspector.inspect(path, "video/mp4")) == expected


def png_of(width: int, height: int) -> bytes:
    """Return a tiny PNG that unfolds to a picture of one colour."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    rows = zlib.compressobj(9)
    packed = b"".join(rows.compress(bytes(width + 1)) for _ in range(height)) + rows.flush()
    parts = chunk(b"IHDR", header) + chunk(b"IDAT", packed) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + parts


async def test_bomb_is_refused_by_its_header_before_it_unfolds(keep):
    path = keep(png_of(13_000, 13_000))
    started = time.perf_counter()
    assert await refusal(Inspector().inspect(path, "image/png")) == "dimensions"
    assert time.perf_counter() - started < 2


async def test_memory_limit_holds_when_the_header_is_allowed(keep):
    path = keep(png_of(13_000, 13_000))
    limits = MediaLimits(pixels_max=2**40, picture_memory_bytes=150 * 2**20)
    assert await refusal(Inspector(limits).inspect(path, "image/png")) == "broken"


async def test_animation_with_too_many_frames_is_refused(keep):
    frames = [Image.new("RGB", (8, 8), (shade, 0, 0)) for shade in range(0, 250, 10)]
    raw = io.BytesIO()
    frames[0].save(raw, "WEBP", save_all=True, append_images=frames[1:])
    path = keep(raw.getvalue())
    assert (await Inspector().inspect(path, "image/webp")).frames == 25
    inspector = Inspector(MediaLimits(frames_max=24))
    assert await refusal(inspector.inspect(path, "image/webp")) == "frames"


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
async def test_cut_off_picture_is_refused(keep, kind):
    whole = made.picture(kind, (200, 200))
    path = keep(whole[: len(whole) * 2 // 3])
    assert await refusal(Inspector().inspect(path, f"image/{kind.lower()}")) == "broken"


@pytest.mark.parametrize(
    ("kind", "codec", "media_type"),
    [("mp4", "libx264", "video/mp4"), ("webm", "libvpx-vp9", "video/webm")],
)
async def test_cut_off_film_is_refused(tmp_path, keep, kind, codec, media_type):
    whole = made.film(tmp_path / "film", kind=kind, codec=codec, frames=96).read_bytes()
    path = keep(whole[: len(whole) * 2 // 3], "cut")
    assert await refusal(Inspector().inspect(path, media_type))


async def test_film_without_its_header_in_front_is_refused_when_cut(tmp_path, keep):
    whole = made.film(tmp_path / "film").read_bytes()
    path = keep(whole[: whole.index(b"moov")], "cut")
    assert await refusal(Inspector().inspect(path, "video/mp4")) == "broken"


@pytest.mark.parametrize("media_type", ["video/mp4", "video/webm", "audio/mpeg", "image/png"])
async def test_playlist_never_reads_another_file(tmp_path, keep, media_type):
    neighbour = made.film(tmp_path / "neighbour.mp4")
    for text in (
        f"ffconcat version 1.0\nfile {neighbour.name}\n",
        f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{neighbour.name}\n#EXT-X-ENDLIST\n",
    ):
        assert await refusal(Inspector().inspect(keep(text.encode(), "list.mp4"), media_type))


async def test_kind_that_is_not_what_was_said_is_refused(tmp_path, keep):
    film = made.film(tmp_path / "film")
    assert await refusal(Inspector().inspect(film, "image/png")) == "broken"
    assert await refusal(Inspector().inspect(film, "audio/mp4")) == "broken"
    sound = made.sound(tmp_path / "sound", kind="ipod", codec="aac")
    assert await refusal(Inspector().inspect(sound, "video/mp4")) == "broken"
    assert await refusal(Inspector().inspect(keep(made.picture("JPEG")), "image/png")) == "broken"


async def test_codec_that_nobody_needs_is_not_opened(tmp_path):
    path = made.film(tmp_path / "film", kind="mov", codec="mpeg2video")
    assert await refusal(Inspector().inspect(path, "video/quicktime")) == "broken"


async def test_missing_file_is_refused(tmp_path):
    assert await refusal(Inspector().inspect(tmp_path / "none", "image/png")) == "broken"


async def test_refused_file_leaves_no_cover(keep, tmp_path):
    whole = made.picture("PNG", (200, 200))
    cover = tmp_path / "cover"
    await refusal(Inspector().inspect(keep(whole[:-500]), "image/png", cover_to=cover))
    assert not cover.exists()


async def test_child_that_takes_too_long_is_killed(keep):
    inspector = Inspector(MediaLimits(picture_s=0.01))
    started = time.perf_counter()
    assert await refusal(inspector.inspect(keep(made.picture()), "image/png")) == "broken"
    assert time.perf_counter() - started < 1


async def test_processor_limit_kills_a_child_that_spins(keep):
    inspector = Inspector(MediaLimits(picture_cpu_s=0))
    assert await refusal(inspector.inspect(keep(made.picture()), "image/png")) == "broken"


async def test_cancelled_inspection_kills_the_child(keep, monkeypatch):
    started: list[asyncio.subprocess.Process] = []
    make = asyncio.create_subprocess_exec

    async def spy(*arguments: Any, **options: Any) -> asyncio.subprocess.Process:
        started.append(await make(*arguments, **options))
        return started[0]

    monkeypatch.setattr(asyncio, "create_subprocess_exec", spy)
    task = asyncio.create_task(Inspector().inspect(keep(made.picture()), "image/png"))
    while not started:  # noqa: ASYNC110 - the spy has no event to wait for
        await asyncio.sleep(0.001)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert started[0].returncode is not None


async def test_no_more_children_run_than_allowed(keep):
    path = keep(made.picture())
    inspector = Inspector(at_once=1)
    others = set(children())  # of tests before, if they have not been reaped yet
    running = [asyncio.create_task(inspector.inspect(path, "image/png")) for _ in range(3)]
    most = 0
    while not all(task.done() for task in running):
        most = max(most, len(set(children()) - others))
        await asyncio.sleep(0.005)
    assert most == 1


def children() -> list[str]:
    """Return the ids of this process's own children."""
    with open("/proc/thread-self/children") as listing:  # noqa: PTH123
        return listing.read().split()


@pytest.mark.parametrize("body", [b"", b"{}", b"null", b"[" * 10_000])
async def test_nonsense_for_the_child_ends_it_with_an_error(body):
    raw, status = await run_child(body, wall_s=5)
    assert raw == b""
    assert status != 0


def run(code: str, *, env: dict[str, str] | None = None) -> str:
    """Run code in a fresh interpreter and return what it printed."""
    done = subprocess.run(
        [sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True, env=env
    )
    return done.stdout.strip()


def test_server_process_loads_no_decoder():
    modules = ["bucket", "folder", "inspection", "links", "ranges", "service", "sniff"]
    modules += ["storage", "uploads"]
    imports = "; ".join(f"import portico.media.{name}" for name in modules)
    loaded = run(f"import sys; {imports}; import portico.outbound; print(*sys.modules)").split()
    assert not {"PIL", "av", "numpy", "cv2"} & set(loaded)


def test_child_loads_nothing_of_the_server():
    loaded = run(
        "import sys, portico.media.child.__main__, portico.media.child.films; print(*sys.modules)"
    ).split()
    assert "PIL" in loaded
    assert not {"sqlalchemy", "aiohttp", "obstore", "msgspec", "portico.store"} & set(loaded)


def test_child_gives_up_privileges_and_network():
    code = """
import socket
from portico.media.child.__main__ import lock_down, limit_resources
limit_resources({"memory_bytes": 2**29, "cpu_s": 5, "written_bytes": 10})
lock_down()
status = open("/proc/self/status").read()
print("NoNewPrivs:\\t1" in status)
try:
    socket.create_connection(("127.0.0.1", 9), timeout=1)
except OSError as error:
    print(error.errno)
"""
    told = run(code).split()
    assert told[0] == "True"
    assert told[1] in {"101", "111"}  # network unreachable; refused where the system forbids more


async def test_child_gets_no_environment_and_no_descriptors(keep, monkeypatch):
    seen: dict[str, object] = {}
    make = asyncio.create_subprocess_exec

    async def spy(*arguments: Any, **options: Any) -> asyncio.subprocess.Process:
        seen.update(options)
        return await make(*arguments, **options)

    monkeypatch.setattr(asyncio, "create_subprocess_exec", spy)
    await Inspector().inspect(keep(made.picture()), "image/png")
    assert seen["env"] == {}
    assert seen["start_new_session"] is True
    assert seen.get("close_fds", True)
    assert not seen.get("pass_fds")
