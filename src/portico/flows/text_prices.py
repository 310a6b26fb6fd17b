"""List what a dialect writes, with its price for LLM tokens read and written."""

import msgspec

from portico.catalogue import Offering
from portico.catalogue.prices import version_at
from portico.core.errors import PorticoError
from portico.core.jobs import Kind
from portico.core.money import Credits
from portico.flows.gateway import Gateway


class ListedText(msgspec.Struct, frozen=True):
    """One text offering that is on sale now; prices are per million LLM tokens."""

    offering: Offering
    input: Credits
    output: Credits


def text_prices(gateway: Gateway, dialect: str) -> tuple[ListedText, ...]:
    """Return every text offering of a dialect that is on sale now, in the catalogue's order."""
    now = gateway.clock.now()
    listed = []
    for offering in gateway.catalogue.offerings(dialect, Kind.TEXT):
        try:
            price = version_at(offering.prices, now)
        except PorticoError:  # sold until, or from, another date
            continue
        listed.append(ListedText(offering, price.input, price.output))
    return tuple(listed)
