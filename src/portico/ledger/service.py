"""What can be done with credits; each takes an open transaction first. Amounts: microcredits."""

from portico.core.clock import Instant
from portico.core.errors import ErrorCode, PorticoError
from portico.core.ids import AccountId, TaskId
from portico.core.money import CREDITS_MAX, Credits
from portico.ledger import queries
from portico.ledger.model import Balance, Book, Difference, Entry, EntryKind, HoldState
from portico.store import Tx


def hold(
    tx: Tx, account_id: AccountId, *, amount: Credits, task_id: TaskId, at: Instant
) -> Credits:
    """Set credits aside for one task; returns what is available afterwards.

    Safe to repeat: a second call for the same task changes nothing.

    Raises:
        PorticoError: INSUFFICIENT_CREDITS when the available balance is below `amount`.
    """
    row = tx.one(queries.TAKE_AVAILABLE, holder=account_id, amount=amount, task_id=task_id)
    if row is None:
        if tx.one(queries.HOLD_OF, task_id=task_id):
            return balance(tx, account_id).available
        raise PorticoError(ErrorCode.INSUFFICIENT_CREDITS, "Insufficient credits")
    tx.execute(
        queries.INSERT_HOLD,
        task_id=task_id,
        account_id=account_id,
        amount=amount,
        state=HoldState.OPEN,
        at=at,
    )
    _enter(
        tx,
        account_id,
        EntryKind.HOLD,
        task_id=task_id,
        available=-amount,
        held=amount,
        at=at,
    )
    return int(row["available"])


def capture(tx: Tx, task_id: TaskId, *, amount: Credits, at: Instant) -> Credits:
    """Spend an open hold, wholly or in part, and give the rest back; returns what was spent.

    Never spends more than was held. Safe to repeat: a closed hold stays as it is, and 0 returns.
    """
    return _close(tx, task_id, state=HoldState.CAPTURED, amount=max(0, amount), at=at)


def release(tx: Tx, task_id: TaskId, *, at: Instant) -> None:
    """Give an open hold back in full. Safe to repeat: a closed hold stays as it is."""
    _close(tx, task_id, state=HoldState.RELEASED, amount=0, at=at)


def top_up(tx: Tx, account_id: AccountId, *, amount: Credits, reason: str, at: Instant) -> Balance:
    """Add bought or granted credits; every call adds.

    Raises:
        PorticoError: INVALID_REQUEST when the amount is not positive or the total too large.
    """
    if amount <= 0:
        raise PorticoError(ErrorCode.INVALID_REQUEST, "A top-up must be positive", param="amount")
    _check_total(tx, account_id, amount)
    _move(
        tx,
        account_id,
        EntryKind.TOP_UP,
        available=amount,
        book=Book.ISSUED,
        reason=reason,
        at=at,
    )
    return balance(tx, account_id)


def adjust(tx: Tx, account_id: AccountId, *, amount: Credits, reason: str, at: Instant) -> Balance:
    """Correct a balance by an operator's hand, up or down; every call counts.

    Raises:
        PorticoError: INSUFFICIENT_CREDITS when less is available than is taken;
            INVALID_REQUEST when the total becomes too large.
    """
    if balance(tx, account_id).available + amount < 0:
        raise PorticoError(ErrorCode.INSUFFICIENT_CREDITS, "Insufficient credits")
    _check_total(tx, account_id, amount)
    _move(
        tx, account_id, EntryKind.ADJUSTMENT, available=amount, book=Book.ADJUSTED, reason=reason,
        at=at,
    )  # fmt: skip
    return balance(tx, account_id)


def open_account(tx: Tx, account_id: AccountId) -> None:
    """Begin an account's balance at zero; once per account."""
    tx.execute(queries.INSERT_BALANCE, account_id=account_id)


def balance(tx: Tx, account_id: AccountId) -> Balance:
    """Return what an account has; zero for one the ledger does not know."""
    row = tx.one(queries.BALANCE, account_id=account_id)
    return Balance(row["available"], row["held"]) if row else Balance(0, 0)


def entries_of(
    tx: Tx, account_id: AccountId, *, limit: int = 100, before_id: int = 2**62
) -> list[Entry]:
    """Return an account's movements, newest first; `before_id` pages on."""
    rows = tx.rows(queries.ENTRIES_OF, account_id=account_id, limit=limit, before_id=before_id)
    return [
        Entry(
            id=row["id"],
            kind=EntryKind(row["kind"]),
            task_id=row["task_id"],
            available_delta=row["available_delta"],
            held_delta=row["held_delta"],
            house_delta=row["house_delta"],
            reason=row["reason"],
            at=row["at"],
        )
        for row in rows
    ]


