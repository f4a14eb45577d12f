"""Maps: what is refused, and what is not."""

import pytest

from reactor_operator.api.check import check_spec
from tests.unit.api.documents import CONTAINER, PYTHON, check, found, step
from tests.unit.api.maps import Document, inside, mapped, paged

SECRET: Document = {"secretKeyRef": {"name": "s", "key": "k"}}
GET: Document = {"http": {"method": "GET", "url": {"expr": "'http://x/' + element.id"}}}

AT = "spec.steps[0]"
BAD = [
    ("no elements", {"name": "a", "map": {"run": PYTHON}}, f"{AT}.map", "Required"),
    ("elements twice", mapped("a", {"run": PYTHON, **paged()}), f"{AT}.map", "InvalidValue"),
    ("no body", mapped("a", {}), f"{AT}.map", "Required"),
    ("two bodies", mapped("a", {"run": PYTHON, "transform": {"value": 1}}), f"{AT}.map", "InvalidValue"),
    ("a map and a task", mapped(run=PYTHON), AT, "InvalidValue"),
    ("no window", mapped("a", {"run": PYTHON, "batchSize": 0}), f"{AT}.map.batchSize", "InvalidValue"),
    ("a huge window", mapped("a", {"run": PYTHON, "batchSize": 10**6}), f"{AT}.map.batchSize", "InvalidValue"),
    ("half an element", mapped("a", {"run": PYTHON, "batchSize": 1.5}), f"{AT}.map.batchSize", "InvalidValue"),
    ("another strategy", mapped("a", {"run": PYTHON, "strategy": "slide"}), f"{AT}.map.strategy", "InvalidValue"),
    ("a huge page", mapped(of=paged(pageSize=10_001)), f"{AT}.map.pages.pageSize", "InvalidValue"),
    ("an unknown field", mapped("a", {"run": PYTHON, "batchSise": 5}), f"{AT}.map.batchSise", "UnknownField"),
    (
        "failures that are no failures",
        mapped("a", {"run": PYTHON, "maxFailures": 3}),
        f"{AT}.map.maxFailures",
        "InvalidValue",
    ),
    (
        "a percentage of failures with failFast",
        mapped("a", {"run": PYTHON, "failFast": True, "maxFailuresPercent": 3}),
        f"{AT}.map.maxFailuresPercent",
        "InvalidValue",
    ),
    (
        "two bounds of failures",
        mapped("a", {"run": PYTHON, "failFast": False, "maxFailures": 3, "maxFailuresPercent": 3}),
        f"{AT}.map",
        "InvalidValue",
    ),
    (
        "more than a whole",
        mapped("a", {"run": PYTHON, "failFast": False, "maxFailuresPercent": 101}),
        f"{AT}.map.maxFailuresPercent",
        "InvalidValue",
    ),
    (
        "a container of several elements",
        mapped("a", {"run": CONTAINER, "elementsPerTask": 5}),
        f"{AT}.map.elementsPerTask",
        "InvalidValue",
    ),
    (
        "steps of several elements",
        mapped("a", {**inside(step("b")), "elementsPerTask": 5}),
        f"{AT}.map.elementsPerTask",
        "InvalidValue",
    ),
    (
        "an undo that takes one element only",
        mapped("a", {"run": PYTHON, "elementsPerTask": 5}, undo=CONTAINER),
        f"{AT}.map.elementsPerTask",
        "InvalidValue",
    ),
    (
        "a task of more elements than the window",
        mapped("a", {"run": PYTHON, "elementsPerTask": 51}),
        f"{AT}.map.elementsPerTask",
        "InvalidValue",
    ),
    ("elements that are a number", mapped(of={"source": {"value": 3}}), f"{AT}.map.source.value", "InvalidValue"),
    ("elements from a secret", mapped(of={"source": SECRET}), f"{AT}.map.source", "InvalidValue"),
    (
        "elements that read args",
        mapped(of={"source": {"expr": "args.x"}}),
        f"{AT}.map.source.expr",
        "InvalidExpression",
    ),
    (
        "a cursor of one's own",
        mapped(of=paged(arguments={"cursor": {"value": 1}})),
        f"{AT}.map.pages.arguments.cursor",
        "ReservedName",
    ),
    (
        "a limit of one's own",
        mapped(of=paged(arguments={"limit": {"value": 1}})),
        f"{AT}.map.pages.arguments.limit",
        "ReservedName",
    ),
    (
        "a context of one's own",
        mapped(of=paged(arguments={"context": {"value": 1}})),
        f"{AT}.map.pages.arguments.context",
        "ReservedName",
    ),
    (
        "an argument that no page has",
        mapped(
            of=paged(run={"container": {"image": "x", "env": [{"name": "X", "argument": "row"}]}}),
            arguments={"row": {"element": "rows"}},
        ),
        f"{AT}.map.pages.run.container.env[0].argument",
        "UnknownReference",
    ),
    (
        "two ways to collect",
        mapped("a", {"run": PYTHON, "collect": {"expr": "1", "run": PYTHON}}),
        f"{AT}.map.collect",
        "InvalidValue",
    ),
    (
        "an unknown collector",
        mapped("a", {"run": PYTHON, "collect": {"expr": "results.b"}}),
        f"{AT}.map.collect.expr",
        "UnknownReference",
    ),
    (
        "its own result collected",
        mapped("a", {"run": PYTHON, "collect": {"expr": "results.a"}}),
        f"{AT}.map.collect.expr",
        "SelfReference",
    ),
    ("undo of a map with steps", mapped("a", inside(step("b")), undo=PYTHON), f"{AT}.undo", "InvalidValue"),
    (
        "undo of a map of reactors",
        mapped("a", {"reactorRef": {"name": "other"}}, undo=PYTHON),
        f"{AT}.undo",
        "InvalidValue",
    ),
    ("timeout of a map with steps", mapped("a", inside(step("b")), timeout="1s"), f"{AT}.timeout", "InvalidValue"),
    ("retries of values", mapped("a", {"transform": {"element": "a"}}, retries={}), f"{AT}.retries", "InvalidValue"),
    ("a secret as a value", mapped("a", {"transform": SECRET}), f"{AT}.map.transform", "InvalidValue"),
    ("an unknown map", mapped(arguments={"x": {"element": "row"}}), f"{AT}.arguments.x.element", "UnknownReference"),
    (
        "an element without a map",
        step("a", arguments={"x": {"element": "rows"}}),
        f"{AT}.arguments.x.element",
        "UnknownReference",
    ),
    (
        "an index without a map",
        step("a", arguments={"x": {"index": "rows"}}),
        f"{AT}.arguments.x.index",
        "UnknownReference",
    ),
    (
        "a part of an index",
        mapped(arguments={"x": {"index": "rows", "path": "a"}}),
        f"{AT}.arguments.x.path",
        "InvalidValue",
    ),
    ("an element before there is one", mapped(when="element.x"), f"{AT}.when", "InvalidExpression"),
    (
        "elements of themselves",
        mapped(of={"source": {"element": "rows"}}),
        f"{AT}.map.source.element",
        "UnknownReference",
    ),
    (
        "elements of themselves, expressed",
        mapped(of={"source": {"expr": "element"}}),
        f"{AT}.map.source.expr",
        "InvalidExpression",
    ),
    (
        "an element on a page",
        mapped(of=paged(arguments={"x": {"element": "rows"}})),
        f"{AT}.map.pages.arguments.x.element",
        "UnknownReference",
    ),
    (
        "an element in all results",
        mapped("a", {"run": PYTHON, "collect": {"expr": "element"}}),
        f"{AT}.map.collect.expr",
        "InvalidExpression",
    ),
    ("an element outside", step("a", when="element == 1"), f"{AT}.when", "InvalidExpression"),
    (
        "an element that is gone",
        mapped("rows", {"run": PYTHON}, undo=GET),
        f"{AT}.undo.http.url.expr",
        "InvalidExpression",
    ),
    (
        "an element that is gone, in a header",
        mapped(
            "rows",
            inside(
                step(
                    "b",
                    compensate={
                        "http": {"method": "GET", "url": {"value": "http://x"}, "headers": {"x": {"element": "rows"}}}
                    },
                )
            ),
        ),
        f"{AT}.map.steps[0].compensate.http.headers.x.element",
        "InvalidValue",
    ),
    ("a wrong step inside", mapped("a", inside(step("b", undoo=1))), f"{AT}.map.steps[0].undoo", "UnknownField"),
    (
        "a bad script inside",
        mapped("a", {"run": {"python": {"source": "x ="}}}),
        f"{AT}.map.run.python.source",
        "InvalidSource",
    ),
    (
        "a bad script that fetches",
        mapped(of=paged(run={"python": {"source": "x ="}})),
        f"{AT}.map.pages.run.python.source",
        "InvalidSource",
    ),
    ("a name that hides the map", mapped("rows", inside(step("rows"))), f"{AT}.map.steps[0].name", "DuplicateName"),
    (
        "a step inside that waits for the map",
        mapped("rows", inside(step("b", waitFor=["rows"]))),
        f"{AT}.map",
        "SelfReference",
    ),
]


