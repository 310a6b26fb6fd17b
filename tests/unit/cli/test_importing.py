"""`portico import`: what is taken over, that twice is harmless, and that no secret comes out."""

import asyncio
import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from portico import accounts, catalogue, credentials, ledger
from portico.app import server_secret
from portico.cli.commands import COMMANDS
from portico.core.clock import SystemClock
from portico.core.errors import PorticoError
from portico.core.jobs import Kind
from portico.core.money import CREDITS_MAX, MICRO
from portico.credentials import SECRET, Seal
from portico.flows.administer import differences
from portico.settings import load
from portico.store import open_store
from tests.architecture.house import DOCS
from tests.full_rows import in_thread, row_values
from tests.predecessors import (
    CLIENT_KEY,
    SECOND_UPSTREAM_KEY,
    SECRETS,
    UPSTREAM_KEY,
    fill_postgres,
    make_dump,
    make_sqlite,
    rows,
)


@pytest.fixture
def folder(data, tmp_path, monkeypatch):
    """The operator's folder of the catalogue."""
    path = tmp_path / "catalogue"
    monkeypatch.setenv("PORTICO_CATALOGUE", str(path))
    return path


@pytest.fixture(params=["sqlite file", "dump", "postgres server"])
def source(request, tmp_path):
    if request.param == "sqlite file":
        yield str(make_sqlite(tmp_path / "one.db"))
    elif request.param == "dump":
        yield str(make_dump(tmp_path / "one.sql"))
    else:
        postgres = request.getfixturevalue("postgres")
        postgres.command("CREATE DATABASE predecessor")
        url = postgres.url("predecessor")
        postgres.run(fill_postgres(url))
        yield url
        postgres.drop(url)


@pytest.fixture
def changed(tmp_path):
    """Return a function that makes a source with other rows than usual in some tables."""

    def make(**content: Any):
        return str(make_sqlite(tmp_path / "changed.db", rows() | content))

    return make


def look(work):
    async def run():
        store = await open_store(load().database)
        try:
            return await store.survey(work)
        finally:
            await store.close()

    return in_thread(run())


def caller(key, now=None):
    at = SystemClock().now() if now is None else now
    return look(lambda tx: accounts.find_caller(tx, secret_hash=accounts.key_hash(key), now=at))


def account(email):
    def work(tx):
        found = accounts.by_email(tx, email)
        return found, ledger.balance(tx, found.id).available

    return look(work)


def reasons(tally, sort="skipped"):
    return {each["reason"]: each["such_as"] for each in tally[sort]}


def imported(portico, source, *options: str):
    ran = portico("import", "new-api", source, "--json", *options)
    assert (ran.code, ran.err) == (0, "")
    return ran.result


def test_everything_is_taken_over_from_any_source_into_any_database(
    either, portico, folder, source
):
    found = imported(portico, source)
    counts = {
        what: (found[what]["found"], found[what]["made"], found[what]["known"])
        for what in ("accounts", "keys", "credentials", "prices")
    }
    assert counts == {
        "accounts": (7, 6, 0),
        "keys": (11, 5, 0),
        "credentials": (8, 6, 0),
        "prices": (8, 4, 0),
    }
    assert found["ledger_sound"] is True
    assert look(differences) == []
    assert caller(CLIENT_KEY).email == "root@example.com"
    assert account("root@example.com")[1] == 100_000 * MICRO
    assert account("o-brien-drop-table-users@imported")[1] == 123_457 * 200
    assert account("back-slash@imported")[1] == MICRO
    assert account("debtor@example.com")[1] == 0


def test_dry_run_says_the_same_and_writes_nothing(either, portico, folder, source):
    planned = imported(portico, source, "--dry-run")
    assert not any(look(row_values).values())
    assert not folder.exists()
    done = imported(portico, source)
    assert planned | {"dry_run": False} == done


def test_second_run_makes_nothing_and_changes_nothing(either, portico, folder, source):
    imported(portico, source)
    before, text = look(row_values), (folder / "imported-new-api.toml").read_text()
    found = imported(portico, source)
    assert look(row_values) == before
    assert (folder / "imported-new-api.toml").read_text() == text
    for what in ("accounts", "keys", "credentials", "prices"):
        assert found[what]["made"] == 0
    assert [found[what]["known"] for what in ("accounts", "keys", "credentials", "prices")] == [
        6, 5, 6, 4,
    ]  # fmt: skip
    assert (found["balances"]["opened"], found["balances"]["known"]) == ("0", "100035.6916")
    assert found["notes"] == imported(portico, source, "--dry-run")["notes"]


