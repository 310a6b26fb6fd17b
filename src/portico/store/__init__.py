"""The store: databases, transactions, migrations.

A transaction is a plain function that takes a `Tx`. It cannot await anything, so the network
can never be reached inside one. `store.write(work)` runs it durably; writes that arrive while
a commit is under way go together into the next one (group commit). `store.read(work)` sees
committed rows only.
"""

from portico.store.base import Lane, Row, RowId, Statement, Store, Tx, metadata
from portico.store.open import open_store

__all__ = ["Lane", "Row", "RowId", "Statement", "Store", "Tx", "metadata", "open_store"]
