"""Accounts and keys: only a live key of a known account lets anybody in."""

import pytest

from portico import accounts
from portico.accounts import ACTIVE, KeyLimits
from portico.core.errors import ErrorCode, PorticoError
from portico.testing import START, add_account
from tests.raw_sql import REFUSED

HASH = accounts.key_hash("sk-acc_a")


@pytest.fixture
async def known(store):
    """A store with one account, whose key is `sk-acc_a`."""
    await store.write(lambda tx: add_account(tx, "acc_a"))
    return store


def find_caller(tx, now=START):
    return accounts.find_caller(tx, secret_hash=HASH, now=now)


def code_of(caught):
    return caught.value.code


# --- keys ------------------------------------------------------------------------------------


def test_key_is_long_random_and_hashed():
    first, second = accounts.new_key(), accounts.new_key()
    assert first.secret != second.secret
    assert first.secret.startswith("sk-")
    assert len(first.secret) >= 3 + 43  # 256 bits
    assert first.hash == accounts.key_hash(first.secret)
    assert first.secret not in first.hash
    assert first.last_four == first.secret[-4:]


@pytest.mark.parametrize("prefix", ["", "1a", "a" * 17, "sk key", "sk\n", "ключ-"])
def test_unusable_prefix_is_refused(prefix):
    with pytest.raises(PorticoError) as caught:
        accounts.new_key(prefix)
    assert caught.value.param == "prefix"


def test_key_of_any_characters_can_be_hashed():
    assert accounts.key_hash("\ud800") != accounts.key_hash("\ud801")


async def test_key_finds_its_caller(known):
    caller = await known.read(find_caller)
    assert (caller.account_id, caller.key_id) == ("acc_a", "key_acc_a")
    assert (caller.email, caller.status) == ("acc_a@example.com", ACTIVE)


async def test_limits_of_a_key_come_with_its_caller(store):
    limits = KeyLimits(requests_per_minute=5, open_tasks_max=2, credits_max=100)
    await store.write(lambda tx: add_account(tx, "acc_a", limits=limits))
    caller = await store.read(find_caller)
    assert (caller.requests_per_minute, caller.open_tasks_max, caller.credits_max) == (5, 2, 100)


async def test_unknown_key_is_refused(known):
    with pytest.raises(PorticoError) as caught:
        await known.read(
            lambda tx: accounts.find_caller(tx, secret_hash=accounts.key_hash("sk-no"), now=START)
        )
    assert code_of(caught) is ErrorCode.UNAUTHENTICATED


@pytest.mark.parametrize("name", ["key_acc_a", "sk-acc_a"])
async def test_key_revoked_by_id_or_by_itself_is_refused(known, name):
    assert await known.write(lambda tx: accounts.revoke_key(tx, name, now=START))
    with pytest.raises(PorticoError) as caught:
        await known.read(find_caller)
    assert code_of(caught) is ErrorCode.UNAUTHENTICATED


async def test_revoking_twice_keeps_the_first_moment(known):
    for at in (START, START + 5):
        assert await known.write(lambda tx, at=at: accounts.revoke_key(tx, "key_acc_a", now=at))
    (key,) = await known.read(lambda tx: accounts.keys_of(tx, "acc_a"))
    assert key.revoked_at == START


async def test_revoking_an_unknown_key_says_so(known):
    assert not await known.write(lambda tx: accounts.revoke_key(tx, "key_none", now=START))
    assert await known.read(find_caller)


@pytest.mark.parametrize(("now", "welcome"), [(START + 9, True), (START + 10, False)])
async def test_key_works_until_it_expires(store, now, welcome):
    limits = KeyLimits(expires_at=START + 10)
    await store.write(lambda tx: add_account(tx, "acc_a", limits=limits))
    if welcome:
        assert await store.read(lambda tx: find_caller(tx, now))
    else:
        with pytest.raises(PorticoError) as caught:
            await store.read(lambda tx: find_caller(tx, now))
        assert code_of(caught) is ErrorCode.UNAUTHENTICATED


async def test_list_of_keys_holds_no_secret(known):
    (key,) = await known.read(lambda tx: accounts.keys_of(tx, "acc_a"))
    assert "sk-acc_a" not in str(key)
    assert HASH not in str(key)