@pytest.mark.parametrize(("what", "written", "path", "reason"), BAD, ids=[bad[0] for bad in BAD])
def test_what_is_wrong_is_named_by_field_and_reason(what: str, written: Document, path: str, reason: str) -> None:
    assert (path, reason) in found(check(written).problems), what


GOOD = [
    ("no elements at all", mapped(of={"source": {"value": []}})),
    ("elements of a result", mapped(of={"source": {"result": "before", "path": "rows"}})),
    ("the widest window", mapped("rows", {"run": PYTHON, "batchSize": 1000, "strategy": "batch", "timeout": "2h"})),
    ("chunks", mapped("rows", {"run": PYTHON, "elementsPerTask": 50, "undoWindow": 1000}, undo=PYTHON)),
    ("failures", mapped("rows", {"run": PYTHON, "failFast": False})),
    ("no failures", mapped("rows", {"run": PYTHON, "failFast": False, "maxFailures": 0})),
    ("half of them", mapped("rows", {"run": PYTHON, "failFast": False, "maxFailuresPercent": 50})),
    ("secrets of a page", mapped(of=paged(arguments={"token": SECRET, "day": {"expr": "results.before.day"}}))),
    (
        "a page by request",
        mapped(
            of=paged(
                run={
                    "http": {"method": "GET", "url": {"expr": "'http://x?' + args.cursor"}},
                    "timeout": "5s",
                    "retries": {"maxAttempts": 3},
                    "retryOn": ["Http"],
                }
            )
        ),
    ),
    (
        "a page by container",
        mapped(
            of=paged(
                run={
                    "container": {
                        "image": "x",
                        "env": [{"name": "C", "argument": "cursor"}, {"name": "L", "argument": "limit"}],
                    }
                }
            )
        ),
    ),
    (
        "an element as an argument",
        mapped(arguments={"x": {"element": "rows"}, "y": {"index": "rows"}, "z": {"expr": "element.a + index"}}),
    ),
    (
        "an element of a request",
        mapped(
            "rows",
            {"run": GET},
            undo={"http": {"method": "GET", "url": {"expr": "'http://x/' + string(index) + args.id"}}},
            arguments={"id": {"element": "rows", "path": "id"}},
        ),
    ),
    (
        "an element as a value",
        mapped("rows", {"transform": {"expr": "element + args.x"}}, arguments={"x": {"value": 1}}),
    ),
    (
        "an element as an input",
        mapped(
            "rows", {"reactorRef": {"name": "other"}, "inputs": {"row": {"element": "rows"}, "n": {"expr": "index"}}}
        ),
    ),
    ("an element returned", mapped("rows", inside(step("b"), returns={"element": "rows"}))),
    (
        "compensate of a map with steps",
        mapped("rows", inside(step("b", undo=PYTHON)), compensate=PYTHON, retries={"maxAttempts": 2}),
    ),
    (
        "an element in a switch",
        mapped(
            "rows",
            inside(
                {
                    "name": "b",
                    "switch": {
                        "cases": [{"when": "element.big", "run": GET}],
                        "default": {"transform": {"element": "rows"}},
                    },
                }
            ),
        ),
    ),
    (
        "elements of elements",
        mapped(
            "rows",
            inside(
                mapped(
                    "lines",
                    {"run": PYTHON},
                    of={"source": {"element": "rows", "path": "lines"}},
                    when="element.ready",
                    arguments={"of": {"element": "rows"}, "line": {"element": "lines"}},
                )
            ),
        ),
    ),
    ("counts collected", mapped("rows", {"run": PYTHON, "collect": {"expr": "result.failed == 0 && results.before"}})),
    (
        "results collected",
        mapped(
            "rows",
            {
                "run": PYTHON,
                "collect": {"run": {"container": {"image": "x", "env": [{"name": "R", "argument": "results"}]}}},
            },
        ),
    ),
]


