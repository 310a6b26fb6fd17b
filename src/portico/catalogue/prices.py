"""Prices: one pure function from a job to credits, used by list, quote, hold and charge alike.

Integers only, in microcredits; divisions round up, so that nothing is sold below its price.
A quote is the sum of its lines, never negative, and never above its ceiling.
"""

from collections.abc import Iterable
from enum import StrEnum

import msgspec

from portico.core.clock import Instant
from portico.core.errors import ErrorCode, PorticoError
from portico.core.jobs import ChatUsage, MediaJob, ParamValue
from portico.core.money import CREDITS_MAX, MICRO, Credits, format_credits

LLM_TOKENS_PER_PRICE = 1_000_000


class Rule(StrEnum):
    """What the amount of a price is for."""

    FLAT = "flat"
    PER_SECOND = "per_second"
    PER_BLOCK = "per_block"
    PER_IMAGE = "per_image"
    PER_LLM_TOKEN = "per_llm_token"  # noqa: S105 - a unit of text, not a secret


class Rounding(StrEnum):
    """What happens to a block that is only partly used; there is always at least one block."""

    FLOOR = "floor"
    CEIL = "ceil"


class Condition(msgspec.Struct, frozen=True):
    """True when the job's `key` has one of the values.

    `key` is a parameter's name, or `mode`, or `input` (a role that is present, or true/false
    for any input at all).
    """

    key: str
    values: tuple[ParamValue, ...]

    def holds(self, job: MediaJob) -> bool:
        """Tell whether the job fulfils this condition."""
        if self.key == "mode":
            return job.mode.value in self.values
        if self.key == "input":
            roles = {item.role.value for item in job.inputs}
            return any(bool(roles) is v if isinstance(v, bool) else v in roles for v in self.values)
        return job.params.get(self.key) in self.values


class Cell(msgspec.Struct, frozen=True):
    """One cell of a price matrix: the amount when all conditions hold; the first match counts."""

    when: tuple[Condition, ...]
    amount: Credits

    def holds(self, job: MediaJob) -> bool:
        """Tell whether every condition holds."""
        return all(condition.holds(job) for condition in self.when)


class Surcharge(msgspec.Struct, frozen=True):
    """Something more when all conditions hold: an amount, a percentage of the base, or both."""

    label: str
    when: tuple[Condition, ...]
    amount: Credits = 0
    percent: int = 0

    def holds(self, job: MediaJob) -> bool:
        """Tell whether every condition holds."""
        return all(condition.holds(job) for condition in self.when)


class Price(msgspec.Struct, frozen=True, kw_only=True):
    """One version of a price, valid from `since` until before `until` (UTC milliseconds)."""

    rule: Rule = Rule.FLAT
    amount: Credits | None = None  # per job, second, block or image; None: the matrix says it all
    matrix: tuple[Cell, ...] = ()
    block_s: int = 5
    rounding: Rounding = Rounding.CEIL
    input: Credits = 0  # per million LLM tokens read
    cached: Credits | None = None  # per million of those found in the upstream's cache
    output: Credits = 0  # per million LLM tokens written
    off_peak_percent: int = 100  # of the base, when the job may wait for quiet hours
    surcharges: tuple[Surcharge, ...] = ()
    minimum: Credits = 0
    whole: bool = False  # rounded up to whole credits
    ceiling: Credits | None = None
    since: Instant | None = None
    until: Instant | None = None


class QuoteLine(msgspec.Struct, frozen=True):
    """One step of a quote; discounts are negative."""

    label: str
    credits: Credits


class Quote(msgspec.Struct, frozen=True):
    """What a job costs and why; stored with the task as the evidence for its charge."""

    amount: Credits
    lines: tuple[QuoteLine, ...]
    rule: str
    ceiling: Credits | None = None


def version_at(prices: Iterable[Price], at: Instant) -> Price:
    """Return the version valid at that instant.

    Raises:
        PorticoError: UNKNOWN_MODEL when the offering is not on sale then.
    """
    for price in prices:
        begun = price.since is None or price.since <= at
        if begun and (price.until is None or at < price.until):
            return price
    raise PorticoError(ErrorCode.UNKNOWN_MODEL, "This model is not on sale now", param="model")