def test_no_secret_is_ever_shown_or_kept_in_clear(either, portico, folder, source):
    ran = [
        portico("import", "new-api", source, *options)
        for options in (["--dry-run"], ["--dry-run", "--json"], [], ["--json"])
    ]
    said = "".join(each.out + each.err for each in ran)
    kept = repr(look(row_values)) + (folder / "imported-new-api.toml").read_text()
    for secret in SECRETS:
        assert secret not in said
        assert secret not in kept


def test_report_says_what_is_not_taken_over_and_why(portico, folder, source):
    found = imported(portico, source)
    assert reasons(found["accounts"]) == {"deleted there": ["5"]}
    assert reasons(found["accounts"], "changed") == {
        "without an address of its own": [
            "o-brien-drop-table-users@imported",
            "back-slash@imported",
        ],
        "disabled there, suspended here": ["xm@example.com"],
        "its own address was taken": ["twin@imported"],
    }
    assert reasons(found["keys"]) == {
        "deleted there": ["10"],
        "its user is not taken over": ["8", "9"],
        "too short to be safe, or not plain text": ["7"],
        "limited to models, which keys here cannot be: --without-limits takes it": ["6"],
        "limited to addresses, which keys here cannot be: --without-limits takes it": ["11"],
    }
    assert reasons(found["credentials"]) == {
        "nothing here speaks to a channel of type 14": ["new-api-3"],
        "A secret is one line of at most 8192 plain ASCII characters": ["new-api-7"],
    }
    assert set(reasons(found["prices"])) == {
        "its completion ratio is not in the source's options: give --completion-ratio",
        "it has no price in the source's options",
        "it is neither on sale in these dialects nor a text: write a catalogue file",
    }
    assert any("777 units of quota earned by invitations" in note for note in found["notes"])
    assert any("1 users of the group vip paid 0.8 times" in note for note in found["notes"])


def test_balances_of_both_sides_add_up(portico, folder, changed):
    users = rows()["users"]
    users[3]["quota"] = 10**17  # more than there can be
    source = changed(users=users)
    sums = imported(portico, source, "--quota-per-credit", "7")["balances"]
    parts = {name: Fraction(sums[name]) for name in sums if name != "source_quota"}
    assert sums["source_quota"] == sum(user["quota"] for user in users)
    assert (
        abs(
            parts["source"]
            - (parts["opened"] + parts["known"] + parts["skipped"] + parts["capped"])
            + parts["rounding"]
            + parts["forgiven"]
        )
        < 10**-10
    )
    assert 0 < parts["rounding"] < 6 * 10**-6
    assert account("twin@imported")[1] == CREDITS_MAX
    available = look(lambda tx: sum(row[1] for row in row_values(tx)["balances"]))
    assert available == parts["opened"] * MICRO


def test_balance_is_rounded_up_in_the_customers_favour(portico, folder, source):
    imported(portico, source, "--quota-per-credit", "3000000")
    assert account("xm@example.com")[1] == 1  # a third of a microcredit


def test_unit_of_the_source_decides_what_a_credit_is(portico, folder, changed):
    options = [{"key": "QuotaPerUnit", "value": "1000"}]
    found = imported(portico, changed(options=options))
    assert found["quota_per_credit"] == "10"
    assert account("back-slash@imported")[1] == 500 * MICRO


def test_keys_keep_their_state_expiry_and_what_is_left(portico, folder, source):
    imported(portico, source)
    limited = caller("sk-" + "b" * 48)
    assert limited.credits_max == 5_001 * 200
    assert caller(CLIENT_KEY).credits_max is None
    assert caller("sk-" + "e" * 48).credits_max == 0
    for refused in ("c", "d", "f", "g", "h", "i", "j"):
        with pytest.raises(PorticoError, match="Invalid API key"):
            caller("sk-" + refused * 48)
    assert caller("sk-" + "d" * 48, now=1_700_000_099_000).status == "suspended"


def test_limited_tokens_are_taken_when_that_is_asked_for(portico, folder, source):
    found = imported(portico, source, "--without-limits")
    assert found["keys"]["made"] == 7
    assert "limited to models there, without limits here" in reasons(found["keys"], "changed")
    assert caller("sk-" + "f" * 48).email == "twin@imported"


def test_nobody_becomes_an_operator(portico, folder, source):
    imported(portico, source)
    assert account("root@example.com")[0].is_operator is False


