"""Jobs: what is asked, free of any dialect, and immutable.

A dialect translates its wire into one of these; a provider translates one of these into its
upstream's wire. Every default is already resolved in a job, so what is priced is what is sent.
"""

from collections.abc import Mapping
from enum import StrEnum

import msgspec

from portico.core.ids import AssetId

ParamValue = str | int | float | bool


class Kind(StrEnum):
    """What a model makes."""

    TEXT = "text"
    IMAGE = "image"
    VIDEO = "video"


class Mode(StrEnum):
    """How a model is used, chosen by the inputs that are given."""

    CHAT = "chat"
    TEXT = "text"  # from words alone
    IMAGE = "image"  # from a first frame, or from a picture to change
    FIRST_LAST = "first_last"  # from a first and a last frame
    REFERENCE = "reference"  # from reference pictures, videos, sounds
    MOTION = "motion"  # a picture moved as a video moves
    WARDROBE = "wardrobe"  # a person dressed in a garment
    ENHANCE = "enhance"  # a picture or video enlarged


class Role(StrEnum):
    """What an input file is for."""

    FIRST_FRAME = "first_frame"
    LAST_FRAME = "last_frame"
    REFERENCE_IMAGE = "reference_image"
    REFERENCE_VIDEO = "reference_video"
    REFERENCE_AUDIO = "reference_audio"
    MOTION_VIDEO = "motion_video"
    GARMENT = "garment"
    SOURCE_IMAGE = "source_image"  # to enhance, or the person to dress
    SOURCE_VIDEO = "source_video"  # to enhance


class RouteClass(StrEnum):
    """Which upstreams a customer allows: any, the cheapest, or first-party ones only."""

    AUTO = "auto"
    VALUE = "value"
    OFFICIAL = "official"


class MediaInput(msgspec.Struct, frozen=True, omit_defaults=True):
    """One input file: a URL still to be fetched, or a stored asset; exactly one is set."""

    role: Role
    url: str | None = None
    asset_id: AssetId | None = None


class MediaJob(msgspec.Struct, frozen=True, kw_only=True):
    """One picture or video to make.

    `params` holds every parameter the offering lists for this mode, defaults filled in, under
    canonical names: `negative_prompt`, `duration` (seconds), `resolution` ("720p", lower case),
    `ratio` ("16:9" or "adaptive"), `size` ("1920x1080"), `seed`, `audio`, `lock_camera`,
    `prompt_expansion`, `off_peak`, `motion_orientation`, `wardrobe_part`, `enhance`.
    """

    offering: str  # offering id, "<dialect>:<name>" unless the catalogue says otherwise
    model: str  # catalogue model id
    kind: Kind
    mode: Mode
    prompt: str = ""
    params: Mapping[str, ParamValue] = {}
    inputs: tuple[MediaInput, ...] = ()
    stages: tuple[str, ...] = ("generate",)  # XiaoYang's enhance_4k adds "enhance"
    route_class: RouteClass = RouteClass.AUTO


class Message(msgspec.Struct, frozen=True):
    """One turn of a conversation; `content` is text, or a list of OpenAI content parts."""

    role: str
    content: str | list[dict[str, object]]

    def words(self) -> str:
        """Return the text of this turn, without pictures and sounds."""
        if isinstance(self.content, str):
            return self.content
        return "\n".join(str(part["text"]) for part in self.content if "text" in part)


class ChatJob(msgspec.Struct, frozen=True, kw_only=True):
    """One text to write. `sampling` holds ordinary OpenAI sampling parameters as given."""

    offering: str
    model: str
    messages: tuple[Message, ...]
    max_tokens: int
    stream: bool = False
    sampling: Mapping[str, object] = {}
    route_class: RouteClass = RouteClass.AUTO


class ChatUsage(msgspec.Struct, frozen=True):
    """LLM tokens of one answer; `source` says who counted: upstream, estimated or capped."""

    input_tokens: int
    output_tokens: int
    cached_tokens: int = 0
    source: str = "upstream"


class Chunk(msgspec.Struct, frozen=True):
    """One piece of a text as it is written; the last piece carries `finish` and `usage`."""

    text: str = ""
    reasoning: str = ""
    finish: str | None = None  # "stop", "length", "content_filter"
    usage: ChatUsage | None = None


class MediaAsk(msgspec.Struct, frozen=True, kw_only=True):
    """What a dialect read from one request for a picture or video, not yet resolved.

    `given` holds only the parameters the client sent, under canonical names with raw values;
    the catalogue checks them, fills defaults and chooses the mode by the inputs.
    """

    dialect: str
    name: str | None  # the model as the dialect names it (modal_key, id, slug, llmid)
    variant: str | None = None  # a second name under the first (option_key, Yuanjing's model)
    function: str | None = None  # Yuanjing's catelogid: t2v, i2v, r2v
    kind: Kind | None = None  # what the path asks for, when it says
    mode: Mode | None = None  # what the client says, when the dialect lets it
    prompt: str = ""
    given: Mapping[str, object] = {}
    inputs: tuple[MediaInput, ...] = ()
    route_class: RouteClass = RouteClass.AUTO


class ChatAsk(msgspec.Struct, frozen=True, kw_only=True):
    """What a dialect read from one request for text, before the catalogue resolves it."""

    dialect: str
    name: str | None
    messages: tuple[Message, ...]
    max_tokens: int | None = None
    stream: bool = False
    sampling: Mapping[str, object] = {}
