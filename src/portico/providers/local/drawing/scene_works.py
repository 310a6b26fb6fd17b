"""Do the works that start from words alone."""

from dataclasses import replace

from portico.providers.local.drawing import film
from portico.providers.local.drawing.deliver import (
    Made,
    Report,
    deliver_picture,
    deliver_video,
)
from portico.providers.local.drawing.orders import Order
from portico.providers.local.drawing.sound import scene_sound
from portico.providers.local.request import FPS


def text_to_video(order: Order, report: Report) -> Made:
    """Shoot the prompt's scene."""
    spec = order.spec
    size, count = order.video_size(), order.frames
    frames = film.shoot(spec, *size, frames=count, fps=FPS, scale=order.scale)
    sound = scene_sound(spec, count / FPS) if order.audio else None
    made = deliver_video(order, report, frames, size=size, count=count, sound=sound)
    return replace(made, usage=made.usage | _slots(order))


def text_to_image(order: Order, report: Report) -> Made:
    """Draw the prompt's scene once."""
    picture = film.shoot_still(order.spec, *order.image_size())
    made = deliver_picture(order, report, picture)
    return replace(made, usage=made.usage | _slots(order))


def _slots(order: Order) -> dict[str, object]:
    """Say what the prompt was read as."""
    spec = order.spec
    return {
        "scene": spec.scene,
        "time": spec.time,
        "weather": spec.weather,
        "camera": spec.camera,
    }