def test_channels_become_sealed_credentials_with_their_state(portico, folder, source):
    imported(portico, source)
    found = {row.name: row for row in look(credentials.every)}
    seal = Seal(server_secret(load()))
    opened = {name: seal.open(row.secret, name=name, what=SECRET) for name, row in found.items()}
    assert opened["new-api-1"] == opened["new-api-2"] == UPSTREAM_KEY
    assert opened["new-api-2-2"] == SECOND_UPSTREAM_KEY
    assert {name: row.is_enabled for name, row in found.items()} == {
        "new-api-1": True,
        "new-api-2": True,
        "new-api-2-2": False,
        "new-api-4": False,
        "new-api-5": True,
        "new-api-6": True,
    }
    assert found["new-api-1"].options == {"max_tokens_field": "max_completion_tokens"}
    assert found["new-api-4"].base_url == "https://four.example.com/v1"
    assert found["new-api-1"].models == {"gpt-4o", "llama-3-70b"}
    assert (found["new-api-6"].provider, found["new-api-2"].options) == ("ark", {})


def test_routes_follow_priority_and_weight_and_prices_the_ratios(portico, folder, source):
    imported(portico, source)
    known = catalogue.load(folder)
    routes = [(each.credential, each.weight) for each in known.model("gpt-4o").routes]
    assert routes == [("new-api-2", 1), ("new-api-2-2", 1), ("new-api-1", 0)]
    llama = known.model("my-llama").routes[0]
    assert (llama.upstream_model, llama.weight) == ("llama-3-70b", 3)
    price = known.offering("openai:gpt-4o").prices[0]
    assert (price.input, price.cached, price.output) == (250 * MICRO, 125 * MICRO, 1000 * MICRO)
    assert known.offering("openai:all-in").prices[0].amount == 10 * MICRO
    picture = known.offering("portico:seedream-4.5")
    assert (picture.kind, picture.prices[0].amount) == (Kind.IMAGE, 4 * MICRO)
    assert {each.provider for each in known.model("seedream-4.5").routes} == {"ark"}


def test_other_group_has_its_own_channels_and_ratio(portico, folder, source):
    imported(portico, source, "--group", "vip")
    known = catalogue.load(folder)
    assert [each.credential for each in known.model("gpt-4o").routes] == ["new-api-5"]
    assert known.offering("openai:gpt-4o").prices[0].input == 200 * MICRO


def test_completion_ratio_is_used_where_there_is_none(portico, folder, source):
    imported(portico, source, "--completion-ratio", "2.5")
    price = catalogue.load(folder).offering("openai:mystery").prices[0]
    assert (price.input, price.output) == (200 * MICRO, 500 * MICRO)


def test_file_changed_by_hand_stays_as_it_is(portico, folder, source):
    imported(portico, source)
    path = folder / "imported-new-api.toml"
    path.write_text(path.read_text().replace('"250"', '"999"'))
    found = imported(portico, source)
    assert '"999"' in path.read_text()
    assert any("stays as it is" in note for note in found["notes"])


def test_without_a_folder_everything_but_prices_is_taken_over(portico, data, source):
    found = imported(portico, source)
    assert found["catalogue_file"] is None
    assert found["prices"]["made"] == 0
    assert "there is no folder for it: set PORTICO_CATALOGUE" in reasons(found["prices"])
    assert found["accounts"]["made"] == 6


def test_two_installations_do_not_meet(portico, folder, source, changed):
    imported(portico, source)
    other = [rows()["users"][0] | {"email": "other@example.com", "username": "other"}]
    found = imported(portico, changed(users=other, tokens=[], channels=[]), "--name", "second")
    assert found["accounts"]["made"] == 1
    assert account("other@example.com")[1] == 100_000 * MICRO


def test_same_key_of_another_account_is_not_taken_twice(portico, folder, source):
    imported(portico, source)
    found = imported(portico, source, "--name", "second")
    reason = "the same key belongs to another account or token"
    assert found["keys"]["made"] == 0
    theirs = "imported-new-api.toml has it already: change it there"
    assert reasons(found["prices"])[theirs] == ["all-in", "gpt-4o", "my-llama", "seedream-4.5"]
    assert reasons(found["keys"])[reason] == ["1", "2", "3", "4", "5"]
    assert caller(CLIENT_KEY).email == "root@example.com"


def test_address_of_an_account_that_is_here_is_not_taken(portico, folder, source):
    made = portico("account", "create", "--email", "root@example.com", "--credits", "3")
    assert made.code == 0
    imported(portico, source)
    assert account("root@example.com")[1] == 3 * MICRO
    assert account("root@imported")[1] == 100_000 * MICRO


