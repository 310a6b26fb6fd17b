"""The price list shows what is on sale now, at the prices a submit would hold."""

from types import SimpleNamespace
from typing import Any

import pytest

from portico.catalogue import Catalogue, load
from portico.catalogue.catalogue import build
from portico.catalogue.files import read_text
from portico.core.money import MICRO
from portico.flows.price_list import price_list
from portico.testing import FakeClock

FILE = """
[[models]]
id = "m"
title = "M"
kind = "video"
provider_label = "m"
routes = [{ provider = "local", upstream_model = "scene" }]

[shapes.plain.params]
duration = { values = [5, 10], default = 5 }
[shapes.plain.modes.text]
[shapes.enhanced.params]
enhance = { default = false }
[shapes.enhanced.modes.text]

[[offerings]]
dialects = ["d"]
name = "plain"
model = "m"
shape = "plain"
price = { rule = "per_second", amount = "2" }

[[offerings]]
dialects = ["d"]
name = "later"
model = "m"
shape = "plain"
price = [{ amount = "1", from = 2100-01-01T00:00:00Z }]

[[offerings]]
dialects = ["d"]
name = "enhanced"
model = "m"
shape = "enhanced"
price = { amount = "7", surcharges = [{ label = "2K", enhance = true, amount = "3" }] }

[[offerings]]
dialects = ["d"]
name = "too dear enhanced"
model = "m"
shape = "enhanced"
price = { amount = "7", ceiling = "7", surcharges = [{ label = "2K", enhance = true, percent = 9 }]}
"""


def listed(catalogue: Catalogue, dialect: str) -> list[tuple[str, int, int | None]]:
    gateway: Any = SimpleNamespace(catalogue=catalogue, clock=FakeClock())
    return [
        (each.offering.name, each.price, each.enhance_extra)
        for each in price_list(gateway, dialect)
    ]


@pytest.fixture(scope="module")
def small() -> list[tuple[str, int, int | None]]:
    return listed(build([{"small.toml": read_text("small.toml", FILE)}]), "d")


def test_price_is_that_of_the_defaults(small):
    assert ("plain", 10 * MICRO, None) in small


def test_what_enlarging_adds_is_told_apart(small):
    assert ("enhanced", 7 * MICRO, 3 * MICRO) in small


def test_enlarging_above_the_ceiling_is_not_offered(small):
    assert ("too dear enhanced", 7 * MICRO, None) in small


def test_what_is_not_on_sale_yet_is_absent(small):
    assert "later" not in {name for name, _, _ in small}


def test_texts_have_no_fixed_price():
    names = {name for name, _, _ in listed(load(), "xpilot")}

    assert "seedance-2.0/text-to-video" in names
    assert "openai/gpt-4o" not in names
