"""What taking over a predecessor comes to: what is made, what is not and why, and both sums."""

from collections import Counter
from collections.abc import Mapping
from fractions import Fraction
from typing import Any

import msgspec

from portico.core.money import CREDITS_MAX, MICRO, Credits

SAMPLES_MAX = 5
SAMPLE_LENGTH_MAX = 100
REASONS_MAX = 200


def plain(text: str) -> str:
    """Return a foreign text as it may be printed: a terminal obeys some characters."""
    shown = text[:SAMPLE_LENGTH_MAX]
    return "".join(letter if letter.isprintable() else "\ufffd" for letter in shown)


class Tally:
    """Counts one kind of thing; says for each reason how often, and a few names."""

    def __init__(self) -> None:
        self.found = 0
        self.made = 0
        self.known = 0
        self._skipped: Counter[str] = Counter()
        self._noted: Counter[str] = Counter()
        self._samples: dict[str, list[str]] = {}

    def skip(self, reason: str, which: object) -> None:
        """Count something that is not taken over."""
        self._count(self._skipped, reason, which)

    def note(self, what: str, which: object) -> None:
        """Count something that is taken over, though not as it was."""
        self._count(self._noted, what, which)

    def view(self) -> dict[str, Any]:
        """Return all of it for a report."""
        return {
            "found": self.found,
            "made": self.made,
            "known": self.known,
            "skipped": self._listed(self._skipped),
            "changed": self._listed(self._noted),
        }

    def _count(self, counter: Counter[str], reason: str, which: object) -> None:
        if reason not in counter and len(counter) >= REASONS_MAX:
            reason = "other reasons"
        counter[reason] += 1
        samples = self._samples.setdefault(reason, [])
        if len(samples) < SAMPLES_MAX:
            samples.append(plain(str(which)))

    def _listed(self, counter: Counter[str]) -> list[dict[str, Any]]:
        return [
            {"reason": reason, "count": count, "such_as": self._samples[reason]}
            for reason, count in counter.most_common()
        ]


class Sums:
    """Balances on both sides. Credits are given in full or not at all, each rounded up.

    `source == opened + known + skipped + capped - rounding - forgiven`, to the last digit.
    """

    def __init__(self, quota_per_credit: Fraction) -> None:
        self._rate = MICRO / quota_per_credit  # microcredits a unit of quota
        self.quota = 0
        self.opened: Credits = 0
        self.known: Credits = 0
        self.skipped = Fraction(0)
        self.capped = Fraction(0)
        self.rounding = Fraction(0)
        self.forgiven = Fraction(0)

    def worth(self, quota: int) -> Credits:
        """Return what an amount of quota is worth: rounded up, at least 0, at most our limit."""
        exact = self._rate * max(0, quota)
        return min(-(-exact.numerator // exact.denominator), CREDITS_MAX)

    def count(self, quota: int, fate: str) -> None:
        """Count the balance of one user that is `made`, `known` or `skipped`."""
        self.quota += quota
        exact = self._rate * quota
        if fate == "skipped":
            self.skipped += exact
            return
        given = self.worth(quota)
        if fate == "made":
            self.opened += given
        else:
            self.known += given
        self.forgiven += max(Fraction(0), -exact)
        difference = given - max(Fraction(0), exact)
        self.rounding += max(Fraction(0), difference)
        self.capped += max(Fraction(0), -difference)

    def view(self) -> dict[str, Any]:
        """Return all of it in credits, as decimal text."""
        amounts: Mapping[str, Fraction | int] = {
            "source": self._rate * self.quota,
            "opened": self.opened,
            "known": self.known,
            "skipped": self.skipped,
            "capped": self.capped,
            "rounding": self.rounding,
            "forgiven": self.forgiven,
        }
        shown = {name: _credits(Fraction(amount)) for name, amount in amounts.items()}
        return {"source_quota": self.quota, **shown}


class Adoption(msgspec.Struct, kw_only=True):
    """Everything that came of it, or would come of it."""

    accounts: Tally
    keys: Tally
    credentials: Tally
    prices: Tally
    sums: Sums
    notes: list[str]
    quota_per_credit: Fraction
    file: str | None = None  # of the catalogue; None: there is none
    file_changed: bool = False
    is_sound: bool = True

    def view(self) -> dict[str, Any]:
        """Return the report."""
        return {
            "quota_per_credit": _decimal(self.quota_per_credit),
            "accounts": self.accounts.view(),
            "keys": self.keys.view(),
            "credentials": self.credentials.view(),
            "prices": self.prices.view(),
            "balances": self.sums.view(),
            "catalogue_file": self.file,
            "catalogue_file_changed": self.file_changed,
            "notes": self.notes,
            "ledger_sound": self.is_sound,
        }


def _credits(amount: Fraction) -> str:
    return _decimal(amount / MICRO)


def _decimal(amount: Fraction) -> str:
    """Write a fraction with at most 12 decimals, exactly where that is enough."""
    sign = "-" if amount < 0 else ""
    whole, part = divmod(round(abs(amount) * 10**12), 10**12)
    return f"{sign}{whole}.{part:012d}".rstrip("0").rstrip(".")
