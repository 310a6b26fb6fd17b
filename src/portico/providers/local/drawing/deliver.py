"""Write what was drawn into the job's folder, with its cover, and say what it is."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fractions import Fraction

from portico.providers.local.drawing.encode import (
    Sound,
    VideoStyle,
    write_cover,
    write_png,
    write_video,
)
from portico.providers.local.drawing.orders import Order
from portico.providers.local.drawing.pixels import Bytes
from portico.providers.local.request import OUTPUT_STEM
from portico.providers.local.size import Size

Report = Callable[[float], None]


@dataclass(frozen=True, slots=True)
class Made:
    """One output file and what is known about it."""

    name: str
    usage: dict[str, object]


def deliver_video(
    order: Order,
    report: Report,
    frames: Iterable[Bytes],
    *,
    size: Size,
    count: int,
    fps: Fraction | None = None,
    sound: Sound | None = None,
) -> Made:
    """Encode the frames and the cover; `count` is how many frames are expected."""
    name = f"{OUTPUT_STEM}.mp4"
    rate = fps or order.fps
    made = 0

    def on_frame(done: int) -> None:
        nonlocal made
        made = done
        report(min(done / count, 1.0))

    cover = write_video(
        order.folder / name,
        frames,
        VideoStyle(rate, order.preset, sound),
        count=count,
        on_frame=on_frame,
    )
    write_cover(order.folder, cover)
    shown_fps = float(rate) if rate.denominator > 1 else int(rate)
    usage: dict[str, object] = {
        "width": size[0],
        "height": size[1],
        "duration_s": round(float(made / rate), 3),
        "fps": shown_fps,
        "has_audio": sound is not None,
    }
    return Made(name, usage | _spec_usage(order))


def deliver_picture(order: Order, report: Report, picture: Bytes) -> Made:
    """Write the still and its cover."""
    report(0.8)
    name = f"{OUTPUT_STEM}.png"
    write_png(order.folder, name, picture)
    write_cover(order.folder, picture)
    height, width = picture.shape[:2]
    return Made(name, {"width": width, "height": height} | _spec_usage(order))


def _spec_usage(order: Order) -> dict[str, object]:
    spec = order.spec
    return {
        "seed": spec.seed,
        "understood": spec.understood,
        "expanded_prompt": spec.expanded,
        "not_drawn": list(spec.not_drawn),
    }
