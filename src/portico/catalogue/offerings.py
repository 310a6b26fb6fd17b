"""What the catalogue knows, as frozen values: models, their routes, and offerings."""

from collections.abc import Mapping
from enum import StrEnum

import msgspec

from portico.catalogue.costs import Cost
from portico.catalogue.prices import Price
from portico.core.jobs import Kind, Mode, ParamValue, Role

PROMPT_LENGTH_MAX = 10_000  # characters
CHAT_LENGTH_MAX = 1_000_000  # characters, all messages of one chat together
LOCAL_PROVIDER = "local"


class ParamType(StrEnum):
    """How a parameter is read and what its canonical value is."""

    STRING = "string"
    INTEGER = "integer"
    NUMBER = "number"
    BOOLEAN = "boolean"
    CHOICE = "choice"  # one of a few words
    RATIO = "ratio"  # "16:9", "adaptive"
    SIZE = "size"  # "1920x1080"
    RESOLUTION = "resolution"  # "720p"


class PromptUse(StrEnum):
    """Whether a mode needs words."""

    REQUIRED = "required"
    OPTIONAL = "optional"
    IGNORED = "ignored"  # accepted, neither used nor stored


class Param(msgspec.Struct, frozen=True, kw_only=True):
    """One parameter of one mode: what may be sent, and what is meant when nothing is sent."""

    name: str
    type: ParamType
    values: tuple[ParamValue, ...] = ()  # every allowed value; empty: any
    minimum: float | int | None = None
    maximum: float | int | None = None
    max_length: int | None = None  # characters
    default: ParamValue | None = None  # None: absent from the job unless given
    required: bool = False
    ignored: bool = False  # accepted in any form, without effect
    unit: str | None = None
    description: str = ""
    aliases: Mapping[str, ParamValue] = {}  # other spellings, lower case
    replaces: tuple[str, ...] = ()  # parameters that drop out of the job when this one is given


class InputRule(msgspec.Struct, frozen=True):
    """How many files of one role a mode takes."""

    role: Role
    minimum: int
    maximum: int


class ModeRules(msgspec.Struct, frozen=True, kw_only=True):
    """What one mode of one offering takes."""

    mode: Mode
    inputs: Mapping[Role, InputRule] = {}
    params: Mapping[str, Param] = {}
    defaults: Mapping[str, ParamValue] = {}  # of every parameter that has one
    required: tuple[str, ...] = ()  # parameters that must be given
    prompt: PromptUse = PromptUse.REQUIRED
    prompt_length_max: int = PROMPT_LENGTH_MAX


class ChatLimits(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How long a chat and its answer may be."""

    output_tokens_default: int = 1_000  # LLM tokens, when the caller does not say
    output_tokens_max: int = 4_096  # LLM tokens; larger wishes are clipped
    length_max: int = CHAT_LENGTH_MAX


class Offering(msgspec.Struct, frozen=True, kw_only=True):
    """A model as one dialect sells it under one name and, where the dialect has them, variant."""

    id: str  # "<dialect>:<name>", with "/<variant>" after it when there is one
    dialect: str
    name: str
    model: str
    kind: Kind
    title: str
    prices: tuple[Price, ...]  # oldest first
    variant: str | None = None
    is_default: bool = True  # the variant meant when none is named
    is_fallback: bool = False  # meant when the caller names no model at all
    function: str | None = None  # Yuanjing's catelogid
    modes: Mapping[Mode, ModeRules] = {}
    roles: Mapping[Role, Role] = {}  # what each role a caller may say counts as here
    siblings: Mapping[Mode, str] = {}  # other names that serve a mode this one lacks
    chat: ChatLimits = ChatLimits()
    display: Mapping[str, ParamValue | list[ParamValue]] = {}  # fields only this dialect shows
    enabled: bool = True


class Route(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One way to have a model made: a provider, its word for the model, our credential there."""

    provider: str
    upstream_model: str
    credential: str | None = None  # the credential's name, never the secret; None: any
    modes: frozenset[Mode] | None = None  # which it can serve; None: all of them
    stages: frozenset[str] | None = None  # None: the first one, whatever it is called
    region: str = ""  # only credentials there; empty: anywhere
    first_party: bool = False
    weight: int = 1  # among routes as good as each other; 0: only while there is no other
    costs: tuple[Cost, ...] = ()  # what the upstream takes, oldest first; none: not known


class Model(msgspec.Struct, frozen=True, kw_only=True):
    """What makes the result, whatever a dialect calls it."""

    id: str
    title: str
    kind: Kind
    provider_label: str  # shown word for who makes it
    routes: tuple[Route, ...]
    deadline_s: int = 1_800  # from admission until a task expires
    preview: bool = False  # a demonstration: connect an upstream for real use