def verify(tx: Tx) -> list[Difference]:
    """Recompute everything from the movements; an empty list means the ledger is sound."""
    found = [
        Difference("entry does not sum to zero", row["account_id"], row["total"], 0)
        for row in tx.rows(queries.UNBALANCED_ENTRIES)
    ]
    for row in tx.rows(queries.WRONG_BALANCES):
        account_id = row["account_id"]
        found += [
            Difference("available", account_id, row["available"], row["available_sum"]),
            Difference("held", account_id, row["held"], row["held_sum"]),
        ]
    found += [
        Difference("no balance", row["account_id"], 0, row["available"] + row["held"])
        for row in tx.rows(queries.LOST_BALANCES)
    ]
    found += [
        Difference("held against open holds", row["account_id"], row["held"], row["open_holds"])
        for row in tx.rows(queries.WRONG_HELD)
    ]
    return [each for each in found + _verify_holds(tx) if each.stored != each.computed]


def _verify_holds(tx: Tx) -> list[Difference]:
    found = []
    for row in tx.rows(queries.WRONG_HOLDS):
        account_id = row["account_id"]
        found += [
            Difference("hold against entries", account_id, row["amount"], row["opened"]),
            Difference(
                "open hold against entries", account_id, row["kept_open"], row["still_held"]
            ),
            Difference("captured against entries", account_id, row["captured"], row["house"]),
        ]
    for row in tx.rows(queries.LOST_HOLDS):
        account_id = row["account_id"]
        found += [
            Difference("no hold for entries", account_id, 0, row["opened"]),
            Difference("no hold for credits held", account_id, 0, row["held"]),
            Difference("no hold for credits spent", account_id, 0, row["house"]),
        ]
    return found


def _close(tx: Tx, task_id: TaskId, *, state: HoldState, amount: Credits, at: Instant) -> Credits:
    row = tx.one(queries.CLOSE_HOLD, held_task=task_id, new_state=state, spent=amount)
    if row is None:
        return 0
    account_id, held, spent = row["account_id"], row["amount"], row["captured"]
    given_back = held - spent
    _change_balance(tx, account_id, available=given_back, held=-held)
    kind = EntryKind.CAPTURE if state is HoldState.CAPTURED else EntryKind.RELEASE
    book = Book.REVENUE if spent else Book.NONE
    _enter(
        tx,
        account_id,
        kind,
        task_id=task_id,
        available=given_back,
        held=-held,
        book=book,
        at=at,
    )
    return int(spent)


def _move(
    tx: Tx,
    account_id: AccountId,
    kind: EntryKind,
    *,
    available: Credits,
    book: Book,
    reason: str,
    at: Instant,
) -> None:
    _change_balance(tx, account_id, available=available, held=0)
    _enter(tx, account_id, kind, available=available, book=book, reason=reason, at=at)


def _change_balance(tx: Tx, account_id: AccountId, *, available: Credits, held: Credits) -> None:
    changed = tx.execute(
        queries.MOVE, holder=account_id, available_delta=available, held_delta=held
    )
    if not changed:
        raise PorticoError(ErrorCode.INTERNAL, "Internal error", account_id=account_id)


def _check_total(tx: Tx, account_id: AccountId, amount: Credits) -> None:
    before = balance(tx, account_id)
    if before.available + before.held + amount > CREDITS_MAX:
        raise PorticoError(ErrorCode.INVALID_REQUEST, "Too many credits", param="amount")


def _enter(  # noqa: PLR0913 - one row, one argument a column
    tx: Tx,
    account_id: AccountId,
    kind: EntryKind,
    *,
    at: Instant,
    task_id: TaskId | None = None,
    available: Credits = 0,
    held: Credits = 0,
    book: Book = Book.NONE,
    reason: str = "",
) -> None:
    tx.execute(
        queries.INSERT_ENTRY,
        account_id=account_id,
        kind=kind,
        task_id=task_id,
        available_delta=available,
        held_delta=held,
        house_delta=-(available + held),
        book=book,
        reason=reason,
        at=at,
    )
