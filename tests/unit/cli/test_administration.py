"""Accounts, keys, credits, the ledger, copies: on a real database."""

import asyncio
import sqlite3
import stat

import pytest

from portico.settings import load
from tests.kinds import on_sqlite
from tests.raw_sql import raw_sql

pytestmark = pytest.mark.usefixtures("either")


def test_account_is_created_with_its_credits(portico):
    ran = portico("account", "create", "--email", "Bo@Example.com", "--credits", "12.5", "--json")
    assert ran.result["account_id"].startswith("acc_")
    assert ran.result["email"] == "bo@example.com"
    shown = portico("account", "show", "bo@example.com", "--json").result
    assert (shown["available"], shown["held"], shown["admin"]) == ("12.5", "0", False)


def test_second_account_with_an_address_is_refused(portico, ann):
    ran = portico("account", "create", "--email", ann)
    assert (ran.code, ran.out, ran.err) == (1, "", "portico: This e-mail is taken\n")


@on_sqlite  # nothing is made: no folder either
@pytest.mark.parametrize("amount", ["-1", "1e3", "nan", "0.0000001", "9007199255"])
def test_amount_that_is_no_plain_decimal_makes_no_account(portico, data, amount):
    ran = portico("account", "create", "--email", "bo@example.com", f"--credits={amount}")
    assert (ran.code, ran.err.count("\n")) == (1, 1)
    assert not data.exists()


@on_sqlite
def test_data_option_wins_over_the_environment(portico, data, tmp_path):
    other = tmp_path / "other"
    portico("account", "create", "--email", "bo@example.com", "--data", str(other))
    assert (other.exists(), data.exists()) == (True, False)


def test_suspended_account_is_shown_as_such_until_resumed(portico, ann):
    assert portico("account", "suspend", ann, "--json").result["status"] == "suspended"
    assert portico("account", "suspend", ann).code == 0
    assert portico("account", "show", ann, "--json").result["status"] == "suspended"
    assert portico("account", "resume", ann, "--json").result["status"] == "active"


def test_unknown_account_is_one_line(portico, ann):
    ran = portico("account", "suspend", "nobody@example.com")
    assert (ran.code, ran.err) == (1, "portico: No account with this e-mail\n")


def test_webhook_secret_stays_the_same(portico, ann):
    first = portico("account", "webhook-secret", ann).out
    assert first.startswith("whsec_")
    assert portico("account", "webhook-secret", ann, "--json").result == {
        "webhook_secret": first.strip()
    }


def test_key_is_printed_once_and_listed_without_its_secret(portico, ann):
    made = portico("key", "create", "--account", ann, "--name", "laptop", "--prefix", "xy_")
    secret = made.out.strip()
    assert secret.startswith("xy_")
    listed = portico("key", "list", "--account", ann).out
    assert "laptop" in listed
    assert secret[-4:] in listed
    assert secret not in listed


def test_key_carries_its_limits(portico, ann):
    limits = ("--expires-days", "2", "--credits-max", "2.5", "--requests-per-minute", "7")
    portico("key", "create", "--account", ann, *limits)
    (key,) = portico("key", "list", "--account", ann, "--json").result["keys"]
    assert key["credits_max"] == "2.5"
    assert key["expires_at"] - key["created_at"] == pytest.approx(2 * 86_400_000, abs=10_000)


def test_key_is_revoked_by_its_id_or_by_itself(portico, ann):
    first = portico("key", "create", "--account", ann, "--json").result
    second = portico("key", "create", "--account", ann, "--json").result
    assert portico("key", "revoke", first["key_id"]).code == 0
    assert portico("key", "revoke", second["key"], "--json").result == {"revoked": True}
    keys = portico("key", "list", "--account", ann, "--json").result["keys"]
    assert all(key["revoked_at"] for key in keys)


def test_revoking_an_unknown_key_is_an_error(portico, ann):
    ran = portico("key", "revoke", "key_nothing")
    assert (ran.code, ran.err) == (1, "portico: No such key\n")


def test_grant_adds_every_time(portico, ann):
    portico("credit", "grant", ann, "0.5", "--reason", "welcome")
    ran = portico("credit", "grant", ann, "0.25", "--reason", "welcome", "--json")
    assert ran.result == {"available": "500.75", "held": "0"}


def test_grant_of_nothing_is_refused(portico, ann):
    assert portico("credit", "grant", ann, "0", "--reason", "x").code == 1


def test_sound_ledger_verifies(portico, ann):
    assert portico("ledger", "verify").code == 0
    assert portico("ledger", "verify", "--json").result == {"sound": True, "differences": []}


def test_changed_balance_is_found(portico, ann):
    async def tamper():
        async with raw_sql(load().database) as sql:
            await sql.execute("UPDATE balances SET available = available + 1000000")

    asyncio.run(tamper())
    ran = portico("ledger", "verify")
    assert ran.code == 1
    assert "501 is stored, 500 is right" in ran.out
    found = portico("ledger", "verify", "--json")
    assert (found.code, found.result["sound"]) == (1, False)
    assert found.result["differences"][0]["stored"] == "501"


def test_migrate_makes_a_schema_once(portico, kind, request, monkeypatch):
    if kind == "postgres":
        server = request.getfixturevalue("postgres")
        monkeypatch.setenv("PORTICO_DATABASE_URL", server.fresh("template0"))
    assert portico("migrate", "--json").result["changed"] is True
    assert portico("migrate", "--json").result["changed"] is False


@on_sqlite
def test_migrate_makes_a_file_for_its_owner_only(portico, data):
    portico("migrate")
    assert stat.S_IMODE((data / "portico.db").stat().st_mode) == 0o600


@on_sqlite
def test_backup_is_a_whole_database_for_its_owner_only(portico, ann, tmp_path):
    copy = tmp_path / "copy.db"
    ran = portico("backup", str(copy), "--json")
    assert ran.result == {"file": str(copy), "size_bytes": copy.stat().st_size}
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    with sqlite3.connect(copy) as connection:
        assert connection.execute("SELECT email FROM accounts").fetchall() == [(ann,)]
    connection.close()


@on_sqlite
def test_backup_never_replaces_a_file(portico, ann, tmp_path):
    copy = tmp_path / "copy.db"
    copy.write_text("precious")
    assert portico("backup", str(copy)).code == 1
    assert copy.read_text() == "precious"


@on_sqlite
def test_backup_into_no_folder_is_one_line(portico, ann, tmp_path):
    ran = portico("backup", str(tmp_path / "nowhere" / "copy.db"))
    assert (ran.code, ran.err.count("\n")) == (1, 1)


@on_sqlite
def test_other_kind_of_database_is_refused_in_one_line(portico, monkeypatch):
    monkeypatch.setenv("PORTICO_DATABASE_URL", "mysql://somewhere/portico")
    for arguments in (("ledger", "verify"), ("migrate",)):
        ran = portico(*arguments)
        assert (ran.code, ran.err.count("\n")) == (1, 1)
        assert "PORTICO_DATABASE_URL" in ran.err
