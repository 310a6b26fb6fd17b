"""Which routes are paused: a breaker for each model at a credential, and for the credential.

Closed: everything goes. Open: nothing is begun until the pause is over. Half-open: one attempt
looks again; when that is taken the breaker closes, when not the next pause is longer.
"""

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from enum import StrEnum

from portico.core.clock import HOUR_MS, SECOND_MS, Instant
from portico.core.upstreams import Trouble
from portico.routes.model import Key, Pause, key_of

FAILURES_MAX = 3  # in a row, until a route is paused
PROBE_MS = 60 * SECOND_MS  # so long one attempt may look again before another does
PAUSE_MAX_MS = HOUR_MS
COUNTED_MAX = 4_096  # routes whose failures are counted at once

# What the first pause for a kind of trouble lasts; each one after it lasts twice as long.
FIRST_PAUSE_MS = {
    Trouble.UNREACHED: 5 * SECOND_MS,
    Trouble.BUSY: 5 * SECOND_MS,
    Trouble.AMBIGUOUS: 15 * SECOND_MS,
    Trouble.CREDENTIAL: 60 * SECOND_MS,
    Trouble.CREDIT: 60 * SECOND_MS,
    Trouble.MODEL: 60 * SECOND_MS,
}
_AT_ONCE = {Trouble.CREDENTIAL, Trouble.CREDIT, Trouble.MODEL}
_WHOLE_CREDENTIAL = {Trouble.CREDENTIAL, Trouble.CREDIT}


class State(StrEnum):
    """What a breaker lets through."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class Breakers:
    """Every breaker that is not closed. What changes is returned, for others to be told."""

    def __init__(self) -> None:
        self._pauses: dict[Key, Pause] = {}
        self._failures: OrderedDict[Key, int] = OrderedDict()  # in a row, while still closed
        self._probing: set[Key] = set()  # where an attempt of this process looks again

    @property
    def pauses(self) -> Sequence[Pause]:
        """Return every pause, also those that are over and wait for someone to look again."""
        return tuple(self._pauses.values())

    def state(self, key: Key, now: Instant) -> State:
        """Return what may be begun on a route, its credential included."""
        if not self._pauses:
            return State.CLOSED  # nearly always
        state = State.CLOSED
        for pause in self.over(key):
            if _is_on(pause, now):
                return State.OPEN
            state = State.HALF_OPEN
        return state

    def sorted_at(self, now: Instant) -> tuple[frozenset[Key], frozenset[Key]]:
        """Return for what pauses last, and for what they are over; the same as many `state`s."""
        lasting = frozenset(key for key, each in self._pauses.items() if _is_on(each, now))
        return lasting, frozenset(self._pauses) - lasting

    def over(self, key: Key) -> list[Pause]:
        """Return the pauses that hold for a route: its own and its credential's."""
        both = (self._pauses.get(key), self._pauses.get(key_of(key.credential)))
        return [each for each in both if each is not None]

    def opens_at(self, key: Key, now: Instant) -> Instant:
        """Return when a route may be tried again; `now` when it may be already."""
        ends = [each.until for each in self.over(key) if _is_on(each, now)]
        return min(max(ends, default=now), now + PAUSE_MAX_MS)

    def probe(self, key: Key, now: Instant) -> list[Pause]:
        """Have one attempt look again; returns the pauses that hold for everybody else."""
        claimed = [_until(each, now + PROBE_MS) for each in self.over(key)]
        for pause in claimed:
            self._pauses[pause.key] = pause
            self._probing.add(pause.key)
        return claimed

    def lost_turn(self, claimed: Iterable[Pause]) -> None:
        """Note that another process looks again instead."""
        self._probing -= {each.key for each in claimed}

    def failed(
        self, key: Key, trouble: Trouble, *, retry_after_s: float | None, now: Instant
    ) -> Pause | None:
        """Note a refusal or an unclear start; returns the pause it led to, if any.

        Other kinds of trouble say nothing about a route: they count as an answer.
        """
        if trouble not in FIRST_PAUSE_MS:
            return None
        if trouble in _WHOLE_CREDENTIAL:
            key = key_of(key.credential)
        before = self._pauses.get(key)
        looked = key in self._probing or before is None or not _is_on(before, now)
        asked_ms = min(round((retry_after_s or 0.0) * SECOND_MS), PAUSE_MAX_MS)
        if before is not None and not looked:  # somebody began before the pause did
            longer = asked_ms > 0 and now + asked_ms > before.until
            return self._open(_until(before, now + asked_ms)) if longer else None
        if before is None and not asked_ms and not self._is_enough(key, trouble):
            return None
        opens = before.opens + 1 if before else 1
        grown_ms = min(FIRST_PAUSE_MS[trouble] * 2 ** min(opens - 1, 20), PAUSE_MAX_MS)
        return self._open(
            Pause(
                credential=key.credential,
                model=key.model,
                until=now + (asked_ms or grown_ms),
                opens=opens,
                reason=trouble,
            )
        )

    def answered(self, key: Key, now: Instant) -> list[Key]:
        """Note that a route took or judged a job; returns the pauses that are over by that."""
        self._failures.pop(key, None)
        if not self._pauses:
            return []
        over = [
            each.key
            for each in self.over(key)
            if each.key in self._probing or not _is_on(each, now)
        ]
        for each in over:
            del self._pauses[each]
            self._probing.discard(each)
        return over

    def learn(self, pauses: Iterable[Pause]) -> None:
        """Take over what all processes know; it replaces what this one knew."""
        self._pauses = {each.key: each for each in pauses}
        self._probing &= self._pauses.keys()

    def _is_enough(self, key: Key, trouble: Trouble) -> bool:
        if trouble in _AT_ONCE:
            return True
        count = self._failures[key] = self._failures.get(key, 0) + 1
        self._failures.move_to_end(key)
        if len(self._failures) > COUNTED_MAX:
            self._failures.popitem(last=False)
        return count >= FAILURES_MAX

    def _open(self, pause: Pause) -> Pause:
        self._failures.pop(pause.key, None)
        self._probing.discard(pause.key)
        self._pauses[pause.key] = pause
        return pause


def _is_on(pause: Pause, now: Instant) -> bool:
    """Whether a pause lasts; one further off than any is made was left by a clock set back."""
    return now < pause.until <= now + PAUSE_MAX_MS


def _until(pause: Pause, until: Instant) -> Pause:
    return Pause(
        credential=pause.credential,
        model=pause.model,
        until=until,
        opens=pause.opens,
        reason=pause.reason,
    )
