"""What is left of a step when its wrong fields are taken away, so that the rest of it can be judged too.

In: a step as written. Out: a `Step` of its sound fields. Never here: a problem (the models have told).
"""

from collections.abc import Mapping

from pydantic import ValidationError

from reactor_operator.api.reactor import Step

_STAND_IN: Mapping[str, object] = {"python": {"handler": "unsound:unsound"}}
_MAP_STAND_IN: Mapping[str, object] = {"source": {"value": []}, "run": _STAND_IN}
"""In place of a wrong map: what reads its elements is right."""


def sound_part(written: object, place: int) -> Step | None:
    """Return the sound fields of a step as a `Step`; a wrong name, run or map is replaced. None for no step."""
    if not isinstance(written, Mapping):
        return None
    try:
        return Step.model_validate(written)
    except ValidationError as error:
        wrong = [part["loc"] for part in error.errors(include_url=False, include_context=False)]
    fields = {str(where[0]) for where in wrong if where} - {"arguments"}
    kept = {key: value for key, value in written.items() if isinstance(key, str) and key not in fields}
    arguments = written.get("arguments")
    if isinstance(arguments, Mapping):
        bad = {str(where[1]) for where in wrong if where[0] == "arguments" and len(where) > 1}
        kept["arguments"] = {
            name: source for name, source in arguments.items() if isinstance(name, str) and name not in bad
        }
    else:
        kept.pop("arguments", None)
    try:
        form: Mapping[str, object] = {"map": _MAP_STAND_IN} if "map" in fields else {"run": _STAND_IN}
        form = {} if any(name in kept for name in Step.forms) else form
        return Step.model_validate({"name": f"unsound-{place}", **form, **kept})
    except ValidationError:
        return None
