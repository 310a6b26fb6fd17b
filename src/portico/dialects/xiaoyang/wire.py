"""The shapes of XiaoYang's page ("Developer API"), in the page's own order and spelling."""

from typing import Any

import msgspec


class Submit(msgspec.Struct, kw_only=True):
    """Body of `POST /api/v1/tasks`. Blank fields count as left out, unknown ones are ignored.

    `Any` marks settings whose spelling is free (`true`, `"true"`, `1`): the catalogue reads them.
    """

    modal_key: str | None = None
    model_key: str | None = None  # our alias, for those who correct the spelling
    model: str | None = None  # our alias
    option_key: str | None = None
    prompt: str | None = None
    image_url: str | None = None
    video_url: str | None = None
    clothes_image_url: str | None = None
    wardrobe_replace: Any = None
    motion_orientation: Any = None
    ratio: Any = None
    enhance_4k: Any = None


class Submitted(msgspec.Struct, kw_only=True):
    """Answer to `POST /api/v1/tasks`; `credits` is the balance after the debit, rounded down."""

    ok: bool = True
    task_id: str
    status: str
    credits: int


class Task(msgspec.Struct, kw_only=True):
    """Answer to `GET /api/v1/tasks/{id}`, exactly the page's fields.

    `credit` is the task's price, rounded up; `created_at` counts seconds.
    """

    ok: bool = True
    task_id: str
    status: str
    error_message: str | None
    video_url: str | None
    image_url: str | None
    created_at: int
    credit: int


class Me(msgspec.Struct, kw_only=True):
    """Answer to `GET /api/v1/me`; the page shows none, so the shape is ours."""

    ok: bool = True
    email: str
    credits: int
    status: str


class Option(msgspec.Struct, kw_only=True, omit_defaults=True):
    """One option of a modal; `enhance_4k_credit` is what `enhance_4k` adds, where it works."""

    option_key: str
    credit: int
    enhance_4k_credit: int | None = None


class Modal(msgspec.Struct, kw_only=True):
    """One modal; the columns are the page's, the shape is ours.

    `inputs` must be sent, `optional` may be; `values` and `defaults` are those of the optional
    fields that have any.
    """

    modal_key: str
    name: str
    type: str
    inputs: list[str]
    optional: list[str]
    values: dict[str, list[Any]]
    defaults: dict[str, Any]
    options: list[Option]


class Modals(msgspec.Struct, kw_only=True):
    """Answer to `GET /api/v1/modals`."""

    ok: bool = True
    modals: list[Modal]
