"""Take over a predecessor: users, tokens, balances, channels and prices; twice is harmless.

Everything is read and decided once before anything is written, so a source that cannot be read to
its end changes nothing. What is made has an id that follows from where it came from: a second run,
or one after a crash, finds it there and leaves it as it is.
"""

from collections.abc import Callable, Sequence
from decimal import Decimal
from fractions import Fraction
from typing import NamedTuple, TypeVar

from portico import accounts, ledger
from portico.accounts import KeyLimits
from portico.core import faults
from portico.core.clock import Instant
from portico.core.errors import PorticoError
from portico.core.ids import AccountId, KeyId, derived_id
from portico.core.money import Credits
from portico.flows.administer import Desk, verify
from portico.flows.adopt_channels import Channels, Terms
from portico.flows.adoption import Adoption, Sums, Tally, plain
from portico.flows.credentials import Workshop
from portico.predecessors import (
    CREDITS_PER_USD,
    PRICE_OPTIONS,
    ForeignKey,
    ForeignUser,
    Ratios,
    Source,
    foreign_key,
    foreign_user,
    ratios_of,
    text_of,
)
from portico.store import Tx

DOMAIN = "imported"  # of addresses for users who have none
T = TypeVar("T")
F = TypeVar("F", ForeignUser, ForeignKey)

MADE, KNOWN, SKIPPED = "made", "known", "skipped"


async def adopt(
    desk: Desk, shop: Workshop, source: Source, terms: Terms, *, dry: bool = False
) -> Adoption:
    """Take over what a predecessor's database holds, in many short transactions.

    Args:
        desk: where to.
        shop: seals the channels' keys.
        source: read twice; closed by the caller.
        terms: what is taken, and at what rate.
        dry: only say what would be done.

    Raises:
        PorticoError: INVALID_REQUEST, before anything is written, for a source that cannot be
            read, a rate that is none, or a catalogue that cannot be used.
    """
    options = await _options(source)
    ratios = ratios_of(options)
    rate = terms.quota_per_credit or Fraction(ratios.units_per_usd) / CREDITS_PER_USD
    found = await _Pass(desk, shop, terms, ratios=ratios, rate=rate, is_dry=True).run(source)
    if dry:
        return found
    found = await _Pass(desk, shop, terms, ratios=ratios, rate=rate, is_dry=False).run(source)
    found.is_sound = not await verify(desk)
    return found


class _Person(NamedTuple):
    """What becomes of one user."""

    fate: str
    why: str = ""  # it is skipped, or not quite as it was
    email: str = ""
    account_id: AccountId = ""


