"""List what a dialect sells with its prices: the very prices a submit would hold."""

from collections.abc import Iterator

import msgspec

from portico.catalogue import ModeRules, Offering, PromptUse
from portico.core.clock import Instant
from portico.core.errors import PorticoError
from portico.core.jobs import MediaInput, MediaJob, ParamValue
from portico.core.money import Credits
from portico.flows.gateway import Gateway

__all__ = ["Listed", "ModeRules", "Offering", "PromptUse", "price_list"]

ENHANCE = "enhance"


class Listed(msgspec.Struct, frozen=True):
    """One picture or video offering, priced in its first mode at its defaults."""

    offering: Offering
    price: Credits
    enhance_extra: Credits | None  # what enlarging the result adds; None: it cannot be enlarged


def price_list(gateway: Gateway, dialect: str) -> tuple[Listed, ...]:
    """Return every picture and video offering of a dialect that is on sale now, priced."""
    return tuple(_listed(gateway, dialect, at=gateway.clock.now()))


def _listed(gateway: Gateway, dialect: str, *, at: Instant) -> Iterator[Listed]:
    for offering in gateway.catalogue.offerings(dialect):
        rules = next(iter(offering.modes.values()), None)
        if rules is None:
            continue
        price = _price(gateway, _job(offering, rules, {}), at=at)
        if price is None:
            continue
        extra = None
        enhance = rules.params.get(ENHANCE)
        if enhance is not None and not enhance.ignored:
            enhanced = _price(gateway, _job(offering, rules, {ENHANCE: True}), at=at)
            extra = None if enhanced is None else enhanced - price
        yield Listed(offering, price, extra)


def _price(gateway: Gateway, job: MediaJob, *, at: Instant) -> Credits | None:
    """Return what a job costs; None when it is not on sale now, or above its ceiling."""
    try:
        return gateway.catalogue.quote(job, at=at).amount
    except PorticoError:
        return None


def _job(offering: Offering, rules: ModeRules, params: dict[str, ParamValue]) -> MediaJob:
    """Return the plainest job of a mode: every default, and the fewest inputs."""
    return MediaJob(
        offering=offering.id,
        model=offering.model,
        kind=offering.kind,
        mode=rules.mode,
        params=dict(rules.defaults) | params,
        inputs=tuple(
            MediaInput(role=rule.role, url="")
            for rule in rules.inputs.values()
            for _ in range(rule.minimum)
        ),
    )
