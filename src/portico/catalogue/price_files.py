"""Put new prices, and routes, for known and new models into a file of the operator's folder.

A known offering is taken over whole, with its shape, under another price. A new model can only be
a text: of a picture or a film nobody but a person knows what may be asked.
"""

import os
import tempfile
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from portico.catalogue.catalogue import SHIPPED, Catalogue, build
from portico.catalogue.files import RouteSpec, read_folder, read_text
from portico.catalogue.toml_text import toml_text
from portico.core import faults

DIALECTS = ("openai", "portico")
KINDS = ("text", "image", "video")
_TEXT, _IMAGE, _ = KINDS
_Table = dict[str, Any]


class NewPrice(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a model is to cost from now on, in credits as decimal text, and who makes it.

    Texts cost by the million LLM tokens (`input`, `cached`, `output`), by the answer (`amount`), or
    both; pictures and videos cost `amount` by their `rule`.
    """

    model: str  # as clients name it
    amount: str | None = None
    input: str | None = None
    cached: str | None = None
    output: str | None = None
    rule: str | None = None  # of pictures (per_image unless said) and videos (flat unless said)
    block_s: int | None = None
    title: str | None = None
    kind: str | None = None  # `text` allows to make a model that is not known yet
    routes: tuple[RouteSpec, ...] = ()  # in order of preference; none: they stay as they are


class Composed(msgspec.Struct, frozen=True, kw_only=True):
    """The text of a file, and what could not become part of it."""

    text: str
    models: tuple[str, ...]
    skipped: Mapping[str, str]  # why, by model


def compose(
    prices: Sequence[NewPrice],
    *,
    folder: Path | None,
    name: str,
    dialects: Sequence[str] = DIALECTS,
    kinds: Sequence[str] = KINDS,
    heading: str = "",
) -> Composed:
    """Return a file that gives these models these prices.

    Args:
        prices: a later one for the same offering is left out, and said so.
        folder: the operator's; its other files are known, the one of this name is replaced.
        name: of the file.
        dialects: in which the prices apply; the same name stays as it is in others.
        kinds: of models whose prices are taken.
        heading: a comment for the file's first line.

    Raises:
        ValueError: naming the file of the folder that is not as it should be.
    """
    file = _File(_Known(_documents(folder, name), dialects), kinds)
    skipped: dict[str, str] = {}
    for price in prices:
        if (reason := file.add(price)) is not None:
            skipped[price.model] = reason
    head = f"# {heading}\n\n" if heading else ""
    made = tuple(each.model for each in prices if each.model not in skipped)
    return Composed(text=head + toml_text(file.document()), models=made, skipped=skipped)


def try_file(folder: Path | None, name: str, text: str) -> Catalogue:
    """Return the catalogue as it would be with a file of this text.

    Raises:
        ValueError: naming file and field, when that is none.
    """
    others = dict(read_folder(folder)) if folder is not None and folder.is_dir() else {}
    return build([read_folder(SHIPPED), others | {name: read_text(name, text)}])


def keep_file(folder: Path, name: str, text: str) -> bool:
    """Write a file that was tried before, whole or not at all; returns whether it differs."""
    path = folder / name
    if path.is_file() and path.read_text("utf-8") == text:
        return False
    folder.mkdir(parents=True, exist_ok=True)
    descriptor, partial = tempfile.mkstemp(prefix=f".{name}.", suffix=".partial", dir=folder)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        faults.reach("price.before_rename")
        Path(partial).replace(path)
    finally:
        Path(partial).unlink(missing_ok=True)
    return True


class _Document(NamedTuple):
    """One file of the catalogue."""

    name: str
    is_theirs: bool  # the operator's
    tables: _Table


def _keys(tables: _Table) -> Iterator[tuple[str, ...]]:
    for model in tables.get("models", ()):
        yield (model["id"],)
    for offering in tables.get("offerings", ()):
        for dialect in offering["dialects"]:
            yield dialect, offering["name"]


class _Found(msgspec.Struct, frozen=True):
    """An offering as its file has it."""

    table: _Table
    file: _Table
    dialects: tuple[str, ...]


class _Known:
    """What models and offerings there are, as the files say it; later files win."""

    def __init__(self, files: Sequence[_Document], dialects: Sequence[str]) -> None:
        self.dialects = tuple(dialects)
        self.owners: dict[tuple[str, ...], str] = {}  # files of the folder, which has no id twice
        self.models: dict[str, _Table] = {}
        self._offerings: dict[tuple[str, str], tuple[_Table, _Table]] = {}
        aliases: dict[tuple[str, str], str] = {}
        for name, is_theirs, file in files:
            self.models |= {model["id"]: model for model in file.get("models", ())}
            if is_theirs:
                self.owners |= dict.fromkeys(_keys(file), name)
            for table in file.get("offerings", ()):
                for dialect in table["dialects"]:
                    self._offerings[dialect, table["name"]] = table, file
                    aliases |= {(dialect, each): table["name"] for each in table.get("aliases", ())}
        self._aliases = aliases

    def offerings(self, name: str) -> list[_Found]:
        """Return every offering of that name, one for each table of a file."""
        found: dict[int, _Found] = {}
        for dialect in self.dialects:
            key = (dialect, name)
            table, file = self._offerings.get(
                key, self._offerings.get((dialect, self._aliases.get(key, "")), (None, None))
            )
            if table is None or file is None:
                continue
            before = found.get(id(table))
            where = (*before.dialects, dialect) if before else (dialect,)
            found[id(table)] = _Found(table, file, where)
        return list(found.values())


class _File:
    """A file that grows offering by offering."""

    def __init__(self, known: _Known, kinds: Sequence[str]) -> None:
        self._known = known
        self._kinds = kinds
        self._models: dict[str, _Table] = {}
        self._shapes: dict[str, Any] = {}
        self._offerings: list[_Table] = []
        self._priced: set[tuple[str, str]] = set()

    def document(self) -> _Table:
        """Return all there is so far."""
        return {
            "models": list(self._models.values()),
            "shapes": self._shapes,
            "offerings": self._offerings,
        }

    def add(self, price: NewPrice) -> str | None:
        """Take one price up; returns why not, if not."""
        found = self._known.offerings(price.model)
        if (owner := self._owner(price, found)) is not None:
            return f"{owner} has it already: change it there"
        if not found:
            return self._add_text(price)
        for one in found:
            if (reason := self._objection(one, price)) is not None:
                return reason
        for one in found:
            self._take_over(one, price)
        if price.routes:
            for model_id in {one.table["model"] for one in found}:
                self._models[model_id] = self._known.models[model_id] | _routes(price)
        return None

    def _owner(self, price: NewPrice, found: Sequence[_Found]) -> str | None:
        """Return another file of the folder that has something of it; two would be too many."""
        keys = {(dialect, one.table["name"]) for one in found for dialect in one.dialects}
        models = {one.table["model"] for one in found} or {price.model}
        wanted = [*sorted(keys), *((model,) for model in models if price.routes)]
        return next((self._known.owners[key] for key in wanted if key in self._known.owners), None)

    def _objection(self, one: _Found, price: NewPrice) -> str | None:
        if any((dialect, one.table["name"]) in self._priced for dialect in one.dialects):
            return "another name of the same offering has a price already"
        if one.table["model"] not in self._known.models or not self._is_whole(one):
            return "its own file does not say enough about it: write a catalogue file"
        variants = one.table.get("variants", ())
        if any({"price", "amount", "model"} & set(variant) for variant in variants):
            return "its variants have prices or models of their own: write a catalogue file"
        if self._kind(one) not in self._kinds:
            return f"the price of a {self._kind(one)} cannot be told from there"
        if self._kind(one) != _TEXT and price.amount is None:
            return "pictures and videos have no price by the LLM token"
        return None

    def _is_whole(self, one: _Found) -> bool:
        shape = one.table.get("shape")
        return shape is None or shape in one.file.get("shapes", {})

    def _kind(self, one: _Found) -> str:
        return str(self._known.models[one.table["model"]]["kind"])

    def _take_over(self, one: _Found, price: NewPrice) -> None:
        kind = self._kind(one)
        table = one.table | {"dialects": list(one.dialects), "price": _price(price, kind)}
        if (shape := one.table.get("shape")) is not None:
            table["shape"] = self._shape(shape, one.file["shapes"][shape])
        self._offerings.append(table)
        self._priced |= {(dialect, table["name"]) for dialect in one.dialects}

    def _shape(self, name: str, shape: Any) -> str:
        """Take a shape over, under a name that no other one has here."""
        free, number = name, 1
        while self._shapes.get(free, shape) != shape:
            number += 1
            free = f"{name}-{number}"
        self._shapes[free] = shape
        return free

    def _add_text(self, price: NewPrice) -> str | None:
        model = self._known.models.get(price.model) or self._models.get(price.model)
        if (model or {"kind": price.kind})["kind"] != _TEXT:
            return "it is neither on sale in these dialects nor a text: write a catalogue file"
        if model is None and not price.routes:
            return "nothing makes it: name a provider and its model"
        if any((dialect, price.model) in self._priced for dialect in self._known.dialects):
            return "it has a price already"
        if price.routes:
            new = {"id": price.model, "title": price.title or price.model, "kind": _TEXT}
            label = {"provider_label": price.routes[0].provider}
            self._models[price.model] = (model or (new | label)) | _routes(price)
        self._offerings.append(
            {
                "dialects": list(self._known.dialects),
                "name": price.model,
                "model": price.model,
                "price": _price(price, _TEXT),
            }
        )
        self._priced |= {(dialect, price.model) for dialect in self._known.dialects}
        return None


def _price(price: NewPrice, kind: str) -> _Table:
    given: _Table
    if kind == _TEXT:
        given = {
            "rule": "per_llm_token",
            "input": price.input,
            "cached": price.cached,
            "output": price.output,
            "amount": price.amount,
        }
    else:
        usual = "per_image" if kind == _IMAGE else "flat"
        given = {
            "rule": price.rule or usual,
            "amount": price.amount,
            "block_s": price.block_s,
        }
    return {name: value for name, value in given.items() if value is not None}


def _routes(price: NewPrice) -> _Table:
    return {"routes": [dict(_given(route)) for route in price.routes]}


def _given(route: RouteSpec) -> Iterator[tuple[str, Any]]:
    """Yield what a route says beyond what is meant anyway."""
    usual = RouteSpec(provider="-", upstream_model="-")
    for name, value in msgspec.to_builtins(route).items():
        if value != getattr(usual, name):
            yield name, value


def _documents(folder: Path | None, name: str) -> list[_Document]:
    found = []
    for each in (SHIPPED, folder):
        if each is None or not each.is_dir():
            continue
        for path in sorted(each.glob("*.toml")):
            if each is SHIPPED or path.name != name:
                text = path.read_text("utf-8")
                read_text(path.name, text)  # refuses what is not as it should be
                found.append(_Document(path.name, each is not SHIPPED, tomllib.loads(text)))
    return found
