"""Paths into JSON as sources write them: `customer.emails[0]`, `headers["x-id"].value`.

In: text. Out: keys (text for members, int for items). Never here: the document a path leads into.
"""

import re

_FIRST = re.compile(
    r"""(?P<name>[^.\[\]"'\s][^.\[\]"']*)|\[(?P<index>[0-9]{1,9})\]|\["(?P<double>[^"]+)"\]|\['(?P<single>[^']+)'\]"""
)
_NEXT = re.compile(
    r"""\.(?P<name>[^.\[\]"'\s][^.\[\]"']*)|\[(?P<index>[0-9]{1,9})\]|\["(?P<double>[^"]+)"\]|\['(?P<single>[^']+)'\]"""
)

Keys = tuple[str | int, ...]


def parse_path(text: str) -> Keys:
    """Return the keys that `text` names, in order. Raises ValueError naming the place where it is no path."""
    keys: list[str | int] = []
    at, pattern = 0, _FIRST
    while at < len(text) or not keys:
        match = pattern.match(text, at)
        if match is None:
            raise ValueError(
                f'{text!r} is not a path, see character {at + 1}: write it like items[0].sku or headers["x-id"]'
            )
        index = match.group("index")
        name = match.group("name") or match.group("double") or match.group("single")
        keys.append(int(index) if index is not None else name)
        at, pattern = match.end(), _NEXT
    return tuple(keys)


def render_path(keys: Keys) -> str:
    """Return the text for `keys`: what `parse_path` reads back, where no name holds both kinds of quotes."""
    text = ""
    for key in keys:
        if isinstance(key, int):
            text += f"[{key}]"
        elif _FIRST.fullmatch(key) and not key.startswith("["):
            text += f".{key}" if text else key
        else:
            text += f"['{key}']" if '"' in key else f'["{key}"]'
    return text
