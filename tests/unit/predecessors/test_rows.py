"""What rows mean: users, tokens, channels and ratios, in Portico's words."""

from decimal import Decimal
from typing import Any

import pytest

from portico.app import provider_builder
from portico.core.clock import SystemClock
from portico.core.errors import PorticoError
from portico.predecessors import (
    Listing,
    Ratios,
    foreign_channel,
    foreign_key,
    foreign_user,
    may_be_text,
    ratios_of,
    read_ratio_export,
)
from portico.predecessors.channels import channel_types
from portico.providers.base import Credential
from portico.providers.registry import BUILDERS
from portico.settings import load

RATE = Decimal(5_000)


@pytest.mark.parametrize(
    ("username", "slug"),
    [("Ann", "ann"), ("小明", "小明"), ("a b@c;--", "a-b-c"), ("@@", "user"), ("", "user"),
     ("x" * 99, "x" * 48), ("..a..", "a")],
)  # fmt: skip
def test_slug_is_the_name_as_part_of_an_address(username, slug):
    row = {"id": 1, "username": username, "status": 1, "quota": 0}
    assert foreign_user(row).slug == slug


@pytest.mark.parametrize("quota", ["many", "1e999999999", "nan", "inf", 2**63, "9" * 400])
def test_number_that_is_none_is_refused_with_its_column(quota):
    with pytest.raises(PorticoError, match=r"the column quota holds .* in the row 7"):
        foreign_user({"id": 7, "username": "a", "status": 1, "quota": quota})


@pytest.mark.parametrize(
    ("quota", "found"), [("12", 12), (None, 0), ("", 0), ("3.9", 3), ("-5", -5)]
)
def test_numbers_come_as_texts_too(quota, found):
    assert foreign_user({"id": "1", "username": "a", "status": "1", "quota": quota}).quota == found


def key(**given: Any):
    return foreign_key({"id": 1, "user_id": 1, "key": "k" * 48, "status": 1} | given)


def test_key_gets_the_beginning_its_clients_send_once():
    assert key().secret == key(key="sk-" + "k" * 48).secret == "sk-" + "k" * 48
    assert key(key="k" * 48 + "   ").secret == "sk-" + "k" * 48
    assert "kkk" not in repr(key())


@pytest.mark.parametrize(
    ("given", "usable", "expires_at"),
    [
        ({}, True, None),
        ({"status": 2}, False, None),
        ({"status": 3, "expired_time": 100}, True, 100_000),
        ({"status": 3}, False, None),
        ({"status": 4}, True, None),
        ({"expired_time": 2**62}, True, 253_402_300_799_000),
        ({"expired_time": 0}, True, None),
    ],
)
def test_status_and_expiry_of_a_key(given, usable, expires_at):
    found = key(**given)
    assert (found.is_usable, found.expires_at) == (usable, expires_at)


def test_quota_of_a_key_is_none_only_without_limit():
    assert key(unlimited_quota="t", remain_quota=5).quota is None
    assert key(unlimited_quota="0", remain_quota=5).quota == 5
    assert key(remain_quota=-5).quota == 0


@pytest.mark.parametrize(("text", "plausible"), [("k" * 20, True), ("k" * 19, False),
                                                 ("k" * 300, False), ("k" * 30 + " x", False),
                                                 ("é" * 48, False)])  # fmt: skip
def test_key_that_could_be_guessed_or_not_be_sent_is_not_plausible(text, plausible):
    assert key(key=text).is_plausible is plausible


def test_restrictions_of_both_predecessors_are_seen():
    assert key(model_limits_enabled=1, allow_ips="1.2.3.4").restrictions == ("models", "addresses")
    assert key(models="gpt-4o", subnet="10.0.0.0/8").restrictions == ("models", "addresses")
    assert key(model_limits_enabled="f", model_limits="gpt-4o").restrictions == ()


def channel(kind="new-api", **given: Any):
    row = {"id": 1, "type": 1, "key": "sk-x", "models": "a, b,,", "status": 1} | given
    return foreign_channel(row, kind)


@pytest.mark.parametrize(
    ("kind", "number", "base_url", "provider", "found"),
    [
        ("new-api", 1, "", "openai_like", "https://api.openai.com/v1"),
        ("new-api", 1, "https://a.example.com/", "openai_like", "https://a.example.com/v1"),
        ("new-api", 1, "https://a.example.com/v1", "openai_like", "https://a.example.com/v1"),
        ("new-api", 45, "", "ark", "https://ark.cn-beijing.volces.com/api/v3"),
        ("one-api", 40, "", "ark", "https://ark.cn-beijing.volces.com/api/v3"),
        ("new-api", 17, "", "dashscope", "https://dashscope.aliyuncs.com"),
        ("new-api", 43, "", "openai_like", "https://api.deepseek.com/v1"),
        ("one-api", 36, "", "openai_like", "https://api.deepseek.com/v1"),
        ("one-api", 50, "https://a.example.com/api", "openai_like", "https://a.example.com/api"),
        ("new-api", 50, "", "kling", "https://api.klingai.com"),
        ("new-api", 52, "", "vidu", "https://api.vidu.cn/ent/v2"),
        ("new-api", 35, "", "minimax", "https://api.minimaxi.com"),
        ("new-api", 56, "", "replicate", "https://api.replicate.com/v1"),
        ("new-api", 14, "", "", ""),
    ],
)
def test_type_of_a_channel_says_which_code_and_where(kind, number, base_url, provider, found):
    made = channel(kind, type=number, base_url=base_url)
    assert (made.provider, made.base_url) == (provider, found)
    assert provider in {*BUILDERS, ""}