@pytest.mark.parametrize("written", [good[1] for good in GOOD], ids=[good[0] for good in GOOD])
def test_what_is_right_has_no_problem(written: Document) -> None:
    assert check(written, step("before")).problems == ()


def test_a_map_that_is_named_from_outside_is_told_from_one_that_is_unknown() -> None:
    first, second = check(mapped(), step("a", arguments={"x": {"element": "rows"}, "y": {"element": "rosw"}})).problems
    assert "found rows, which this is not inside of" in first.message
    assert "unknown map rosw: did you mean rows?" in second.message


def test_a_map_runs_in_no_finally() -> None:
    assert found(check(step("a"), **{"finally": [mapped()]}).problems) == {("spec.finally[0].map", "InvalidValue")}


def test_what_is_never_retried_and_what_is_dropped_is_warned_of() -> None:
    pages = paged(run={**PYTHON, "retryOn": ["Lost"]}, arguments={"x": {"value": None}})
    warnings = check_spec({"steps": [mapped(of=pages)]}).warnings
    assert found(warnings) == {
        ("spec.steps[0].map.pages.run.retryOn[0]", "NeverRetried"),
        ("spec.steps[0].map.pages.arguments.x.value", "NullDropped"),
    }


def test_a_window_that_parallelism_narrows_is_warned_of_where_it_was_written() -> None:
    wide = mapped("rows", {"run": PYTHON, "batchSize": 400})
    [told] = check_spec({"steps": [wide]}).warnings
    assert (told.path, told.reason) == ("spec.steps[0].map.batchSize", "NarrowedWindow")
    assert "parallelism of the reactor, 100 where it is unset" in told.message
    inner = mapped("outer", inside(wide))
    [told] = check_spec({"steps": [inner], "parallelism": 399}).warnings
    assert told.path == "spec.steps[0].map.steps[0].map.batchSize"
    assert "parallelism of the reactor, 399, lets" in told.message
    for steps, parallelism in (([wide], 400), ([mapped()], 1)):
        assert check_spec({"steps": steps, "parallelism": parallelism}).warnings == ()
    values = mapped("rows", {"transform": {"element": "rows"}, "batchSize": 400})
    assert check_spec({"steps": [values]}).warnings == ()


