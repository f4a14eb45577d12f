"""The process in which expressions are evaluated, so that one that never ends can be killed.

In: frames on standard input, each a question `{expressions, condition, choice, inputs, schema, results, run, args,
beside, element_keys, seconds}`.
Out: frames on standard output: first `{"ready": true}`, then for each expression of a question `{"value": …}` or
`{"fault": "…"}`, until `questions.is_last` drops the rest of the question.
Never here: anything that is not an expression.

Nothing interrupts a running expression, not even the end of the operator. So the kernel is asked to end this process
with SIGPROF when a question has taken `seconds` of CPU time, whoever still lives. Time of the clock is no measure: on a
busy machine an innocent expression would fail its step.
"""

import resource
import signal
import sys
from typing import Any, BinaryIO

import orjson

from reactor_operator.api.expressions import ELEMENT
from reactor_operator.evaluation.cel import ExpressionFault, evaluate, variables_of
from reactor_operator.evaluation.frames import read_frame, render_frame
from reactor_operator.evaluation.numbers import typed
from reactor_operator.evaluation.questions import is_last

MEMORY_BYTES = 192 << 20  # two of these fit beside the operator into the limit of its pod (512 MiB)
RESULT_BYTES = 1 << 20


def main() -> None:
    """Answer questions until the pipe is closed."""
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, hard))
    evaluate("true", {})  # the library is loaded before the first deadline runs
    _send(sys.stdout.buffer, {"ready": True})
    while (question := read_frame(sys.stdin.buffer)) is not None:
        _answer(question, sys.stdout.buffer)


def _answer(question: Any, out: BinaryIO) -> None:
    signal.setitimer(signal.ITIMER_PROF, question["seconds"])
    inputs, beside, schema = question["inputs"], question["beside"], question["schema"]
    if schema is not None:
        inputs = typed(inputs, schema)
        if question["element_keys"] is not None and ELEMENT in beside:
            beside[ELEMENT] = typed(beside[ELEMENT], schema, question["element_keys"])
    variables = variables_of(inputs, question["results"], question["run"], question["args"], beside)
    for place, expression in enumerate(question["expressions"]):
        answer = _evaluate(expression, variables)
        _send(out, answer)
        if is_last(question, place, answer):
            break
    signal.setitimer(signal.ITIMER_PROF, 0)


def _evaluate(expression: str, variables: dict[str, object]) -> dict[str, object]:
    try:
        answer = {"value": evaluate(expression, variables)}
        size = len(orjson.dumps(answer))
    except ExpressionFault as fault:
        return {"fault": str(fault)}
    except (TypeError, RecursionError):
        return {"fault": "gave a value that is nested too deeply, expected at most 250 levels"}
    except MemoryError:
        return {"fault": f"took more than {MEMORY_BYTES >> 20} MiB of memory"}
    if size > RESULT_BYTES:
        return {"fault": f"gave {size} bytes of JSON, expected at most {RESULT_BYTES}"}
    return answer


def _send(out: BinaryIO, message: object) -> None:
    out.write(render_frame(message))
    out.flush()


if __name__ == "__main__":
    main()
