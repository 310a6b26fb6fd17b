"""All SQL of runners."""

from sqlalchemy import bindparam, delete, insert, select, update

from portico.engines.tables import runners
from portico.store import Statement

REGISTER = Statement(
    insert(runners)
    .values(
        id=bindparam("id"),
        beat=0,
        queues=bindparam("queues"),
        started_at=bindparam("now"),
    )
    .inline()
)
BEAT = Statement(
    update(runners).where(runners.c.id == bindparam("runner")).values(beat=runners.c.beat + 1)
)
ALL = Statement(select(runners.c.id, runners.c.beat, runners.c.queues).order_by(runners.c.number))
REMOVE = Statement(delete(runners).where(runners.c.id == bindparam("runner")))
REMOVE_SILENT = Statement(
    delete(runners).where(runners.c.id == bindparam("runner"), runners.c.beat == bindparam("seen"))
)
REMOVE_ALL = Statement(delete(runners))
