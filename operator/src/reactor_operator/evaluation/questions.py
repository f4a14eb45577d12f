"""How far a question is answered: the worker and its owner must agree on which answer is the last one.

In: a question and its answers. Out: whether more follow. Never here: an expression.
"""

from collections.abc import Mapping
from typing import Any


def is_last(question: Mapping[str, Any], place: int, answer: Mapping[str, Any]) -> bool:
    """Tell whether the rest of the question is dropped after the answer to its expression at `place`.

    After a fault always; of a `condition` also after the first answer that is not true; of a `choice` after the first
    that is not false.
    """
    if "fault" in answer:
        return True
    if question["choice"]:
        return answer["value"] is not False
    return place == 0 and question["condition"] and answer["value"] is not True
