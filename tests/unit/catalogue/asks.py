"""Shorthands for asks, as the dialects would make them."""

from portico.core.jobs import ChatAsk, Kind, MediaAsk, MediaInput, Message, Mode, Role

AT = 1_800_000_000_000
IMAGE = Role.FIRST_FRAME


def files(*roles: Role) -> tuple[MediaInput, ...]:
    return tuple(MediaInput(role, url=f"https://media.test/{i}") for i, role in enumerate(roles))


def ask(
    dialect: str,
    name: str | None,
    *roles: Role,
    prompt: str = "a cat",
    variant: str | None = None,
    mode: Mode | None = None,
    function: str | None = None,
    kind: Kind | None = None,
    **given: object,
) -> MediaAsk:
    return MediaAsk(
        dialect=dialect,
        name=name,
        variant=variant,
        function=function,
        kind=kind,
        mode=mode,
        prompt=prompt,
        given=given,
        inputs=files(*roles),
    )


def chat(dialect: str, name: str | None, text: str = "hello", **fields: object) -> ChatAsk:
    known = {"dialect": dialect, "name": name, "messages": (Message("user", text),)}
    return ChatAsk(**(known | fields))  # type: ignore[arg-type]