def test_users_with_one_name_in_two_spellings_get_two_addresses(portico, folder, changed):
    first = rows()["users"][6]
    users = [first | {"id": number, "username": name, "email": ""}
             for number, name in enumerate(("Bob", "bob", "b o b", "b@o@b"), start=1)]  # fmt: skip
    found = imported(portico, changed(users=users, tokens=[]))
    assert found["accounts"]["made"] == 4
    emails = {row[1] for row in look(row_values)["accounts"]}
    assert emails == {"bob@imported", "bob.2@imported", "b-o-b@imported", "b-o-b.4@imported"}


def test_source_that_breaks_off_changes_nothing(portico, folder, tmp_path):
    path = make_dump(tmp_path / "one.sql")
    text = path.read_text()
    path.write_text(text[: text.rindex("INSERT INTO `users`") + 300])
    ran = portico("import", "new-api", str(path))
    assert (ran.code, ran.out) == (1, "")
    assert ran.err.count("\n") == 1
    assert "is it complete?" in ran.err
    assert not any(look(row_values).values())


def test_catalogue_that_cannot_be_used_changes_nothing(portico, folder, source):
    folder.mkdir()
    (folder / "broken.toml").write_text("[[models]]\nid = 5\n")
    ran = portico("import", "new-api", source)
    assert ran.code == 1
    assert "the catalogue cannot be used" in ran.err
    assert "broken.toml" in ran.err
    assert not any(look(row_values).values())


def test_one_api_counts_its_channels_otherwise(portico, folder, changed):
    channels = [
        rows()["channels"][0] | {"id": 1, "type": 36, "models": "gpt-4o"},
        rows()["channels"][0] | {"id": 2, "type": 40, "models": "gpt-4o"},
    ]
    ran = portico("import", "one-api", changed(channels=channels), "--json")
    assert ran.result["credentials"]["made"] == 2
    found = {row.name: row for row in look(credentials.every)}
    assert found["one-api-1"].base_url == "https://api.deepseek.com/v1"
    assert found["one-api-2"].provider == "ark"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nowhere.db"], "there is no such file"),
        (["one.db", "--quota-per-credit", "0"], "--quota-per-credit must be a positive number"),
        (["one.db", "--quota-per-credit", "nan"], "--quota-per-credit must be a positive number"),
        (["one.db", "--completion-ratio", "-1"], "--completion-ratio must be a positive number"),
        (["one.db", "--name", "A B"], "small letters, digits and hyphens"),
        (["one.db", "--name", "a" * 30], "at most 24 characters"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(portico, folder, tmp_path, arguments, said):
    make_sqlite(tmp_path / "one.db")
    ran = portico("import", "new-api", *arguments)
    assert ran.code == 1
    assert said in ran.err
    assert ran.err.count("\n") == 1


def test_words_for_people_name_what_was_done(portico, folder, source):
    planned = portico("import", "new-api", source, "--dry-run")
    done = portico("import", "new-api", source)
    assert planned.out.splitlines()[-1] == "Nothing was taken over."
    assert done.out.splitlines()[-1] == "The ledger is sound."
    assert "opening balances here" in done.out
    assert f"Wrote {folder / 'imported-new-api.toml'}: restart the server." in done.out
    assert "import" in COMMANDS


def test_import_works_beside_a_writer_on_the_same_database(portico, folder, source):
    async def both():
        store = await open_store(load().database)
        try:
            return await asyncio.to_thread(portico, "import", "new-api", source)
        finally:
            await store.close()

    assert portico("migrate").code == 0
    assert in_thread(both()).code == 0
    assert Path(folder / "imported-new-api.toml").is_file()


def test_page_shows_what_a_dry_run_says(portico, folder, source):
    said = portico("import", "new-api", source, "--dry-run").out
    page = (DOCS / "migrating.md").read_text("utf-8")
    assert f"```text\n{said.replace(str(folder), 'catalogue')}```" in page


def test_nothing_a_terminal_would_obey_is_printed_or_kept(portico, folder, changed):
    escape = "\x1b[2Jx\x07"
    users = [
        rows()["users"][0] | {"email": f"a{escape}@example.com", "group": escape},
        rows()["users"][1] | {"group": "vip"},
    ]
    channels = [rows()["channels"][0] | {"models": escape, "group": f"default,{escape}"}]
    options = [{"key": "GroupRatio", "value": json.dumps({escape: 2, "default": 1})}]
    source = changed(users=users, channels=channels, options=options)
    ran = portico("import", "new-api", source)
    assert ran.code == 0, ran.err
    assert "\x1b" not in ran.out
    assert "\x07" not in ran.out
    assert account("root@imported")[1] == 100_000 * MICRO
