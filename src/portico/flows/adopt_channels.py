"""Take over channels as credentials, and what they serve as routes and prices of the catalogue."""

from collections.abc import AsyncIterator, Mapping
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import msgspec

from portico import credentials
from portico.catalogue.files import RouteSpec
from portico.catalogue.price_files import Composed, NewPrice, compose, keep_file, try_file
from portico.core import faults
from portico.core.errors import ErrorCode, PorticoError
from portico.credentials import CredentialRow
from portico.flows import signals
from portico.flows.administer import Desk
from portico.flows.adoption import Adoption, Tally
from portico.flows.credentials import Draft, Workshop, sealed
from portico.predecessors import ForeignChannel, Ratios, Source, foreign_channel, may_be_text
from portico.providers.registry import BUILDERS
from portico.store import Tx

CHANNELS_MAX = 20_000
NAME_LENGTH_MAX = 200
_KINDS = ("text", "image")  # what a video costs there, code decides that is not in the options


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """What is taken over, and at what rate."""

    kind: str  # `new-api` or `one-api`
    name: str  # of this installation of it: ids follow from it
    quota_per_credit: Fraction | None = None  # None: 1 USD there is 100 credits here
    group: str = "default"  # whose channels and ratio count
    completion: Decimal | None = None  # for texts whose completion ratio is not on record
    without_limits: bool = False  # take tokens over that were limited to models or addresses
    catalogue: Path | None = None  # the operator's folder