def quote_media(price: Price, job: MediaJob) -> Quote:
    """Compute what a picture or video costs.

    Raises:
        PorticoError: UNSUPPORTED_OPTION when no price covers the job or it exceeds the ceiling.
    """
    lines = [_base(price, job)]
    base = lines[0].credits
    if price.off_peak_percent != 100 and job.params.get("off_peak") is True:  # noqa: PLR2004
        reduced = _up(base * price.off_peak_percent, 100)
        lines.append(
            QuoteLine(f"off-peak, {price.off_peak_percent} % of the price", reduced - base)
        )
        base = reduced
    for extra in price.surcharges:
        if extra.holds(job):
            amount = extra.amount + _up(base * extra.percent, 100)
            lines.append(QuoteLine(extra.label, amount))
    return _close(price, lines)


def quote_text(price: Price, usage: ChatUsage) -> Quote:
    """Compute what an answer of this many LLM tokens costs.

    Raises:
        PorticoError: UNSUPPORTED_OPTION when it exceeds the ceiling.
    """
    read = max(usage.input_tokens, 0)
    cached = min(max(usage.cached_tokens, 0), read)
    lines = [
        _llm_tokens("input", read - cached, price.input),
        _llm_tokens("output", max(usage.output_tokens, 0), price.output),
    ]
    if cached:
        # Rounded down, alone of all: so the parts never exceed a hold made without the cache.
        rate = price.input if price.cached is None else price.cached
        label = f"{cached} cached input LLM tokens at {format_credits(rate)} per million"
        lines.insert(1, QuoteLine(label, cached * rate // LLM_TOKENS_PER_PRICE))
    if price.amount:
        lines.append(QuoteLine("per answer", price.amount))
    return _close(price, lines)


def _base(price: Price, job: MediaJob) -> QuoteLine:
    amount = next((cell.amount for cell in price.matrix if cell.holds(job)), price.amount)
    if amount is None:
        message = "No price covers this combination of options"
        raise PorticoError(ErrorCode.UNSUPPORTED_OPTION, message, offering=job.offering)
    shown = format_credits(amount)
    if price.rule is Rule.FLAT:
        return QuoteLine("flat price", amount)
    if price.rule is Rule.PER_IMAGE:
        count = _whole_number(job, "count", 1)
        return QuoteLine(f"{count} at {shown} per image", count * amount)
    seconds = _whole_number(job, "duration", 0)
    if price.rule is Rule.PER_SECOND:
        return QuoteLine(f"{seconds} s at {shown} per second", seconds * amount)
    blocks = seconds // price.block_s
    if price.rounding is Rounding.CEIL:
        blocks = _up(seconds, price.block_s)
    blocks = max(1, blocks)
    return QuoteLine(f"{blocks} at {shown} per {price.block_s} s", blocks * amount)


def _close(price: Price, lines: list[QuoteLine]) -> Quote:
    total = sum(line.credits for line in lines)
    if total < price.minimum:
        lines.append(QuoteLine("up to the minimum", price.minimum - total))
        total = price.minimum
    if price.whole and total % MICRO:
        rest = MICRO - total % MICRO
        lines.append(QuoteLine("rounded up to whole credits", rest))
        total += rest
    if total > (CREDITS_MAX if price.ceiling is None else price.ceiling):
        message = "This would cost more than the most this model may cost"
        raise PorticoError(ErrorCode.UNSUPPORTED_OPTION, message, amount=total)
    return Quote(total, tuple(lines), price.rule.value, price.ceiling)


def _llm_tokens(what: str, count: int, rate: Credits) -> QuoteLine:
    text = f"{count} {what} LLM tokens at {format_credits(rate)} per million"
    return QuoteLine(text, _up(count * rate, LLM_TOKENS_PER_PRICE))


def _whole_number(job: MediaJob, name: str, absent: int) -> int:
    value = job.params.get(name, absent)
    return max(value, 0) if isinstance(value, int) else absent


def _up(amount: int, divisor: int) -> int:
    return -(-amount // divisor)
