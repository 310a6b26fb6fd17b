"""Do the works that start from pictures or videos."""

from collections.abc import Iterable, Iterator
from dataclasses import replace

from portico.core.jobs import Role
from portico.providers.local.drawing.deliver import (
    Made,
    Report,
    deliver_picture,
    deliver_video,
)
from portico.providers.local.drawing.edit import edited
from portico.providers.local.drawing.film import Finish
from portico.providers.local.drawing.first_last import between
from portico.providers.local.drawing.motion import follow
from portico.providers.local.drawing.orders import Order
from portico.providers.local.drawing.picture_move import covered, moved_picture
from portico.providers.local.drawing.pixels import Bytes
from portico.providers.local.drawing.prompt import Spec, find
from portico.providers.local.drawing.scene_works import text_to_image, text_to_video
from portico.providers.local.drawing.slides import slides
from portico.providers.local.drawing.sound import scene_sound
from portico.providers.local.drawing.source import (
    read_picture,
    read_sound,
    read_video,
    video_facts,
)
from portico.providers.local.drawing.upscale import (
    enhanced_size,
    enlarge_frame,
    enlarge_picture,
)
from portico.providers.local.drawing.wardrobe import dressed
from portico.providers.local.drawing.words import CAMERAS
from portico.providers.local.request import FPS, RenderInput
from portico.providers.local.size import Size

_STILL_ROLES = (Role.FIRST_FRAME, Role.SOURCE_IMAGE, Role.REFERENCE_IMAGE)


def image_to_video(order: Order, report: Report) -> Made:
    """Move the camera over the picture, with falling rain or snow where the prompt names it."""
    picture = read_picture(order.needed(*_STILL_ROLES, Role.LAST_FRAME))
    spec, count = order.spec, order.frames
    size = order.video_size(_size(picture))
    move = _move(order) or "push"
    frames = moved_picture(picture, size, move=move, frames=count, fps=FPS, seed=spec.seed)
    sound = scene_sound(spec, count / FPS) if order.audio else None
    made = deliver_video(
        order, report, _weathered(frames, spec, size), size=size, count=count, sound=sound
    )
    return replace(made, usage=made.usage | {"camera": move})


def image_to_image(order: Order, report: Report) -> Made:
    """Give the picture the mood of the prompt; without a size asked for, keep its size."""
    picture = read_picture(order.needed(*_STILL_ROLES))
    if any(order.text(name) for name in ("size", "resolution", "ratio")):
        picture = covered(picture, order.image_size(_size(picture)))
    changed, looks = edited(picture, order.request.prompt)
    made = deliver_picture(order, report, changed)
    return replace(made, usage=made.usage | {"understood": bool(looks), "looks": list(looks)})


def first_to_last(order: Order, report: Report) -> Made:
    """Go from the first picture to the last."""
    if not order.inputs(Role.FIRST_FRAME) or not order.inputs(Role.LAST_FRAME):
        return image_to_video(order, report)
    first = read_picture(order.needed(Role.FIRST_FRAME))
    last = read_picture(order.needed(Role.LAST_FRAME))
    spec, count = order.spec, order.frames
    size = order.video_size(_size(first))
    sound = scene_sound(spec, count / FPS) if order.audio else None
    frames = between(first, last, size, frames=count)
    return deliver_video(order, report, frames, size=size, count=count, sound=sound)


def reference_to_video(order: Order, report: Report) -> Made:
    """Show the reference pictures, and stills of reference videos, one after the other."""
    pictures = [read_picture(item) for item in order.inputs(*_STILL_ROLES, Role.LAST_FRAME)]
    pictures += [_still(item) for item in order.inputs(Role.REFERENCE_VIDEO, Role.SOURCE_VIDEO)]
    if not pictures:
        return text_to_video(order, report)
    spec, count = order.spec, order.frames
    size = order.video_size(_size(pictures[0]))
    move = _move(order)
    frames = slides(pictures, size, move=move, frames=count, fps=FPS, seed=spec.seed)
    sound = scene_sound(spec, count / FPS) if order.audio else None
    return deliver_video(
        order, report, _weathered(frames, spec, size), size=size, count=count, sound=sound
    )


