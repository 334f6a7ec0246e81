"""Where a login may end: a path of ours, never another site."""

MAX_LENGTH = 2000


def return_path(asked: str | None) -> str:
    """The path to go to after login, `/` unless `asked` is a plain path of this origin.

    `//host`, `/\\host` and control characters are how browsers are talked into leaving the origin.
    """
    if not asked or len(asked) > MAX_LENGTH or not asked.startswith("/"):
        return "/"
    path = asked.partition("?")[0].partition("#")[0]
    if "//" in path or "\\" in asked or not asked.isprintable() or any(character.isspace() for character in asked):
        return "/"
    return asked
