"""What is left of a step when its wrong fields are taken away, so that the rest of it can be judged too.

In: a step as written. Out: a `Step` of its sound fields. Never here: a problem (the models have told).
"""

from collections.abc import Mapping

from pydantic import ValidationError

from reactor_operator.api.reactor import Step

_STAND_IN: Mapping[str, object] = {"python": {"handler": "unsound:unsound"}}
_BODIES = ("run", "transform", "steps", "reactorRef")
_JUDGED_TOGETHER = {
    "failFast": ("maxFailures", "maxFailuresPercent"),
    "batchSize": ("elementsPerTask",),
    "steps": ("returns",),
    "reactorRef": ("inputs",),
}
"""Fields of a map that may only seem wrong beside another one whose shape is."""


def sound_part(written: object, place: int) -> Step | None:
    """Return the sound fields of a step as a `Step`; a wrong name, run, source or body is replaced.

    None where there is no step.
    """
    if not isinstance(written, Mapping):
        return None
    try:
        return Step.model_validate(written)
    except ValidationError as error:
        wrong = [part["loc"] for part in error.errors(include_url=False, include_context=False)]
    fields = {str(where[0]) for where in wrong if where} - {"arguments", "map"}
    kept = {key: value for key, value in written.items() if isinstance(key, str) and key not in fields}
    arguments = written.get("arguments")
    if isinstance(arguments, Mapping):
        bad = {str(where[1]) for where in wrong if where[:1] == ("arguments",) and len(where) > 1}
        kept["arguments"] = {
            name: source for name, source in arguments.items() if isinstance(name, str) and name not in bad
        }
    else:
        kept.pop("arguments", None)
    if "map" in written:
        kept["map"] = _map(
            written["map"], {str(where[1]) for where in wrong if where[:1] == ("map",) and len(where) > 1}
        )
    try:
        form = {} if any(name in kept for name in Step.forms) else {"run": _STAND_IN}
        return Step.model_validate({"name": f"unsound-{place}", **form, **kept})
    except ValidationError:
        return None


def _map(written: object, wrong: set[str]) -> dict[str, object]:
    """Return the sound fields of a map: without it, whatever reads its elements would seem to be outside of it."""
    for name in tuple(wrong):
        wrong = wrong.union(_JUDGED_TOGETHER.get(name, ()))
    fields = written if isinstance(written, Mapping) else {}
    kept = {name: value for name, value in fields.items() if isinstance(name, str) and name not in wrong}
    if not any(name in kept for name in _BODIES):
        kept["run"] = _STAND_IN
    if "source" not in kept and "pages" not in kept:
        kept["source"] = {"value": []}
    return kept
