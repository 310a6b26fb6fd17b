"""All SQL of pauses."""

from sqlalchemy import bindparam, delete, insert, select, update

from portico.routes.tables import route_pauses
from portico.store import Statement

_is_it = (
    route_pauses.c.credential == bindparam("of_credential"),
    route_pauses.c.model == bindparam("of_model"),
)

ALL = Statement(select(route_pauses))
LENGTHEN = Statement(
    update(route_pauses)
    .where(*_is_it)
    .values(
        until=bindparam("new_until"), opens=bindparam("new_opens"), reason=bindparam("new_reason")
    )
)
INSERT = Statement(
    insert(route_pauses).values({each.name: bindparam(each.name) for each in route_pauses.c})
)
TAKE_TURN = Statement(
    update(route_pauses)
    .where(*_is_it, route_pauses.c.until <= bindparam("now"))
    .values(until=bindparam("new_until"))
)
END = Statement(delete(route_pauses).where(*_is_it))
FORGET = Statement(delete(route_pauses).where(route_pauses.c.until < bindparam("before")))
