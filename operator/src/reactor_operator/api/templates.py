"""Paths inside maps: `rows[7]/store` is where an element is, `rows[]/store` is what all elements have in common.

In: paths. Out: paths, and the places of elements. Never here: what stands at a path (see `blueprint`).

Only brackets right after a map are templates: a body of a switch, `route[0]`, is a step of its own.
"""

from collections.abc import Callable

from reactor_operator.api.maps import MAX_ELEMENTS

ANY, PAGE, COLLECT = "[]", "[page]", "[collect]"
"""What follows the path of a map in those of its elements, its pages, and the task of its `collect`."""
_PAGE_NUMBER = "page-"


def is_template(path: str) -> bool:
    """Return whether a path is that of no one element, or page, but of all."""
    return ANY in path or PAGE in path


def element_of(path: str, is_map: Callable[[str], bool]) -> tuple[str, tuple[int, ...]] | None:
    """Return what `template_of` does for an element of a map that is inside of no other; None for what is none.

    Nearly all paths that are asked for are of this kind.
    """
    around, _, inside = path.partition("[")
    number = _number(inside[:-1]) if inside.endswith("]") else None
    return (around + ANY, (number,)) if number is not None and is_map(around) else None


def template_of(path: str, is_map: Callable[[str], bool]) -> tuple[str, tuple[int, ...]]:
    """Return the template of an actual path, and the places of its elements, outermost first.

    `is_map` tells whether a template path is that of a map. A bracket that makes no sense stays as it is.
    """
    template, indices = "", []
    for segment in path.split("/"):
        name, bracket, inside = segment.partition("[")
        around = f"{template}/{name}" if template else name
        template = around + bracket + inside
        if bracket and inside.endswith("]") and is_map(around):
            number = _number(inside[:-1])
            if number is not None:
                template = around + ANY
                indices.append(number)
            elif _number(inside[:-1].removeprefix(_PAGE_NUMBER)) is not None:
                template = around + PAGE
    return template, tuple(indices)


def actual_path(template: str, indices: tuple[int, ...]) -> str:
    """Return the actual path of a template, its brackets filled from the left. Raises ValueError where some stay."""
    parts = template.split(ANY)
    if len(parts) - 1 > len(indices):
        raise ValueError(f"{template!r} is inside of more maps than {indices} has places of")
    return parts[0] + "".join(f"[{index}]{part}" for index, part in zip(indices, parts[1:], strict=False))


def _number(text: str) -> int | None:
    """Return the number in the only way to write it."""
    if not text.isdecimal() or not text.isascii() or len(text) > _DIGITS or (text[0] == "0" and text != "0"):
        return None
    return int(text)


_DIGITS = len(str(MAX_ELEMENTS))
