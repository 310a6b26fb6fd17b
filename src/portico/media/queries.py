"""All SQL of assets."""

from sqlalchemy import bindparam, delete, insert, select, update

from portico.media.model import NewAsset
from portico.media.tables import assets
from portico.store import Statement

INSERT = Statement(
    insert(assets).values({name: bindparam(name) for name in NewAsset.__struct_fields__})
)
BY_ID = Statement(select(assets).where(assets.c.id == bindparam("asset_id")))
OF_ACCOUNT = Statement(
    select(assets).where(
        assets.c.id == bindparam("asset_id"), assets.c.account_id == bindparam("owner")
    )
)
OF_TASK = Statement(
    select(assets)
    .where(assets.c.task_id == bindparam("of_task"))
    .order_by(assets.c.created_at, assets.c.id)
)
BY_KEY = Statement(select(assets.c.id).where(assets.c.storage_key == bindparam("key")))
ATTACH = Statement(
    update(assets)
    .where(
        assets.c.id == bindparam("asset_id"),
        assets.c.account_id == bindparam("owner"),
        assets.c.role == "input",
        assets.c.deleted_at.is_(None),
        assets.c.task_id.is_(None) | (assets.c.task_id == bindparam("to_task")),
    )
    .values(task_id=bindparam("to_task"), input_role=bindparam("as_role"))
)
DUE_FOR_EXPIRY = Statement(
    select(assets)
    .where(
        assets.c.deleted_at.is_(None),
        (assets.c.expires_at <= bindparam("now"))
        | (assets.c.task_id.is_(None) & (assets.c.created_at < bindparam("orphans_before"))),
    )
    .order_by(assets.c.expires_at)
    .limit(bindparam("limit"))
)
MARK_DELETED = Statement(
    update(assets)
    .where(assets.c.id == bindparam("asset_id"), assets.c.deleted_at.is_(None))
    .values(deleted_at=bindparam("now"))
)
STORED_OF_TASK = Statement(
    select(assets.c.id)
    .where(assets.c.task_id == bindparam("of_task"), assets.c.deleted_at.is_(None))
    .limit(1)
)
REMOVE_OF_TASK = Statement(delete(assets).where(assets.c.task_id == bindparam("of_task")))
