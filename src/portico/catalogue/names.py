"""Find an offering by the names a dialect uses."""

from collections.abc import Iterable

from portico.catalogue.assemble import Entry
from portico.catalogue.offerings import Offering
from portico.core.errors import ErrorCode, PorticoError
from portico.core.jobs import Kind

# Yuanjing's own example names a model of another id's provider; the id wins (reading D15).
_FORGIVING = frozenset({"yuanjing"})
_FUNCTIONS = {"ref2v": "r2v"}


class Names:
    """The names of every offering, by dialect."""

    def __init__(self, entries: Iterable[Entry]) -> None:
        self._entries: dict[tuple[str, str], Entry] = {}
        self._variants: dict[tuple[str, str], list[Offering]] = {}
        self._fallbacks: dict[tuple[str, Kind], Offering] = {}
        entries = list(entries)
        for entry in entries:
            for alias in entry.aliases:
                self._entries[entry.dialect, alias] = entry
        for entry in entries:
            self._entries[entry.dialect, entry.name] = entry
            for one in entry.offerings:
                if one.variant is not None:
                    self._variants.setdefault((one.dialect, one.variant), []).append(one)
                if one.is_fallback and one.is_default and one.enabled:
                    self._fallbacks.setdefault((one.dialect, one.kind), one)

    def find(
        self,
        dialect: str,
        name: str | None,
        *,
        variant: str | None = None,
        function: str | None = None,
        kind: Kind | None = None,
    ) -> Offering:
        """Return the one enabled offering that is meant.

        Raises:
            PorticoError: UNKNOWN_MODEL when no such model is on sale, INVALID_REQUEST when none
                is named, several are meant, or the variant is not one of this name's.
        """
        if name:
            found = self._by_name(dialect, name, variant)
        elif variant:
            found = self._by_variant(dialect, variant, function)
        else:
            found = self._fallback(dialect, kind)
        if not found.enabled or kind not in (None, found.kind):
            raise _unknown()
        return found

    def _by_name(self, dialect: str, name: str, variant: str | None) -> Offering:
        entry = self._entries.get((dialect, name))
        if entry is None:
            raise _unknown()
        if variant:
            for one in entry.offerings:
                if one.variant == variant:
                    return one
            enabled = [one for one in entry.offerings if one.enabled]
            if dialect not in _FORGIVING or len(enabled) > 1:
                message = "This model has no such variant"
                raise PorticoError(ErrorCode.INVALID_REQUEST, message, param="variant")
        for one in entry.offerings:
            if one.is_default and one.enabled:
                return one
        if not any(one.enabled for one in entry.offerings):
            raise _unknown()
        raise PorticoError(ErrorCode.INVALID_REQUEST, "variant is required", param="variant")

    def _by_variant(self, dialect: str, variant: str, function: str | None) -> Offering:
        wanted = _FUNCTIONS.get(function, function) if function else None
        found = [
            one
            for one in self._variants.get((dialect, variant), ())
            if one.enabled and wanted in (None, one.function)
        ]
        if not found:
            raise _unknown()
        if len(found) > 1:
            message = "Several models have this name; say which"
            raise PorticoError(ErrorCode.INVALID_REQUEST, message, param="model")
        return found[0]

    def _fallback(self, dialect: str, kind: Kind | None) -> Offering:
        found = None if kind is None else self._fallbacks.get((dialect, kind))
        if found is None:
            raise PorticoError(ErrorCode.INVALID_REQUEST, "model is required", param="model")
        return found


def _unknown() -> PorticoError:
    return PorticoError(ErrorCode.UNKNOWN_MODEL, "No such model", param="model")
