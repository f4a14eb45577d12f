"""How the outcome of a pod is to be read: what its reactor promised, carried by the pod itself under the seal.

In: the action of a step. Out: a short JSON text, and what it says. Never here: an outcome.
"""

from dataclasses import dataclass
from functools import lru_cache

import orjson

from reactor_operator.api.actions import ActionSpec, ExitCodes
from reactor_operator.api.sensitivity import HARMLESS, Sensitive
from reactor_operator.kube.fields import flag_at, map_at, parse_object, text_at


@dataclass(frozen=True, slots=True, kw_only=True)
class Reads:
    """python: the outcome is a document. Else: exit codes; `uploads` where a helper brings the result, else it is in
    the termination message; `json_only` where text is no result. `sensitive`: its words may not be kept;
    `hides_result`: nor may a result that stands there. `chunk`: a worker speaks for it and others, the pod does not."""

    python: bool = False
    chunk: bool = False
    uploads: bool = False
    json_only: bool = False
    sensitive: bool = False
    hides_result: bool = False
    exit_codes: ExitCodes | None = None


def render_reads(action: ActionSpec, sensitive: Sensitive = HARMLESS, *, chunk: bool = False) -> str:
    """Return how tasks of this action are read, as compact JSON."""
    if chunk:
        return '{"form":"chunk"}'
    container = action.container
    if container is None:
        return '{"form":"python"}'
    said: dict[str, object] = {"form": "container"}
    if container.output is not None and container.output.path is not None:
        said["uploads"] = True
    if container.output is not None and container.output.format is not None:
        said["format"] = container.output.format.value
    if sensitive:
        said |= {"sensitive": True, "hidesResult": sensitive.result}
    if action.exit_codes is not None:
        codes = action.exit_codes.model_dump(by_alias=True, mode="json", exclude_defaults=True)
        said["exitCodes"] = {meaning: sorted(listed) for meaning, listed in codes.items()}
    return orjson.dumps(said).decode()


@lru_cache(maxsize=1024)
def parse_reads(text: str) -> Reads:
    """Return what `render_reads` said. The text is under the seal, so it is ours."""
    said = parse_object(text.encode())
    codes = map_at(said, "exitCodes")
    return Reads(
        python=text_at(said, "form") == "python",
        chunk=text_at(said, "form") == "chunk",
        uploads=flag_at(said, "uploads"),
        json_only=text_at(said, "format") == "json",
        sensitive=flag_at(said, "sensitive"),
        hides_result=flag_at(said, "hidesResult"),
        exit_codes=ExitCodes.model_validate({k: tuple(v) for k, v in codes.items()}) if codes else None,
    )
