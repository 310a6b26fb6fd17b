"""Who can be called: every credential with its provider, built and ready."""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import count

from portico.providers.base import ChatProvider, TaskProvider

_versions = count()


@dataclass(frozen=True, slots=True)
class Connected:
    """A credential with its provider; what is built in has no key, and is its own credential.

    Args:
        name: of the credential, as routes and attempts call it.
        provider: the name of the code that speaks for it.
        tasks, chat: that code, made for this credential; None where it makes no such thing.
        is_built_in: part of Portico itself, so that nothing there costs an operator money.
        is_enabled: may begin new work; what began there goes on in any case.
        region: where it is, as routes name it; empty: anywhere.
        attempts_max: jobs open there at once, over all processes; None: any number.
        starts_per_minute: jobs begun there in a minute, over all processes; None: any number.
        models: the upstream's own names of what it offers us; None: nobody asked.
        callback_secret: what the URLs rest on under which its upstream may call us back.
    """

    name: str
    provider: str
    tasks: TaskProvider | None = None
    chat: ChatProvider | None = None
    is_built_in: bool = False
    is_enabled: bool = True
    region: str = ""
    attempts_max: int | None = None
    starts_per_minute: int | None = None
    models: frozenset[str] | None = None
    callback_secret: str = field(default="", repr=False)


class Providers:
    """Everything connected, by the names of credentials; changes while the process runs."""

    def __init__(self, built_in: Iterable[Connected] = ()) -> None:
        self._by_name: dict[str, Connected] = {}
        self._by_provider: dict[str, tuple[Connected, ...]] = {}
        self.changed = asyncio.Event()  # set when somebody says that credentials have changed
        self.version = next(_versions)  # another one after every change, in all of the process
        for each in built_in:
            self.put(each)

    def get(self, name: str) -> Connected | None:
        """Return a credential by its name, enabled or not."""
        return self._by_name.get(name)

    def of(self, provider: str) -> Sequence[Connected]:
        """Return a provider's enabled credentials, in the order of their names."""
        return self._by_provider.get(provider, ())

    def all(self) -> Sequence[Connected]:
        """Return everything, in the order of names."""
        return [self._by_name[name] for name in sorted(self._by_name)]

    @property
    def has_upstreams(self) -> bool:
        """Whether anything but what is built in is known, be it disabled for a while."""
        return any(not one.is_built_in for one in self._by_name.values())

    def put(self, connected: Connected) -> None:
        """Add a credential, or replace the one of its name."""
        self._by_name[connected.name] = connected
        self._sort()

    def drop(self, name: str) -> None:
        """Forget a credential; safe for one that is not known."""
        self._by_name.pop(name, None)
        self._sort()

    def _sort(self) -> None:
        self.version = next(_versions)
        enabled = [one for one in self.all() if one.is_enabled]
        self._by_provider = {
            name: tuple(one for one in enabled if one.provider == name)
            for name in {one.provider for one in enabled}
        }