def reference_to_image(order: Order, report: Report) -> Made:
    """Treat the first reference picture as the picture to change."""
    if order.inputs(*_STILL_ROLES):
        return image_to_image(order, report)
    return text_to_image(order, report)


def motion_transfer(order: Order, report: Report) -> Made:
    """Move the picture as the video's camera moves, for as long as the video lasts.

    `motion_orientation` "video" takes the video's ratio, anything else the picture's.
    """
    picture = read_picture(order.needed(*_STILL_ROLES))
    video = order.needed(Role.MOTION_VIDEO, Role.REFERENCE_VIDEO, Role.SOURCE_VIDEO)
    facts = video_facts(video)
    seconds = min(facts.seconds, order.seconds) if order.text("duration") else facts.seconds
    count = max(1, round(seconds * FPS))
    by_video = order.text("motion_orientation") == "video"
    size = order.video_size((facts.width, facts.height) if by_video else _size(picture))
    frames = follow(picture, read_video(video, fps=order.fps), size, frames=count)
    sound = read_sound(video, seconds) if order.audio else None
    return deliver_video(order, report, frames, size=size, count=count, sound=sound)


def wardrobe(order: Order, report: Report) -> Made:
    """Lay the garment over the person; a video moves gently over that picture."""
    person = read_picture(order.needed(*_STILL_ROLES))
    garment = read_picture(order.needed(Role.GARMENT))
    part = order.text("wardrobe_part") or "upper"
    made = dressed(person, garment, part)
    if order.request.kind == "video":
        size, count = order.video_size(_size(person)), order.frames
        frames = moved_picture(made, size, move="push", frames=count, fps=FPS, seed=0)
        done = deliver_video(order, report, frames, size=size, count=count)
    else:
        done = deliver_picture(order, report, made)
    return replace(done, usage=done.usage | {"preview": True, "wardrobe_part": part})


def enhance_image(order: Order, report: Report) -> Made:
    """Enlarge the picture to 2K."""
    picture = read_picture(order.needed(Role.SOURCE_IMAGE, *_STILL_ROLES))
    report(0.2)
    size = enhanced_size(*_size(picture), even=False)
    return deliver_picture(order, report, enlarge_picture(picture, size))


def enhance_video(order: Order, report: Report) -> Made:
    """Enlarge the video to 2K; its frame rate, length and sound stay."""
    video = order.needed(Role.SOURCE_VIDEO, Role.MOTION_VIDEO, Role.REFERENCE_VIDEO)
    facts = video_facts(video)
    size = enhanced_size(facts.width, facts.height, even=True)
    count = max(1, round(facts.seconds * facts.fps))
    frames = (enlarge_frame(frame, size) for frame in read_video(video, fps=facts.fps))
    sound = read_sound(video, facts.seconds) if facts.has_audio else None
    return deliver_video(order, report, frames, size=size, count=count, fps=facts.fps, sound=sound)


def _move(order: Order) -> str | None:
    """Return the camera move the prompt asks for; a locked camera never moves."""
    if order.switch("lock_camera"):
        return "static"
    found = find(order.request.prompt, CAMERAS)
    return found[0] if found else None


def _weathered(frames: Iterable[Bytes], spec: Spec, size: Size) -> Iterator[Bytes]:
    """Let rain or snow fall over pictures when the prompt names it."""
    if spec.weather not in {"rain", "snow"}:
        yield from frames
        return
    fall = Finish(spec, *size)
    for index, frame in enumerate(frames):
        yield fall.fall_over(frame, index / FPS)


def _still(item: RenderInput) -> Bytes:
    """Return a video's frame after about one second, or its last one."""
    facts = video_facts(item)
    chosen: Bytes | None = None
    for index, frame in enumerate(read_video(item, fps=facts.fps)):
        chosen = frame
        if index >= facts.fps:
            break
    assert chosen is not None, "read_video yields a frame or raises"
    return chosen


def _size(picture: Bytes) -> Size:
    height, width = picture.shape[:2]
    return width, height
