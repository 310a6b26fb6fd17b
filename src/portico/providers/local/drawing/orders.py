"""Read a render request's parameters: lengths, sizes, switches, seeds."""

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from portico.core.errors import ErrorCode, PorticoError
from portico.core.jobs import Role
from portico.providers.local.drawing.prompt import SEED_MAX, Spec, read_prompt
from portico.providers.local.request import FPS, RenderInput, RenderRequest
from portico.providers.local.size import Size, image_size, video_size

SECONDS_MAX = 60.0
_DEFAULT_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Order:
    """A request with its parameters read."""

    request: RenderRequest

    @property
    def folder(self) -> Path:
        """The folder for outputs."""
        return Path(self.request.folder)

    @property
    def draft(self) -> bool:
        """Whether the faster, softer tier is wanted."""
        return self.request.model.endswith("-fast")

    @property
    def scale(self) -> float:
        """Share of the frame's size at which scenes are rendered."""
        return 0.5 if self.draft else 0.75

    @property
    def preset(self) -> str:
        """The encoder's speed."""
        return "superfast" if self.draft else "veryfast"

    @property
    def fps(self) -> Fraction:
        """Frames a second."""
        return Fraction(FPS)

    @property
    def seconds(self) -> float:
        """Length asked for, in seconds; -1 means "as you like" at some vendors, here the default.

        Raises:
            PorticoError: INVALID_REQUEST when it is not between 0 and 60 seconds.
        """
        seconds = self.number("duration", _DEFAULT_SECONDS)
        if seconds == -1:
            return _DEFAULT_SECONDS
        if not 0 < seconds <= SECONDS_MAX:
            raise PorticoError(
                ErrorCode.INVALID_REQUEST, "The duration is out of bounds", param="duration"
            )
        return seconds

    @property
    def frames(self) -> int:
        """Number of frames, at least one."""
        return max(1, round(self.seconds * FPS))

    @property
    def audio(self) -> bool:
        """Whether sound is wanted."""
        return self.switch("audio")

    @property
    def spec(self) -> Spec:
        """The prompt as a scene."""
        return read_prompt(
            self.request.prompt,
            seed=self.seed,
            negative=self.text("negative_prompt"),
            expand=self.switch("prompt_expansion", absent=True),  # off only when it is said
            lock_camera=self.switch("lock_camera"),
        )

    @property
    def seed(self) -> int | None:
        """The seed asked for; None (also for a negative one) means the prompt's own."""
        seed = self.number("seed", -1)
        return None if seed < 0 else int(seed) & SEED_MAX

    def video_size(self, picture: Size | None = None) -> Size:
        """Return the frame size of a video."""
        size, resolution, ratio = self._size_words()
        return video_size(size, resolution, ratio, picture=picture)

    def image_size(self, picture: Size | None = None) -> Size:
        """Return the size of a still."""
        size, resolution, ratio = self._size_words()
        return image_size(size, resolution, ratio, picture=picture)

    def text(self, name: str) -> str:
        """Return a parameter as text, empty when absent."""
        return str(self.request.params.get(name, ""))

    def number(self, name: str, default: float) -> float:
        """Return a parameter as a number.

        Raises:
            PorticoError: INVALID_REQUEST when it is not one.
        """
        try:
            return float(self.request.params.get(name, default))
        except ValueError as error:
            raise PorticoError(ErrorCode.INVALID_REQUEST, "Not a number", param=name) from error

    def switch(self, name: str, *, absent: bool = False) -> bool:
        """Return a parameter as yes or no, or `absent` when it is not there."""
        value = self.request.params.get(name, absent)
        return (
            value.lower() in {"true", "1", "yes", "on"} if isinstance(value, str) else bool(value)
        )

    def inputs(self, *roles: Role) -> list[RenderInput]:
        """Return the inputs of these roles, in the order of the roles."""
        return [item for role in roles for item in self.request.inputs if item.role is role]

    def needed(self, *roles: Role) -> RenderInput:
        """Return the first input of these roles.

        Raises:
            PorticoError: INVALID_REQUEST when there is none.
        """
        found = self.inputs(*roles)
        if not found:
            raise PorticoError(ErrorCode.INVALID_REQUEST, "A needed input file is missing")
        return found[0]

    def _size_words(self) -> tuple[str, str, str]:
        return self.text("size"), self.text("resolution"), self.text("ratio")
