"""Do one render request: choose the work by stage, mode and kind, and report what was made."""

from collections.abc import Callable
from dataclasses import dataclass

from portico.core.errors import ErrorCode, PorticoError
from portico.core.jobs import Kind, Mode
from portico.providers.local.drawing import film
from portico.providers.local.drawing.encode import write_cover, write_png, write_video
from portico.providers.local.drawing.orders import Order
from portico.providers.local.drawing.sound import scene_sound
from portico.providers.local.request import COVER_NAME, FPS, OUTPUT_STEM, Rendered, RenderRequest

Report = Callable[[float], None]


@dataclass(frozen=True, slots=True)
class Made:
    """One output file and what is known about it."""

    name: str
    usage: dict[str, object]


def render(request: RenderRequest, report: Report) -> Rendered:
    """Draw what the request asks for into its folder.

    Raises:
        PorticoError: INVALID_REQUEST, UNSUPPORTED_OPTION, or MEDIA_REJECTED when an input
            cannot be decoded.
    """
    order = Order(request)
    made = _work(request)(order, report)
    return Rendered(output=made.name, cover=COVER_NAME, usage=made.usage)


def _work(request: RenderRequest) -> Callable[[Order, Report], Made]:
    video = request.kind is Kind.VIDEO
    works = {(Mode.TEXT, True): text_to_video, (Mode.TEXT, False): text_to_image}
    work = works.get((request.mode, video))
    if work is None:
        raise PorticoError(
            ErrorCode.UNSUPPORTED_OPTION, "The local renderer cannot do this", param="mode"
        )
    return work


def text_to_video(order: Order, report: Report) -> Made:
    """Shoot the prompt's scene."""
    spec = order.spec
    width, height = order.video_size()
    count = order.frames
    frames = film.shoot(spec, width, height, frames=count, fps=FPS, scale=order.scale)
    sound = scene_sound(spec, count / FPS) if order.audio else None
    name = f"{OUTPUT_STEM}.mp4"
    cover = write_video(
        order.folder, name, frames, fps=order.fps, count=count, preset=order.preset,
        sound=sound, on_frame=lambda done: report(done / count),
    )  # fmt: skip
    write_cover(order.folder, cover)
    usage = _video_usage((width, height), count, has_audio=sound is not None)
    return Made(name, usage | _spec_usage(order))


def text_to_image(order: Order, report: Report) -> Made:
    """Draw the prompt's scene once."""
    width, height = order.image_size()
    picture = film.shoot_still(order.spec, width, height)
    report(0.9)
    name = f"{OUTPUT_STEM}.png"
    write_png(order.folder, name, picture)
    write_cover(order.folder, picture)
    return Made(name, {"width": width, "height": height} | _spec_usage(order))


def _video_usage(size: tuple[int, int], count: int, *, has_audio: bool) -> dict[str, object]:
    return {
        "width": size[0],
        "height": size[1],
        "duration_s": round(count / FPS, 3),
        "fps": FPS,
        "has_audio": has_audio,
    }


def _spec_usage(order: Order) -> dict[str, object]:
    spec = order.spec
    return {
        "seed": spec.seed,
        "understood": spec.understood,
        "expanded_prompt": spec.expanded,
        "scene": spec.scene,
        "time": spec.time,
        "weather": spec.weather,
        "camera": spec.camera,
        "not_drawn": list(spec.not_drawn),
    }
