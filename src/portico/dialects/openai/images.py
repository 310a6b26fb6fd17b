"""OpenAI's picture wire ↔ core; pure functions."""

from collections.abc import Iterable

from msgspec import UNSET

from portico.core.clock import SECOND_MS
from portico.core.errors import ErrorCode, PorticoError
from portico.core.jobs import Kind, MediaAsk, MediaInput
from portico.core.views import TaskView
from portico.dialects.fields import Fields, field, text_field
from portico.dialects.openai import unsupported
from portico.dialects.openai.wire import DIALECT, Image, Images

SOURCES = ("image", "images")
# canonical name -> this wire's
FIELDS = {
    "count": "n",
    "reference_image": "image",
    "source_image": "image",
    "first_frame": "image",
}
FORMATS = ("url", "b64_json")
_BYTES_BY_DEFAULT = "gpt-image"  # these never had addresses; every other model had
# canonical name -> what it may be called here; beyond `size`, these are Portico's own
_PARAMS = {
    "size": ("size",),
    "ratio": ("ratio", "aspect_ratio"),
    "negative_prompt": ("negative_prompt",),
    "seed": ("seed",),
}


def parse_image(fields: Fields, inputs: Iterable[MediaInput]) -> MediaAsk:
    """Read a submit; without a model the catalogue's own default is meant.

    Raises:
        PorticoError: UNSUPPORTED_OPTION for what would change price or content unheard.
    """
    unsupported.refuse({name: values[-1] for name, values in fields.items()}, unsupported.IMAGES)
    given = params_of(fields, _PARAMS)
    if given.get("size") == "auto":
        del given["size"]  # the model's own default
    count = field(fields, "n")
    if count not in (None, 1, "1"):
        given["count"] = count
    return MediaAsk(
        dialect=DIALECT,
        name=text_field(fields, "model"),
        kind=Kind.IMAGE,
        prompt=text_field(fields, "prompt") or "",
        given=given,
        inputs=tuple(inputs),
    )


def params_of(fields: Fields, names: dict[str, tuple[str, ...]]) -> dict[str, object]:
    """Return the parameters that were sent, under canonical names; the first spelling counts."""
    given: dict[str, object] = {}
    for name, spellings in names.items():
        sent = (field(fields, each) for each in spellings)
        value = next((each for each in sent if each is not None), None)
        if value is not None:
            given[name] = value
    return given


def wants_bytes(fields: Fields) -> bool:
    """Tell whether the pictures themselves are to be in the answer, rather than their addresses.

    Raises:
        PorticoError: INVALID_REQUEST for another `response_format`.
    """
    wanted = text_field(fields, "response_format")
    if wanted is None:
        return (text_field(fields, "model") or "").startswith(_BYTES_BY_DEFAULT)
    if wanted not in FORMATS:
        message = f"response_format must be one of {', '.join(FORMATS)}"
        raise PorticoError(ErrorCode.INVALID_REQUEST, message, param="response_format")
    return wanted == "b64_json"


def render_images(view: TaskView, images: list[Image]) -> Images:
    """Write finished pictures, with the format and size they really have."""
    made = view.outputs[0]
    return Images(
        created=view.created_at // SECOND_MS,
        data=images,
        output_format=made.media_type.removeprefix("image/"),
        size=f"{made.width}x{made.height}" if made.width and made.height else UNSET,
    )


def render_addresses(view: TaskView, public_url: str) -> list[Image]:
    """Write where the pictures can be fetched, without a key, until they expire."""
    return [Image(url=public_url + each.url_path) for each in view.outputs]