class Channels:
    """One way through the channels, to decide or to do."""

    def __init__(
        self,
        desk: Desk,
        shop: Workshop,
        terms: Terms,
        *,
        ratios: Ratios,
        rate: Fraction,
        is_dry: bool,
    ) -> None:
        self._desk = desk
        self._shop = shop
        self._terms = terms
        self._ratios = ratios
        self._rate = rate
        self._is_dry = is_dry
        self._routes: dict[str, list[tuple[int, int, RouteSpec]]] = {}

    async def take(self, source: Source, report: Adoption) -> None:
        """Go through the channels, then write what they serve."""
        rows = await self._desk.store.read(credentials.every)
        known = {row.name: row.provider for row in rows}
        async for channel in self._channels(source):
            await self._take(channel, known, report.credentials)
        self._write(report)

    async def _channels(self, source: Source) -> AsyncIterator[ForeignChannel]:
        count = 0
        async for rows in source.rows("channels"):
            count += len(rows)
            if count > CHANNELS_MAX:
                message = f"the source has more than {CHANNELS_MAX:,} channels"
                raise PorticoError(ErrorCode.INVALID_REQUEST, message)
            for row in rows:
                yield foreign_channel(row, self._terms.kind)

    async def _take(self, channel: ForeignChannel, known: Mapping[str, str], tally: Tally) -> None:
        for place, secret in enumerate(channel.secrets or ("",)):
            tally.found += 1
            name = f"{self._terms.name}-{channel.id}" + (f"-{place + 1}" if place else "")
            if name in known:
                tally.known += 1
            elif (reason := await self._made(channel, name, place, secret)) is None:
                tally.made += 1
            else:
                tally.skip(reason, name)
                continue
            if self._terms.group in channel.groups:
                self._lead(channel, name)
            else:
                tally.note(f"no routes: it is not of the group {self._terms.group}", name)

    async def _made(
        self, channel: ForeignChannel, name: str, place: int, secret: str
    ) -> str | None:
        """Add a credential; returns why not, if not."""
        if channel.provider not in BUILDERS:
            return f"nothing here speaks to a channel of type {channel.type}"
        if not secret:
            return "it has no key"
        draft = Draft(
            name=name,
            provider=channel.provider,
            base_url=channel.base_url,
            secret=secret,
            options=channel.options,
            is_enabled=channel.is_enabled and place not in channel.disabled_secrets,
        )
        try:
            row = await sealed(self._desk, self._shop, draft)
        except PorticoError as error:
            if error.code is not ErrorCode.INVALID_REQUEST:
                raise
            return error.message.replace(name, "it")
        if not self._is_dry:
            await self._keep_credential(row, frozenset(channel.models.values()))
        return None

    async def _keep_credential(self, row: CredentialRow, models: frozenset[str]) -> None:
        """Keep a credential with what its channel served: it is asked for nothing else."""
        now = self._desk.clock.now()

        def write(tx: Tx) -> None:
            credentials.add(tx, row)
            credentials.keep_models(tx, row.name, models, now=now)
            tx.announce(signals.CREDENTIALS)
            faults.reach("import.before_commit")

        await self._desk.store.write(write)
        faults.reach("import.after_commit")

    def _lead(self, channel: ForeignChannel, name: str) -> None:
        """Note the routes to a credential: a higher priority first, then the older channel."""
        for model, upstream_model in channel.models.items():
            route = RouteSpec(
                provider=channel.provider,
                upstream_model=upstream_model[:NAME_LENGTH_MAX],
                credential=name,
                weight=max(1, channel.weight),
            )
            self._routes.setdefault(model, []).append((-channel.priority, channel.id, route))

    def _write(self, report: Adoption) -> None:
        """Write routes and prices of everything that has both."""
        prices = []
        for model in sorted(self._routes):
            report.prices.found += 1
            price = self._price(model)
            if isinstance(price, str):
                report.prices.skip(price, model)
            else:
                prices.append(price)
        folder = self._terms.catalogue
        if folder is None:
            for price in prices:
                report.prices.skip("there is no folder for it: set PORTICO_CATALOGUE", price.model)
            return
        self._write_file(folder, prices, report)

    def _price(self, model: str) -> NewPrice | str:
        if not 0 < len(model) <= NAME_LENGTH_MAX or not model.isprintable():
            return "its name is too long or not plain text"
        found = self._ratios.listing(
            model,
            quota_per_credit=Decimal(self._rate.numerator) / self._rate.denominator,
            group=self._terms.group,
            completion=self._terms.completion,
        )
        if isinstance(found, str):
            return found
        is_text = found.input is not None or may_be_text(model)
        routes = self._best_first(model, "stream" if is_text else "start")
        if not routes:
            return "none of its channels becomes a credential that makes such a thing"
        return NewPrice(
            model=model,
            amount=found.amount,
            input=found.input,
            cached=found.cached,
            output=found.output,
            kind="text" if may_be_text(model) else None,
            routes=routes,
        )

    def _best_first(self, model: str, ability: str) -> tuple[RouteSpec, ...]:
        """Return the routes to providers that can; only the highest priority has a weight.

        A route without one is taken where no other is left, as a lower priority is there.
        """
        found = sorted(
            (each for each in self._routes[model] if hasattr(BUILDERS[each[2].provider], ability)),
            key=lambda each: each[:2],
        )
        return tuple(
            route if order == found[0][0] else msgspec.structs.replace(route, weight=0)
            for order, _, route in found
        )

    def _write_file(self, folder: Path, prices: list[NewPrice], report: Adoption) -> None:
        name = f"imported-{self._terms.name}.toml"
        try:
            composed = compose(
                prices,
                folder=folder,
                name=name,
                kinds=_KINDS,
                heading=f"Written by `portico import {self._terms.kind}`; yours to change.",
            )
            try_file(folder, name, composed.text)
        except (ValueError, OSError) as error:
            message = f"the catalogue cannot be used with what would be written: {error}"
            raise PorticoError(ErrorCode.INVALID_REQUEST, message) from None
        for model, reason in composed.skipped.items():
            report.prices.skip(reason, model)
        report.prices.made = len(composed.models)
        report.file = str(folder / name)
        self._keep(folder / name, composed, report)

    def _keep(self, path: Path, composed: Composed, report: Adoption) -> None:
        """Write the file where there is none; one that is there may have been changed by hand."""
        if path.is_file():
            report.prices.known, report.prices.made = report.prices.made, 0
            if path.read_text("utf-8") != composed.text:
                report.notes.append(
                    f"{path.name} is there and stays as it is, though it differs from what would "
                    "be written: move it away to have it written anew"
                )
        elif composed.models:
            report.file_changed = self._is_dry or keep_file(path.parent, path.name, composed.text)
