"""Several fake upstreams behind one model, as an operator would connect them."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from portico.catalogue.catalogue import build
from portico.catalogue.files import read_text
from portico.core.upstreams import Trouble, UpstreamError
from portico.flows.connected import Connected, Providers
from portico.testing import FakeProvider
from tests.flows.wiring import House

_FILE = """
[[models]]
id = "m"
title = "M"
kind = "{kind}"
provider_label = "m"
routes = [{routes}]
"""
_VIDEO = """
[shapes.s.modes.text]
[[offerings]]
dialects = ["portico"]
name = "m"
model = "m"
shape = "s"
price = "5"
"""
_TEXT = """
[[offerings]]
dialects = ["portico"]
name = "m"
model = "m"
price = { rule = "per_llm_token", input = "1", output = "1" }
"""


def trouble(kind: Trouble, **given: Any) -> UpstreamError:
    """Return an upstream's refusal."""
    return UpstreamError(kind, **given)


def fake(*script: Any, pieces: Iterable[Any] = ()) -> FakeProvider:
    """Return an upstream that answers from a script."""
    return FakeProvider(script, pieces=pieces)


def connect(house: House, upstreams: Mapping[str, FakeProvider], **given: Any) -> None:
    """Connect upstreams under their names, each a provider with one credential; nothing else.

    Model `m` has a route to each, made from `given` by its name, and one to the renderer; `costs`
    and `params` are further tables of its file.
    """
    fields = {name: given.pop(f"{name}_route", "") for name in upstreams}
    limits = {name: given.pop(name, {}) for name in upstreams}
    routes = ['{ provider = "local", upstream_model = "scene" }'] + [
        f'{{ provider = "{name}", upstream_model = "{name}-model"{fields[name]} }}'
        for name in upstreams
    ]
    is_text = given.pop("text", False)
    tables = given.pop("costs", "") + given.pop("params", "")
    assert not given, given
    text = _FILE.format(kind="text" if is_text else "video", routes=", ".join(routes))
    layer = {"m.toml": read_text("m.toml", text + (_TEXT if is_text else _VIDEO) + tables)}
    providers = Providers(
        Connected(name, name, tasks=each, chat=each, **limits[name])
        for name, each in upstreams.items()
    )
    providers.put(
        Connected("local", "local", tasks=house.upstream, chat=house.upstream, is_built_in=True)
    )
    house.gateway = replace(house.gateway, catalogue=build([layer]), providers=providers)