@pytest.mark.parametrize("kind", ["new-api", "one-api"])
def test_every_type_that_is_known_makes_a_usable_credential(kind):
    build = provider_builder(load(), SystemClock())
    for number, known in channel_types(kind).items():
        made = channel(kind, type=number, base_url="https://a.example.com")
        credential = Credential(name="m", base_url=made.base_url, secret="a:b")
        assert build(known.provider, credential).name == known.provider


def test_halves_of_a_key_are_joined_as_here():
    assert channel(type=50, key="access|secret|x").secrets == ("access:secret|x",)
    assert channel(type=1, key="a|b").secrets == ("a|b",)


@pytest.mark.parametrize(
    ("name", "found"), [("gpt-4o", True), ("DALL-E-3", False), ("my-tts", False)]
)
def test_name_may_say_that_it_is_no_text(name, found):
    assert may_be_text(name) is found


def test_channel_with_many_keys_knows_which_are_off():
    info = '{"multi_key_status_list": {"1": 2, "2": 1, "x": 3}}'
    found = channel(key="a\n\n b \nc", channel_info=info)
    assert (found.secrets, found.disabled_secrets) == (("a", "b", "c"), frozenset({1}))
    assert "'a'" not in repr(found)


@pytest.mark.parametrize("mapping", ["", "broken", "[1]", '{"a": "", "z": 1}', None])
def test_models_lead_to_themselves_without_a_mapping(mapping):
    assert channel(model_mapping=mapping).models == {"a": "a", "b": "b"}


def test_models_lead_where_the_mapping_says():
    assert channel(model_mapping='{"a": "upstream-a"}').models == {"a": "upstream-a", "b": "b"}


def listing(ratios, model="m", **given: Any):
    return ratios.listing(model, quota_per_credit=RATE, **given)


def test_ratio_one_is_two_dollars_a_million_llm_tokens():
    found = ratios_of({"ModelRatio": '{"m": 1}', "CompletionRatio": '{"m": 4}'})
    assert listing(found) == Listing(model="m", input="200", output="800")


def test_group_and_cache_multiply_and_a_cache_never_costs_more():
    ratios = Ratios(
        model={"m": Decimal("0.3")}, completion={"m": Decimal(2)}, cache={"m": Decimal(3)},
        group={"vip": Decimal("0.5")},
    )  # fmt: skip
    assert listing(ratios, group="vip") == Listing(model="m", input="30", cached="30", output="60")


def test_price_of_a_call_wins_over_ratios():
    found = ratios_of({"ModelRatio": '{"m": 1}', "ModelPrice": '{"m": 0.0000001}'})
    assert listing(found) == Listing(model="m", amount="0.00001")


def test_prices_round_up_to_a_microcredit():
    found = ratios_of({"ModelPrice": '{"m": 0.000000001}'})
    assert listing(found) == Listing(model="m", amount="0.000001")


def test_unit_of_the_source_counts():
    assert listing(ratios_of({"ModelPrice": '{"m": 1}', "QuotaPerUnit": "1000"})) == Listing(
        model="m", amount="0.2"
    )


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({}, "no price"),
        ({"ModelRatio": '{"m": -1}'}, "no price"),
        ({"ModelRatio": '{"m": "NaN"}'}, "no price"),
        ({"ModelRatio": '{"m": true}'}, "no price"),
        ({"ModelRatio": '{"m": 1}'}, "--completion-ratio"),
        ({"ModelRatio": '{"m": 999999999}', "CompletionRatio": '{"m": 1}'}, "larger than any"),
        ({"ModelPrice": '{"m": 1e9}', "QuotaPerUnit": "1e9"}, "larger than any"),
    ],
)
def test_model_whose_price_is_not_known_says_why(options, reason):
    found = listing(ratios_of(options))
    assert isinstance(found, str)
    assert reason in found


def test_completion_ratio_may_be_given():
    found = listing(ratios_of({"ModelRatio": '{"m": 1}'}), completion=Decimal(3))
    assert found == Listing(model="m", input="200", output="600")


@pytest.mark.parametrize("text", ["{", "[1]", "[" * 100_000])
def test_option_that_is_no_table_is_refused_by_name(text):
    with pytest.raises(PorticoError, match="ModelRatio is no"):
        ratios_of({"ModelRatio": text})


@pytest.mark.parametrize(
    "text", [b"{", b"[]", b"{}", b'{"data": 1}', b'{"success": true, "data": {}}', b"[" * 100_000]
)
def test_export_that_is_none_is_refused(text):
    with pytest.raises(PorticoError, match=r"no JSON|is it a ratio export"):
        read_ratio_export(text)


def test_export_is_read_with_and_without_its_envelope():
    inner = b'{"model_ratio": {"m": 1}, "completion_ratio": {"m": 2}}'
    assert read_ratio_export(inner) == read_ratio_export(b'{"success": true, "data": %s}' % inner)
