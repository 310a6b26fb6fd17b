"""What a job costs us at an upstream: one pure function, before the job and after it.

Integers in microcredits, rounded up, never negative. What the upstream measured counts; what it
did not measure is taken from what was asked; what neither says is not known, which is None and
never zero.
"""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from fractions import Fraction

import msgspec

from portico.catalogue.prices import Cell, Price, Rule, quote_text
from portico.core.clock import Instant
from portico.core.errors import PorticoError
from portico.core.jobs import ChatJob, ChatUsage, MediaJob, Role
from portico.core.llm_tokens import count_job_tokens
from portico.core.money import CREDITS_MAX, Credits

_VIDEO_INPUTS = {Role.REFERENCE_VIDEO, Role.MOTION_VIDEO, Role.SOURCE_VIDEO}
_MILLION = 1_000_000
_COUNT_MAX = 2**53
_NOTHING_MEASURED: Mapping[str, object] = {}


class CostRule(StrEnum):
    """What the amount of a cost is for."""

    FLAT = "flat"
    PER_SECOND = "per_second"
    PER_IMAGE = "per_image"
    PER_LLM_TOKEN = "per_llm_token"  # noqa: S105 - a unit of text, not a secret
    PER_VIDEO_TOKEN = "per_video_token"  # noqa: S105 - a unit of video; per million
    PER_COMPUTE_SECOND = "per_compute_second"
    PER_CREDIT = "per_credit"  # per credit of the upstream's own


class Cost(msgspec.Struct, frozen=True, kw_only=True):
    """One version of what an upstream takes, valid from `since` until before `until`."""

    rule: CostRule = CostRule.FLAT
    amount: Credits | None = None  # per unit; None: the matrix says it all
    matrix: tuple[Cell, ...] = ()
    input: Credits = 0  # per million LLM tokens read
    cached: Credits | None = None
    output: Credits = 0  # per million LLM tokens written
    off_peak_percent: int = 100
    minimum: Credits = 0
    video_tokens_per_second: Mapping[str, int] = {}  # by resolution; where none were reported
    typical: Credits | None = None  # of a job of which nothing can be said before it is done
    since: Instant | None = None
    until: Instant | None = None


def media_cost(
    costs: Sequence[Cost],
    job: MediaJob,
    usage: Mapping[str, object] = _NOTHING_MEASURED,
    *,
    at: Instant,
) -> Credits | None:
    """Compute what one attempt at a picture or video costs us; None: it is not known.

    Args:
        costs: every version of the route's cost.
        job: what was asked.
        usage: what the upstream measured, under the names of `Finished.usage`.
        at: when the attempt began, for the version.
    """
    cost = _valid_at(costs, at)
    if cost is None:
        return None
    if cost.rule is CostRule.PER_LLM_TOKEN:
        return _llm_tokens(cost, usage)
    rate = next((cell.amount for cell in cost.matrix if cell.holds(job)), cost.amount)
    quantity = _quantity(cost, job, usage)
    if rate is None or quantity is None:
        return None
    total = quantity * rate
    if job.params.get("off_peak") is True:
        total = total * cost.off_peak_percent / 100
    return _whole(cost, total)


def text_cost(costs: Sequence[Cost], usage: ChatUsage, *, at: Instant) -> Credits | None:
    """Compute what a text of so many LLM tokens costs us; None: it is not known."""
    cost = _valid_at(costs, at)
    if cost is None:
        return None
    if cost.rule is CostRule.PER_LLM_TOKEN:
        return _text(cost, usage)
    if cost.rule is CostRule.FLAT and cost.amount is not None:
        return _whole(cost, Fraction(cost.amount))
    return None


def expected_cost(costs: Sequence[Cost], job: MediaJob | ChatJob, *, at: Instant) -> Credits | None:
    """Compute what a job would cost us if it were as asked, for the choice between routes.

    A text is taken to be as long as it may be. A cost that only the upstream can measure is its
    `typical` one.
    """
    cost = _valid_at(costs, at)
    if cost is None:
        return None
    if isinstance(job, MediaJob):
        found = media_cost(costs, job, at=at)
    else:
        is_counted = cost.rule is CostRule.PER_LLM_TOKEN
        read = count_job_tokens(job) if is_counted else 0
        found = text_cost(costs, ChatUsage(read, job.max_tokens), at=at)
    return cost.typical if found is None else found


def _valid_at(costs: Sequence[Cost], at: Instant) -> Cost | None:
    for cost in costs:
        begun = cost.since is None or cost.since <= at
        if begun and (cost.until is None or at < cost.until):
            return cost
    return None


def _quantity(cost: Cost, job: MediaJob, usage: Mapping[str, object]) -> Fraction | None:
    match cost.rule:
        case CostRule.FLAT:
            return Fraction(1)
        case CostRule.PER_SECOND:
            return _first(usage.get("seconds"), usage.get("duration_s"), job.params.get("duration"))
        case CostRule.PER_IMAGE:
            return _first(usage.get("images"), job.params.get("count", 1))
        case CostRule.PER_VIDEO_TOKEN:
            tokens = _first(usage.get("video_tokens"))
            tokens = _asked_tokens(cost, job) if tokens is None else tokens
            return None if tokens is None else tokens / _MILLION
        case CostRule.PER_COMPUTE_SECOND:
            return _first(usage.get("compute_seconds"))
        case _:
            return _first(usage.get("credits"))


def _asked_tokens(cost: Cost, job: MediaJob) -> Fraction | None:
    """Estimate video tokens; where a video goes in, its length counts too and is not known."""
    if any(item.role in _VIDEO_INPUTS for item in job.inputs):
        return None
    seconds = _first(job.params.get("duration"))
    each = cost.video_tokens_per_second.get(str(job.params.get("resolution")))
    return None if seconds is None or each is None else seconds * each


def _llm_tokens(cost: Cost, usage: Mapping[str, object]) -> Credits | None:
    read, written = (_first(usage.get(name)) for name in ("input_tokens", "output_tokens"))
    if (read is None and cost.input) or (written is None and cost.output):
        return None
    return _text(cost, ChatUsage(int(read or 0), int(written or 0)))


def _text(cost: Cost, usage: ChatUsage) -> Credits | None:
    price = Price(
        rule=Rule.PER_LLM_TOKEN,
        amount=cost.amount,
        input=cost.input,
        cached=cost.cached,
        output=cost.output,
        minimum=cost.minimum,
    )
    try:
        return quote_text(price, usage).amount
    except PorticoError:  # more than can be counted: the upstream is mistaken
        return None


def _whole(cost: Cost, total: Fraction) -> Credits | None:
    amount = max(-(-total.numerator // total.denominator), cost.minimum)
    return amount if amount <= CREDITS_MAX else None


def _first(*values: object) -> Fraction | None:
    """Return the first of several values that is a believable count."""
    for value in values:
        if not isinstance(value, int | float) or isinstance(value, bool):
            continue
        if 0 <= value <= _COUNT_MAX:  # neither infinity nor what is no number is between them
            return Fraction(str(value))  # 5.04 is meant, not the float next to it
    return None
