"""Rows of credentials: what may be one, how they change, and that they show no secret."""

import msgspec
import pytest

from portico import credentials
from portico.core.errors import PorticoError
from portico.credentials import BalanceRow, Change, CredentialRow
from portico.testing import START

SEALED = "1.0a1b2c3d.sealed-canary"


def row(name: str = "main", **other: object) -> CredentialRow:
    made = CredentialRow(
        name=name,
        provider="openai_like",
        base_url="https://example.com/v1",
        secret=SEALED,
        callback_secret=SEALED,
        created_at=START,
        updated_at=START,
    )
    return msgspec.structs.replace(made, **other)


async def test_row_comes_back_as_it_was_added(store):
    added = row(
        options={"keeps_keys": "1"},
        region="eu-1",
        attempts_max=3,
        starts_per_minute=60,
        is_enabled=False,
        balance_low=5,
    )
    await store.write(lambda tx: credentials.add(tx, added))
    assert await store.read(lambda tx: credentials.get(tx, "main")) == added


async def test_name_is_taken_once(store):
    await store.write(lambda tx: credentials.add(tx, row()))
    with pytest.raises(PorticoError, match="already"):
        await store.write(lambda tx: credentials.add(tx, row()))


async def test_every_change_shows_in_the_stamps(store):
    async def stamps():
        return await store.read(credentials.stamps)

    seen = [await stamps()]
    for work in (
        lambda tx: credentials.add(tx, row()),
        lambda tx: credentials.add(tx, row("other")),
        lambda tx: credentials.change(tx, "main", Change(is_enabled=False), now=START),
        lambda tx: credentials.keep_models(tx, "main", ["b", "a/x:1"], now=START),
        lambda tx: credentials.remove(tx, "main"),
        lambda tx: credentials.add(tx, row(created_at=START + 1)),
    ):
        await store.write(work)
        seen.append(await stamps())
    assert len(set(seen)) == len(seen)


async def test_change_keeps_what_it_does_not_name(store):
    added = row(region="eu-1", attempts_max=3)
    await store.write(lambda tx: credentials.add(tx, added))
    changes = Change(attempts_max=None, secret="1.0a1b2c3d.new")
    changed = await store.write(lambda tx: credentials.change(tx, "main", changes, now=START + 5))
    expected = msgspec.structs.replace(
        added, attempts_max=None, secret="1.0a1b2c3d.new", version=2, updated_at=START + 5
    )
    assert changed == expected
    assert await store.read(lambda tx: credentials.get(tx, "main")) == expected
    assert not added.makes_the_same(expected)


async def test_list_of_models_is_kept_and_makes_no_other_provider(store):
    await store.write(lambda tx: credentials.add(tx, row()))
    kept = await store.write(lambda tx: credentials.keep_models(tx, "main", ["b", "a"], now=START))
    assert kept.models == {"a", "b"}
    assert (await store.read(credentials.every))[0] == kept
    assert kept.makes_the_same(row())


async def test_unknown_name_is_refused(store):
    for work in (
        lambda tx: credentials.get(tx, "nobody"),
        lambda tx: credentials.remove(tx, "nobody"),
        lambda tx: credentials.change(tx, "nobody", Change(), now=START),
    ):
        with pytest.raises(PorticoError, match="No such credential"):
            await store.write(work)


@pytest.mark.parametrize("name", ["a", "main", "ark-2", "0", "a" * 40])
def test_sound_name(name):
    assert credentials.checked_name(name) == name


@pytest.mark.parametrize(
    "name", ["", "Main", "-a", "a-", "a_b", "a.b", "ü", "a b", "a" * 41, "a\n"]
)
def test_name_that_cannot_be_one(name):
    with pytest.raises(PorticoError, match="small letters"):
        credentials.checked_name(name)


@pytest.mark.parametrize("secret", ["", "  \n", "a\nb", "clé", "a\x00b", "x" * 8_193])
def test_secret_that_cannot_be_one_is_not_quoted(secret):
    with pytest.raises(PorticoError) as caught:
        credentials.checked_secret(secret)
    assert not secret.strip() or secret not in caught.value.message


def test_space_around_a_secret_is_left_out():
    assert credentials.checked_secret(" sk-1 \n") == "sk-1"


@pytest.mark.parametrize("options", [{"A": "1"}, {"": "1"}, {"a": "x\ny"}, {"a": "x" * 1_025}])
def test_option_that_cannot_be_one(options):
    with pytest.raises(PorticoError, match="option"):
        credentials.checked_options(options)


def test_nothing_printed_shows_a_secret():
    shown = f"{row(options={'k': 'canary'})!r} {Change(secret=SEALED)!r} {[row()]}"
    assert "canary" not in shown


async def test_last_balance_is_kept_and_goes_with_its_credential(store):
    told = BalanceRow(credential="main", amount=-7, unit="credits", read_at=START)
    await store.write(lambda tx: credentials.add(tx, row()))
    before = await store.read(credentials.stamps)
    for each in (told, msgspec.structs.replace(told, amount=9)):
        await store.write(lambda tx, each=each: credentials.keep_balance(tx, each))

    kept = await store.read(credentials.balances)
    assert {name: one.amount for name, one in kept.items()} == {"main": 9}
    assert await store.read(credentials.stamps) == before  # no provider is built anew for it
    await store.write(lambda tx: credentials.remove(tx, "main"))
    assert await store.read(credentials.balances) == {}