async def test_key_of_an_unknown_account_is_refused(store):
    with pytest.raises(REFUSED):
        await store.write(
            lambda tx: accounts.create_key(
                tx,
                key_id="key_x",
                account_id="acc_unknown",
                key=accounts.new_key(),
                name="",
                limits=KeyLimits(),
                now=START,
            )
        )


# --- accounts --------------------------------------------------------------------------------


async def test_suspended_account_is_seen_at_the_next_look(known):
    await known.write(lambda tx: accounts.set_status(tx, "acc_a", suspended=True))
    assert (await known.read(find_caller)).status == "suspended"
    await known.write(lambda tx: accounts.set_status(tx, "acc_a", suspended=False))
    assert (await known.read(find_caller)).status == ACTIVE


async def test_address_is_stored_in_one_spelling(store):
    def create(tx, email):
        return accounts.create(tx, account_id=email, email=email, is_operator=False, now=START)

    await store.write(lambda tx: create(tx, "  Ann@Example.COM "))
    found = await store.read(lambda tx: accounts.by_email(tx, "ANN@example.com"))
    assert found.email == "ann@example.com"
    with pytest.raises(PorticoError) as caught:
        await store.write(lambda tx: create(tx, "ann@EXAMPLE.com"))
    assert (code_of(caught), caught.value.param) == (ErrorCode.INVALID_REQUEST, "email")


@pytest.mark.parametrize("email", ["", "ann", "@example.com", "ann@", "a b@c.d", "a@b@c", "a@b\nc"])
async def test_malformed_address_is_refused(store, email):
    with pytest.raises(PorticoError) as caught:
        await store.read(lambda tx: accounts.by_email(tx, email))
    assert code_of(caught) is ErrorCode.INVALID_REQUEST


async def test_unknown_accounts_are_none_or_refused(known):
    assert await known.read(lambda tx: accounts.find(tx, "acc_none")) is None
    with pytest.raises(PorticoError):
        await known.read(lambda tx: accounts.by_email(tx, "nobody@example.com"))


async def test_accounts_are_found_and_counted(store):
    assert await store.read(accounts.count) == 0
    await store.write(lambda tx: add_account(tx, "acc_a", is_operator=True))
    await store.write(lambda tx: add_account(tx, "acc_b"))
    assert await store.read(accounts.count) == 2
    found = await store.read(lambda tx: accounts.find(tx, "acc_a"))
    assert found.is_operator


# --- a key's own ceiling ---------------------------------------------------------------------


@pytest.fixture
async def capped(store):
    """A store with one key that may spend 100 in all."""
    await store.write(lambda tx: add_account(tx, "acc_a", limits=KeyLimits(credits_max=100)))
    return store


async def spent(store):
    (key,) = await store.read(lambda tx: accounts.keys_of(tx, "acc_a"))
    return key.spent


async def spend(store, amount):
    caller = await store.read(find_caller)
    await store.write(lambda tx: accounts.commit_spend(tx, caller, amount))


async def give_back(store, amount):
    await store.write(lambda tx: accounts.give_back_spend(tx, "key_acc_a", amount))


async def test_key_spends_up_to_its_ceiling(capped):
    await spend(capped, 60)
    await spend(capped, 40)
    assert await spent(capped) == 100


async def test_key_cannot_spend_beyond_its_ceiling(capped):
    await spend(capped, 60)
    with pytest.raises(PorticoError) as caught:
        await spend(capped, 41)
    assert code_of(caught) is ErrorCode.INSUFFICIENT_CREDITS
    assert await spent(capped) == 60


async def test_what_is_given_back_can_be_spent_again(capped):
    await spend(capped, 100)
    await give_back(capped, 30)
    await spend(capped, 30)
    assert await spent(capped) == 100


async def test_ceiling_set_while_tasks_were_open_never_counts_below_zero(capped):
    await spend(capped, 10)
    await give_back(capped, 30)
    assert await spent(capped) == 0


async def test_key_without_ceiling_counts_nothing(known):
    await spend(known, 10**12)
    await give_back(known, 5)
    assert await spent(known) == 0
