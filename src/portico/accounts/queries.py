"""All SQL of accounts and API keys."""

from sqlalchemy import and_, bindparam, case, func, insert, select, update

from portico.accounts.spends import commit_together
from portico.accounts.tables import accounts, api_keys
from portico.store import Statement

INSERT_ACCOUNT = Statement(
    insert(accounts).values(
        id=bindparam("id"),
        email=bindparam("email"),
        status=bindparam("status"),
        is_operator=bindparam("is_operator"),
        created_at=bindparam("created_at"),
    )
)
ACCOUNT_BY_EMAIL = Statement(select(accounts).where(accounts.c.email == bindparam("email")))
ACCOUNT_BY_ID = Statement(select(accounts).where(accounts.c.id == bindparam("account_id")))
COUNT_ACCOUNTS = Statement(select(func.count().label("number")).select_from(accounts))
SET_STATUS = Statement(
    update(accounts)
    .where(accounts.c.id == bindparam("account_id"))
    .values(status=bindparam("new_status"))
)

INSERT_KEY = Statement(
    insert(api_keys).values(
        id=bindparam("id"),
        account_id=bindparam("account_id"),
        name=bindparam("name"),
        hash=bindparam("hash"),
        prefix=bindparam("prefix"),
        last_four=bindparam("last_four"),
        created_at=bindparam("created_at"),
        expires_at=bindparam("expires_at"),
        requests_per_minute=bindparam("requests_per_minute"),
        open_tasks_max=bindparam("open_tasks_max"),
        credits_max=bindparam("credits_max"),
    )
)
CALLER_BY_HASH = Statement(
    select(
        api_keys.c.id,
        api_keys.c.account_id,
        api_keys.c.expires_at,
        api_keys.c.revoked_at,
        api_keys.c.requests_per_minute,
        api_keys.c.open_tasks_max,
        api_keys.c.credits_max,
        accounts.c.email,
        accounts.c.status,
    )
    .join(accounts, accounts.c.id == api_keys.c.account_id)
    .where(api_keys.c.hash == bindparam("hash"))
)
KEYS_OF = Statement(
    select(api_keys)
    .where(api_keys.c.account_id == bindparam("account_id"))
    .order_by(api_keys.c.created_at)
)
REVOKE_KEY = Statement(
    update(api_keys)
    .where(
        (api_keys.c.id == bindparam("key_id")) | (api_keys.c.hash == bindparam("key_hash")),
        api_keys.c.revoked_at.is_(None),
    )
    .values(revoked_at=bindparam("now"))
)
KEY_EXISTS = Statement(
    select(api_keys.c.id).where(
        (api_keys.c.id == bindparam("key_id")) | (api_keys.c.hash == bindparam("key_hash"))
    )
)
COMMIT_SPEND = Statement(
    update(api_keys)
    .where(
        and_(
            api_keys.c.id == bindparam("key_id"),
            api_keys.c.spent + bindparam("amount") <= api_keys.c.credits_max,
        )
    )
    .values(spent=api_keys.c.spent + bindparam("amount")),
    together=commit_together,
)
GIVE_BACK_SPEND = Statement(
    update(api_keys)
    .where(and_(api_keys.c.id == bindparam("key_id"), api_keys.c.credits_max.is_not(None)))
    .values(  # a ceiling set while a task was open never counted that task
        spent=case(
            (api_keys.c.spent > bindparam("amount"), api_keys.c.spent - bindparam("amount")),
            else_=0,
        )
    ),
    adds=("amount",),  # down to nothing in one step or in several
)
