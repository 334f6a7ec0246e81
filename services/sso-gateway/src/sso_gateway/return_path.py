"""Where a login may end: a path of ours, never another site."""

from urllib.parse import unquote

MAX_LENGTH = 2000


def return_path(asked: str | None) -> str:
    """The path to go to after login, `/` unless `asked` is a plain path of this origin.

    `//host`, `/\\host` and control characters are how browsers are talked into leaving the origin. A path that would be one of
    these after it was decoded, even twice, is refused too: nobody knows what stands behind the ingress.
    """
    if not asked or len(asked) > MAX_LENGTH or not asked.startswith("/"):
        return "/"
    if "\\" in asked or any(character.isspace() for character in asked):
        return "/"
    path = asked.partition("?")[0].partition("#")[0]
    once = unquote(path)
    seen = (path, once, unquote(once))
    if not asked.isprintable() or any("//" in one or "\\" in one or not one.isprintable() for one in seen):
        return "/"
    return asked
