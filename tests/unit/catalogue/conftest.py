"""The shipped catalogue, read once, and shorthands for asks."""

import pytest

from portico.catalogue import Catalogue, load


@pytest.fixture(scope="session")
def catalogue() -> Catalogue:
    return load()