class _Pass:
    """One way through everything, to decide or to do."""

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
        self._terms = terms
        self._is_dry = is_dry
        self._channels = Channels(desk, shop, terms, ratios=ratios, rate=rate, is_dry=is_dry)
        self._users: set[int] = set()  # who has an account, or would have
        self._taken: set[str] = set()  # addresses and keys' hashes
        self._ratios = ratios
        self.report = Adoption(
            accounts=Tally(),
            keys=Tally(),
            credentials=Tally(),
            prices=Tally(),
            sums=Sums(rate),
            notes=[],
            quota_per_credit=rate,
        )

    async def run(self, source: Source) -> Adoption:
        """Go through users, tokens and channels, and say what came of it."""
        groups: dict[str, int] = {}
        invited = 0
        async for rows in source.rows("users"):
            users = [foreign_user(row) for row in rows]
            for user in users:
                groups[user.group] = groups.get(user.group, 0) + 1
                invited += user.invitation_quota
            await self._take_users(users)
        async for rows in source.rows("tokens"):
            await self._take_keys([foreign_key(row) for row in rows])
        await self._channels.take(source, self.report)
        self._note_groups(groups)
        if invited:
            self.report.notes.append(
                f"{invited} units of quota earned by invitations, and not yet moved into a "
                "balance there, are not taken over"
            )
        return self.report

    async def _take_users(self, users: Sequence[ForeignUser]) -> None:
        people = await self._each(users, self._person)
        for user, person in zip(users, people, strict=True):
            tally = self.report.accounts
            tally.found += 1
            self.report.sums.count(user.quota, person.fate)
            if person.fate == SKIPPED:
                tally.skip(person.why, user.id)
                continue
            self._users.add(user.id)
            if person.fate == KNOWN:
                tally.known += 1
                continue
            tally.made += 1
            if person.why:
                tally.note(person.why, person.email)
            if not user.is_enabled:
                tally.note("disabled there, suspended here", person.email)

    async def _take_keys(self, keys: Sequence[ForeignKey]) -> None:
        fates = await self._each(keys, self._key)
        for key, (fate, why) in zip(keys, fates, strict=True):
            tally = self.report.keys
            tally.found += 1
            if fate == SKIPPED:
                tally.skip(why, key.id)
            elif fate == KNOWN:
                tally.known += 1
            else:
                tally.made += 1
                if why:
                    tally.note(why, key.id)

    async def _each(
        self, rows: Sequence[F], decide: Callable[[Tx, F, set[str], Instant], T]
    ) -> list[T]:
        """Decide on a batch, or do it in one transaction of its own."""
        now = self._desk.clock.now()

        def work(tx: Tx) -> tuple[list[T], set[str]]:
            fresh: set[str] = set()  # a work may run more than once
            found = [decide(tx, row, fresh, now) for row in rows]
            if not self._is_dry:
                faults.reach("import.before_commit")
            return found, fresh

        if self._is_dry:
            decided, fresh = await self._desk.store.read(work)
        else:
            decided, fresh = await self._desk.store.write(work)
            faults.reach("import.after_commit")
        self._taken |= fresh
        return decided

    def _person(self, tx: Tx, user: ForeignUser, fresh: set[str], now: Instant) -> _Person:
        account_id = self._id("acc", "user", user.id)
        if account_id in self._taken | fresh or accounts.find(tx, account_id) is not None:
            return _Person(KNOWN)
        if user.is_deleted:
            return _Person(SKIPPED, "deleted there")
        own, *others = _addresses(user)
        for email in (own, *others):
            if email and not self._is_taken(email, fresh) and not accounts.has_email(tx, email):
                break
        else:
            return _Person(SKIPPED, "its address is another account's")
        fresh |= {email, account_id}
        why = "its own address was taken" if own else "without an address of its own"
        person = _Person(MADE, "" if email == own else why, email, account_id)
        if not self._is_dry:
            self._make(tx, user, person, now)
        return person

    def _make(self, tx: Tx, user: ForeignUser, person: _Person, now: Instant) -> None:
        accounts.create(
            tx, account_id=person.account_id, email=person.email, is_operator=False, now=now
        )
        if not user.is_enabled:
            accounts.set_status(tx, person.account_id, suspended=True)
        ledger.open_account(tx, person.account_id)
        if amount := self.report.sums.worth(user.quota):
            reason = f"opening balance from {self._terms.name}, user {user.id}"
            ledger.top_up(tx, person.account_id, amount=amount, reason=reason, at=now)

    def _key(self, tx: Tx, key: ForeignKey, fresh: set[str], now: Instant) -> tuple[str, str]:
        key_id = self._id("key", "token", key.id)
        known = accounts.known_key(key.secret)
        like = accounts.keys_like(tx, key_id=key_id, secret_hash=known.hash)
        if key_id in like or self._is_taken(key_id, fresh):
            return KNOWN, ""
        if (reason := self._objection(key)) is not None:
            return SKIPPED, reason
        if like or self._is_taken(known.hash, fresh):
            return SKIPPED, "the same key belongs to another account or token"
        fresh |= {key_id, known.hash}
        if not self._is_dry:
            self._make_key(tx, key, key_id, now)
        why = "" if key.is_usable else "disabled there, revoked here"
        if key.restrictions:
            why = f"limited to {' and '.join(key.restrictions)} there, without limits here"
        return MADE, why

    def _objection(self, key: ForeignKey) -> str | None:
        if key.is_deleted:
            return "deleted there"
        if key.user_id not in self._users:
            return "its user is not taken over"
        if not key.is_plausible:
            return "too short to be safe, or not plain text"
        if key.restrictions and not self._terms.without_limits:
            limits = " and ".join(key.restrictions)
            return f"limited to {limits}, which keys here cannot be: --without-limits takes it"
        return None

    def _make_key(self, tx: Tx, key: ForeignKey, key_id: KeyId, now: Instant) -> None:
        left: Credits | None = None if key.quota is None else self.report.sums.worth(key.quota)
        accounts.create_key(
            tx,
            key_id=key_id,
            account_id=self._id("acc", "user", key.user_id),
            key=accounts.known_key(key.secret),
            name=key.name,
            limits=KeyLimits(credits_max=left, expires_at=key.expires_at),
            now=now,
        )
        if not key.is_usable:
            accounts.revoke_key(tx, key_id, now=now)

    def _is_taken(self, name: str, fresh: set[str]) -> bool:
        return name in fresh or name in self._taken

    def _id(self, prefix: str, what: str, number: int) -> str:
        return derived_id(prefix, self._terms.name, what, number)

    def _note_groups(self, groups: dict[str, int]) -> None:
        ours = self._ratios.group.get(self._terms.group, Decimal(1))
        for group, count in sorted(groups.items()):
            theirs = self._ratios.group.get(group, Decimal(1))
            if theirs != ours:
                self.report.notes.append(
                    f"{count} users of the group {plain(group)} paid {theirs} times the base "
                    f"price; here everybody pays {ours} times, as the group {self._terms.group} did"
                )


def _addresses(user: ForeignUser) -> tuple[str, str, str]:
    """Return the addresses an account may get, best first; empty for one that is none."""
    try:
        own = accounts.checked_email(user.email)
    except PorticoError:
        own = ""
    if not own.isprintable():
        own = ""
    return own, f"{user.slug}@{DOMAIN}", f"{user.slug}.{user.id}@{DOMAIN}"


async def _options(source: Source) -> dict[str, str]:
    found: dict[str, str] = {}
    async for rows in source.rows("options"):
        named = {text_of(row, "key"): row for row in rows}
        found |= {name: text_of(named[name], "value") for name in PRICE_OPTIONS & named.keys()}
    return found
