"""The kinds of database: a test that touches one holds on both, unless it is about one of them."""

import pytest

KINDS = ("sqlite", "postgres")

on_sqlite = pytest.mark.parametrize("kind", ["sqlite"], indirect=True)
on_postgres = pytest.mark.parametrize("kind", ["postgres"], indirect=True)