READS: Document = {"x": {"element": "rows"}, "at": {"index": "rows"}, "y": {"expr": "element.a + index"}}
WRONG_MAPS = [
    (mapped("rows", {"run": PYTHON, "batchSizes": 5}, arguments=READS), "batchSizes"),
    (mapped("rows", {"run": PYTHON, "failFast": "no", "maxFailures": 5}, arguments=READS), "failFast"),
    (mapped("rows", {"run": PYTHON, "batchSize": "x", "elementsPerTask": 60}, arguments=READS), "batchSize"),
    (mapped("rows", {"run": {"pithon": {}}}, arguments=READS), "run"),
    (mapped("rows", {**inside(step("b", undoo=1)), "returns": {"result": "b"}}, arguments=READS), "steps[0].undoo"),
    (mapped("rows", {"run": PYTHON}, of={"source": {"inputt": "rows"}}, arguments=READS), "source"),
    (mapped("rows", inside(step("b", arguments=READS)) | {"strategi": "batch"}), "strategi"),
]


@pytest.mark.parametrize(("written", "field"), WRONG_MAPS, ids=[field for _, field in WRONG_MAPS])
def test_a_wrong_field_of_a_map_makes_nothing_else_of_it_seem_wrong(written: Document, field: str) -> None:
    problems = check(written).problems
    assert problems
    assert all(problem.path.startswith(f"{AT}.map.{field}") for problem in problems), problems
