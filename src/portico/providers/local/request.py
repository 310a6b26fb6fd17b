"""State what the server and its render child say to each other, as JSON lines."""

import msgspec

from portico.core.jobs import Kind, Mode, ParamValue, Role

OUTPUT_STEM = "output"
COVER_NAME = "cover.jpg"
PART_PREFIX = ".part-"
MODEL_LABEL = "Portico local renderer"
FPS = 24


class RenderInput(msgspec.Struct, frozen=True):
    """One input file; `media_type` is what its magic bytes said when it was stored."""

    role: Role
    media_type: str
    path: str


class RenderLimits(msgspec.Struct, frozen=True):
    """What one child may use before the kernel stops it."""

    cpu_s: int = 300
    memory_bytes: int = 2 * 1024**3
    file_bytes: int = 512 * 1024**2
    wall_s: float = 600.0


class RenderRequest(msgspec.Struct, frozen=True, kw_only=True):
    """One piece of work for one child; the only line written to its standard input."""

    kind: Kind
    mode: Mode
    stage: str
    model: str
    prompt: str
    params: dict[str, ParamValue]
    inputs: tuple[RenderInput, ...]
    folder: str
    limits: RenderLimits = RenderLimits()
    watch_parent: bool = True  # end when standard input closes: the server is gone


class Progress(msgspec.Struct, frozen=True, tag="progress"):
    """How far a child is, 0.0 to 1.0."""

    done: float


class Rendered(msgspec.Struct, frozen=True, tag="rendered"):
    """The child's last line on success: file names inside the folder, and what was measured."""

    output: str
    cover: str
    usage: dict[str, object]


class Refused(msgspec.Struct, frozen=True, tag="refused"):
    """The child's last line on failure: an error code, a safe message, a word for the log."""

    code: str
    message: str
    detail: str = ""


Report = Progress | Rendered | Refused
