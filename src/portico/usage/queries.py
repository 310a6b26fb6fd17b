"""All SQL of usage."""

from sqlalchemy import Text, bindparam, delete, func, insert, or_, select, update

from portico.core.usage import COUNTED, DayUsage
from portico.store import Statement
from portico.usage.model import Grouping
from portico.usage.tables import usage_days, usage_progress

_account = bindparam("of_account", type_=Text)

PROGRESS = Statement(select(usage_progress.c.next_day, usage_progress.c.first_id))
BEGIN = Statement(
    insert(usage_progress)
    .values(number=1, next_day=bindparam("next_day"), first_id=bindparam("first_id"))
    .inline()
)
ADVANCE = Statement(
    update(usage_progress)
    .where(usage_progress.c.next_day == bindparam("expected"))
    .values(next_day=bindparam("to_day"), first_id=bindparam("from_id"))
)
DROP_DAY = Statement(delete(usage_days).where(usage_days.c.day == bindparam("dropped")))
INSERT = Statement(
    insert(usage_days).values({name: bindparam(name) for name in DayUsage.__struct_fields__})
)
TALLIES = {
    grouping: Statement(
        select(
            usage_days.c[column].label("label"),
            *(func.sum(usage_days.c[name]).label(name) for name in COUNTED),
        )
        .where(
            usage_days.c.day >= bindparam("since"),
            usage_days.c.day < bindparam("until"),
            or_(_account.is_(None), usage_days.c.account_id == _account),
        )
        .group_by(usage_days.c[column])
    )
    for grouping, column in (
        (Grouping.DAY, "day"),
        (Grouping.MODEL, "model"),
        (Grouping.KEY, "key_id"),
    )
}
