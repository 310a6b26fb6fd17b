"""The catalogue itself: everything looked up by name, built once at start and never changed."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from portico.catalogue.assemble import Entry, assemble_models, assemble_offerings
from portico.catalogue.chats import resolve_text
from portico.catalogue.cost_tables import assemble_costs
from portico.catalogue.costs import Cost
from portico.catalogue.files import FileSpec, read_folder
from portico.catalogue.names import Names
from portico.catalogue.offerings import Model, Offering
from portico.catalogue.prices import Quote, quote_media, quote_text, version_at
from portico.catalogue.resolve import cast_inputs, fits, resolve_media
from portico.core.clock import Instant
from portico.core.errors import ErrorCode, PorticoError
from portico.core.jobs import ChatAsk, ChatJob, ChatUsage, Kind, MediaAsk, MediaJob
from portico.core.money import Credits

SHIPPED = Path(__file__).parent / "models"


def load(extra: Path | None = None) -> "Catalogue":
    """Read the shipped files, then the operator's folder, whose ids replace ours.

    A model replaces the model of the same id; an offering replaces all variants of the same
    dialect and name.

    Raises:
        ValueError: naming file and field, when a file is not as it should be.
    """
    return _shipped() if extra is None else build([read_folder(SHIPPED), read_folder(extra)])


@cache
def _shipped() -> "Catalogue":
    """Read the shipped files once a process: what is built of them never changes."""
    return build([read_folder(SHIPPED)])


def build(layers: Iterable[Mapping[str, FileSpec]]) -> "Catalogue":
    """Build a catalogue from layers of files; a later layer replaces what an earlier one has.

    Raises:
        ValueError: naming file and field, also when one layer has the same id twice.
    """
    layers = list(layers)
    costs = _costs(layers)
    models: dict[str, Model] = {}
    entries: dict[tuple[str, str], tuple[str, Entry]] = {}
    for layer in layers:
        seen: set[str] = set()
        for file, spec in layer.items():
            with _placed(file):
                for model in assemble_models(spec, costs):
                    _once(model.id, seen)
                    models[model.id] = model
    for layer in layers:
        seen = set()
        for file, spec in layer.items():
            with _placed(file):
                for entry in assemble_offerings(spec, models):
                    _once(f"{entry.dialect}:{entry.name}", seen)
                    entries[entry.dialect, entry.name] = file, entry
    _check_siblings(entries)
    return Catalogue(models.values(), (entry for _, entry in entries.values()))


class Catalogue:
    """Every model, offering and price; pure, and safe to share between threads."""

    def __init__(self, models: Iterable[Model], entries: Iterable[Entry]) -> None:
        entries = list(entries)
        self._models = {model.id: model for model in models}
        self._offerings = {one.id: one for entry in entries for one in entry.offerings}
        self._names = Names(entries)

    def resolve(self, ask: MediaAsk) -> MediaJob:
        """Find the offering, check what is asked, fill in the defaults, choose the mode.

        Raises:
            PorticoError: UNKNOWN_MODEL, UNSUPPORTED_OPTION or INVALID_REQUEST; `param` is the
                canonical name at fault (a parameter, a role, `prompt`, `model` or `mode`).
        """
        offering = self._names.find(
            ask.dialect, ask.name, variant=ask.variant, function=ask.function, kind=ask.kind
        )
        if offering.kind is Kind.TEXT:
            raise PorticoError(ErrorCode.UNKNOWN_MODEL, "This model writes text", param="model")
        if offering.siblings and ask.inputs:
            offering = self._sibling(offering, ask)
        return resolve_media(offering, ask)

    def resolve_chat(self, ask: ChatAsk) -> ChatJob:
        """Find the offering, check messages and sampling, settle the most to be written.

        Raises:
            PorticoError: UNKNOWN_MODEL, UNSUPPORTED_OPTION or INVALID_REQUEST.
        """
        return resolve_text(self._names.find(ask.dialect, ask.name, kind=Kind.TEXT), ask)

    def quote(self, job: MediaJob, *, at: Instant) -> Quote:
        """Compute what a picture or video costs when admitted at that instant.

        Raises:
            PorticoError: UNKNOWN_MODEL when it is not on sale then, UNSUPPORTED_OPTION when it
                would cost more than its ceiling.
        """
        return quote_media(version_at(self.offering(job.offering).prices, at), job)

    def quote_chat(self, job: ChatJob, *, input_tokens: int, at: Instant) -> Quote:
        """Compute the most a chat can cost, for its hold. Raises as `quote` does."""
        price = version_at(self.offering(job.offering).prices, at)
        return quote_text(price, ChatUsage(input_tokens, job.max_tokens))

    def price_chat(self, job: ChatJob, usage: ChatUsage, *, at: Instant) -> Credits:
        """Compute what a chat cost; `at` is the instant of its quote. Raises as `quote` does."""
        return quote_text(version_at(self.offering(job.offering).prices, at), usage).amount

    def offering(self, offering_id: str) -> Offering:
        """Return one offering, enabled or not.

        Raises:
            PorticoError: UNKNOWN_MODEL when there is none of this id.
        """
        found = self._offerings.get(offering_id)
        if found is None:
            raise PorticoError(ErrorCode.UNKNOWN_MODEL, "No such model", param="model")
        return found

    def offerings(self, dialect: str, kind: Kind | None = None) -> tuple[Offering, ...]:
        """Return what a dialect sells, in the order of the files."""
        return tuple(
            one
            for one in self._offerings.values()
            if one.dialect == dialect and one.enabled and kind in (None, one.kind)
        )

    def sold_as(self, model_id: str) -> tuple[Offering, ...]:
        """Return everything under which a model is sold, in the order of the files."""
        return tuple(one for one in self._offerings.values() if one.model == model_id)

    def model(self, model_id: str) -> Model:
        """Return one model.

        Raises:
            PorticoError: UNKNOWN_MODEL when there is none of this id.
        """
        found = self._models.get(model_id)
        if found is None:
            raise PorticoError(ErrorCode.UNKNOWN_MODEL, "No such model", param="model")
        return found

    def models(self) -> tuple[Model, ...]:
        """Return every model, in the order of the files."""
        return tuple(self._models.values())

    def _sibling(self, offering: Offering, ask: MediaAsk) -> Offering:
        """Switch to the name that takes these inputs, if it costs the same (reading B4)."""
        for mode, name in offering.siblings.items():
            if ask.mode not in (None, mode):
                continue
            other = self._names.find(ask.dialect, name, kind=offering.kind)
            rules = other.modes.get(mode)
            if rules is not None and fits(rules, cast_inputs(other, ask.inputs)):
                return other if other.prices == offering.prices else offering
        return offering


def _costs(layers: Iterable[Mapping[str, FileSpec]]) -> Mapping[str, tuple[Cost, ...]]:
    """Return the costs of all files, by name: a later layer replaces what an earlier one has."""
    found: dict[str, tuple[Cost, ...]] = {}
    for layer in layers:
        seen: set[str] = set()
        for file, spec in layer.items():
            with _placed(file):
                for name, costs in assemble_costs(spec):
                    _once(f"costs {name}", seen)
                    found[name] = costs
    return found


def _check_siblings(entries: Mapping[tuple[str, str], tuple[str, Entry]]) -> None:
    for (dialect, name), (file, entry) in entries.items():
        for sibling in entry.offerings[0].siblings.values():
            if (dialect, sibling) not in entries:
                message = f"{file}: offerings {name}: siblings: no offering {sibling} in {dialect}"
                raise ValueError(message)


@contextmanager
def _placed(file: str) -> Iterator[None]:
    try:
        yield
    except ValueError as error:
        message = f"{file}: {error}"
        raise ValueError(message) from error


def _once(name: str, seen: set[str]) -> None:
    if name in seen:
        message = f"{name} is there twice"
        raise ValueError(message)
    seen.add(name)
