"""What tasks of maps are called with: their own element, the cursor of their own page, the result that they take back.

In: the order of a pod. Out: nothing, or an AssertionError that names the task.
Never here: how often, or when, a task is launched (`ledger.py`).
"""

import re

import orjson

from reactor_operator.ports import TaskOrder
from tests.simulation.mapped import page_of

_INDEX = re.compile(r"\[(\d+)\]")
_PAGE = re.compile(r"(.*\[page-)(\d+)\]")


def check_called(seed: int, order: TaskOrder) -> None:
    """Check what a task of an element, or of a page, is called with: elements are called what their index is."""
    path, arguments = order.task.path, orjson.loads(order.arguments)
    where = f"{order.run.name}: {order.task.key}"
    if "row" in arguments:
        index = int(_INDEX.findall(path)[-1])
        assert arguments["row"] == index, f"O2: {where} is called with element {arguments['row']}"
        assert arguments.get("place", index) == index, f"O2: {where} is called with index {arguments['place']}"
    if (page := _PAGE.fullmatch(path)) is not None:
        of, number = page[1], int(page[2])
        cursor = page_of(seed, order.run.name, f"{of}{number - 1}]")["next"] if number else None
        assert arguments["cursor"] == cursor, f"O2: {where} is called with cursor {arguments['cursor']}, not {cursor}"
    if "[" in path and order.result not in {None, b"null"}:
        assert order.result is not None
        told = str(orjson.loads(order.result))
        assert told.startswith(f"{path}."), f"O2: {where} takes back {told[:60]}"
