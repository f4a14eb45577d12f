"""What a handler is called with."""

import json
from pathlib import Path

import pytest

from tests.unit.runtime.peer import Peer
from tests.unit.runtime.pod import Pod


def result_of(peer: Peer) -> object:
    document = peer.outcome_document
    assert document["type"] == "succeeded", document
    return document["result"]


def test_arguments_come_by_name_and_defaults_hold_for_the_rest(pod: Pod, peer: Peer) -> None:
    peer.assignment["arguments"] = {"b": [1, {"x": None}], "a": "$(VAR); rm"}
    pod.run_source("def main(a, *, b, c=3):\n    return [a, b, c]")
    assert result_of(peer) == ["$(VAR); rm", [1, {"x": None}], 3]


def test_context_is_filled_in_only_where_it_is_declared(pod: Pod, peer: Peer) -> None:
    source = """
def main(context, **rest):
    return [context.run, context.step, context.action, context.attempt, context.idempotency_key, context.forward_key,
            context.uncertain, context.cancelled, context.cancellation.is_set(), rest]"""
    peer.assignment |= {"arguments": {"a": 1}, "result": {"id": 1}, "uncertain": True}
    pod.run_source(source, REACTOR_ACTION="undo", REACTOR_ATTEMPT="3", REACTOR_FORWARD_KEY="forward-1")
    assert result_of(peer) == ["order-1", "store", "undo", 3, "key-1", "forward-1", True, False, False, {"a": 1}]


def test_an_undo_gets_the_result_and_a_compensate_the_failure(pod: Pod, peer: Peer) -> None:
    peer.assignment |= {"result": {"id": 9}, "failure": {"kind": "Error"}}
    pod.run_source("def main(result):\n    return result['id']", REACTOR_ACTION="undo")
    assert result_of(peer) == 9
    peer.outcome = peer.binding = None
    pod.run_source("def main(failure):\n    return failure['kind']", REACTOR_ACTION="compensate")
    assert result_of(peer) == "Error"


def test_the_undo_of_an_uncertain_step_gets_null(pod: Pod, peer: Peer) -> None:
    peer.assignment["uncertain"] = True
    pod.run_source("def main(result, context):\n    return [result, context.uncertain]", REACTOR_ACTION="undo")
    assert result_of(peer) == [None, True]


@pytest.mark.parametrize(
    ("signature", "found"),
    [
        (
            "(a)",
            "(a): 'b' is not a parameter: run, compensate and undo get all arguments of the step by name",
        ),
        ("(a, b, c)", "'c' is missing"),
        ("(a, b, result)", "'result' is missing (only an undo has one)"),
        ("(a, b, failure)", "'failure' is missing (only a compensate has one)"),
        ("(a, /, b)", "'a' is positional-only"),
        ("()", "'a' is not a parameter; 'b' is not a parameter"),
        ("(*args)", "'a' is not a parameter"),
    ],
)
def test_arguments_that_do_not_fit_are_told_and_the_handler_never_runs(
    pod: Pod, peer: Peer, signature: str, found: str
) -> None:
    peer.assignment["arguments"] = {"a": 1, "b": 2}
    ended = pod.run_source(f"def main{signature}:\n    print('it ran')")
    assert (ended.returncode, ended.stdout) == (1, "")
    failure = peer.outcome_document["failure"]
    assert (failure["kind"], failure["retryable"]) == ("InvalidArguments", False)
    assert found in failure["message"]


@pytest.mark.parametrize(
    "handler",
    [
        "functools.partial(plain, 1)",
        "Callable()",
        "Callable().method",
        "wrapped",
        "coroutine",
        "functools.partial(coroutine, a=1)",
        "Static.method",
    ],
)
def test_anything_callable_is_a_handler(pod: Pod, peer: Peer, handler: str) -> None:
    source = f"""
import asyncio, functools
def plain(a, b): return ['done', b]
class Callable:
    def __call__(self, b): return ['done', b]
    def method(self, b): return ['done', b]
class Static:
    @staticmethod
    def method(b): return ['done', b]
def decorate(function):
    @functools.wraps(function)
    def inner(*args, **kwargs): return function(*args, **kwargs)
    return inner
@decorate
def wrapped(b): return ['done', b]
async def coroutine(b, a=0):
    await asyncio.sleep(0)
    return ['done', b]
main = {handler}"""
    peer.assignment["arguments"] = {"b": 2}
    assert pod.run_source(source).returncode == 0
    assert result_of(peer) == ["done", 2]


def test_a_coroutine_that_raises_has_a_traceback_of_its_own_code_alone(pod: Pod, peer: Peer) -> None:
    assert pod.run_source("async def main():\n    raise ValueError('no')").returncode == 1
    failure = peer.outcome_document["failure"]
    assert failure["exception"] == "ValueError"
    assert "asyncio" not in failure["detail"]["traceback"]


def test_secret_arguments_come_from_variables_as_text(pod: Pod, peer: Peer) -> None:
    peer.assignment["arguments"] = {"amount": 3}
    pod.run_source(
        "def main(amount, password):\n    return [amount, password]",
        REACTOR_SECRET_ARGUMENTS=json.dumps({"password": "REACTOR_SECRET_PASSWORD"}),
        REACTOR_SECRET_PASSWORD="007 ",
    )
    assert result_of(peer) == [3, "007 "]


def test_a_secret_argument_without_its_variable_cannot_start(pod: Pod, peer: Peer) -> None:
    ended = pod.run_source(
        "def main(password):\n    print('it ran')", REACTOR_SECRET_ARGUMENTS='{"password": "REACTOR_SECRET_PASSWORD"}'
    )
    assert "it ran" not in ended.stdout
    failure = pod.termination["failure"]
    assert failure["kind"] == "CannotStart"
    assert "password (variable REACTOR_SECRET_PASSWORD)" in failure["message"]


def test_the_variables_of_every_task_are_there_for_python_too(pod: Pod, peer: Peer) -> None:
    peer.assignment |= {"arguments": {"a": "ä\0"}, "result": [1]}
    source = """
import json, os
def main(a):
    names = ["REACTOR_RUN", "REACTOR_STEP", "REACTOR_ACTION", "REACTOR_ATTEMPT", "REACTOR_IDEMPOTENCY_KEY"]
    documents = ["REACTOR_ARGUMENTS", "REACTOR_RESULT"]
    return [os.environ[n] for n in names] + [json.loads(os.environ[n]) for n in documents]"""
    pod.run_source(source, REACTOR_ACTION="undo")
    assert result_of(peer) == ["order-1", "store", "undo", "1", "key-1", {"a": "ä\0"}, [1]]


def test_what_a_handler_prints_and_logs_goes_to_the_pods_log(pod: Pod) -> None:
    source = """
import sys
def main(context):
    print('out')
    print('err', file=sys.stderr)
    context.logger.info('logged %s', 1)"""
    ended = pod.run_source(source)
    assert ended.stdout == "out\n"
    assert ended.stderr == "err\nINFO reactor.store: logged 1\n"


def test_a_handler_is_a_dotted_name_of_a_flat_file(pod: Pod, peer: Peer) -> None:
    (pod.modules / "shop.inventory.py").write_text(
        "from shop.models import stock\nimport shop\ndef reserve():\n    return [__name__, stock.name(), shop.__name__]"
    )
    (pod.modules / "shop.models.stock.py").write_text("def name():\n    return __name__")
    pod.run_handler("shop.inventory:reserve")
    assert result_of(peer) == ["shop.inventory", "shop.models.stock", "shop"]


def test_a_flat_package_may_have_a_body_of_its_own(pod: Pod, peer: Peer) -> None:
    (pod.modules / "shop.py").write_text("NAME = 'a package'")
    (pod.modules / "shop.inventory.py").write_text("from . import NAME\ndef reserve():\n    return NAME")
    (pod.modules / "depot.__init__.py").write_text("from .stock import get")
    (pod.modules / "depot.stock.py").write_text("def get():\n    return 'got'")
    pod.run_handler("shop.inventory:reserve")
    assert result_of(peer) == "a package"
    peer.outcome = peer.binding = None
    pod.run_handler("depot:get")
    assert result_of(peer) == "got"


def test_ordinary_modules_packages_and_attributes_serve_too(pod: Pod, peer: Peer) -> None:
    package = pod.modules / "shop"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "inventory.py").write_text(
        "class Stock:\n    @classmethod\n    def reserve(cls):\n        return cls.__name__"
    )
    pod.run_handler("shop.inventory:Stock.reserve")
    assert result_of(peer) == "Stock"


def test_a_flat_file_replaces_a_module_of_the_image_and_nothing_else_of_its_package(pod: Pod, peer: Peer) -> None:
    image = pod.folder / "image" / "shop"
    image.mkdir(parents=True)
    (image / "__init__.py").write_text("FROM = 'image'")
    (image / "prices.py").write_text("FROM = 'image'")
    (image / "inventory.py").write_text("FROM = 'image'")
    (pod.modules / "shop.inventory.py").write_text(
        "import shop, shop.prices\nFROM = 'modules'\ndef reserve():\n    return [shop.FROM, shop.prices.FROM, FROM]"
    )
    pod.run_handler("shop.inventory:reserve", PYTHONPATH=f"{pod.environment()['PYTHONPATH']}:{image.parent}")
    assert result_of(peer) == ["image", "image", "modules"]


@pytest.mark.parametrize(
    ("handler", "found"),
    [
        ("missing:f", "No module named 'missing'"),
        ("broken:f", "no database"),
        ("wrong:f", "SyntaxError"),
        ("present:reserv", "has no 'reserv'; did you mean 'reserve'?"),
        ("present:LIMIT", "is a int, expected a function"),
        ("present", "expected module:function"),
        ("leaving:f", "SystemExit"),
    ],
)
def test_a_handler_that_does_not_import_cannot_start_and_says_why(
    pod: Pod, peer: Peer, handler: str, found: str
) -> None:
    (pod.modules / "broken.py").write_text("raise OSError('no database')")
    (pod.modules / "wrong.py").write_text("def f(:\n    pass")
    (pod.modules / "leaving.py").write_text("raise SystemExit('bye')")
    (pod.modules / "present.py").write_text("LIMIT = 1\ndef reserve():\n    pass")
    assert pod.run_handler(handler).returncode == 1
    failure = peer.outcome_document["failure"]
    assert (failure["kind"], failure["retryable"]) == ("CannotStart", False)
    assert found in failure["message"] + failure["detail"].get("traceback", "")


def test_an_inline_source_without_main_or_with_bad_syntax_cannot_start(pod: Pod, peer: Peer) -> None:
    pod.run_source("x = 1")
    assert "has no 'main'" in peer.outcome_document["failure"]["message"].replace("function main", "'main'")
    peer.outcome = peer.binding = None
    pod.run_source("x = 1\ny = = 2\n")
    failure = peer.outcome_document["failure"]
    assert failure["kind"] == "CannotStart"
    assert (failure["detail"]["file"], failure["detail"]["line"]) == ("<step store>", 2)


def test_dataclasses_and_pickling_work_in_an_inline_source(pod: Pod, peer: Peer) -> None:
    source = """
from __future__ import annotations
import dataclasses, pickle
@dataclasses.dataclass
class Point:
    x: int
def main():
    return pickle.loads(pickle.dumps(Point(3))).x"""
    pod.run_source(source)
    assert result_of(peer) == 3


def test_modules_that_are_not_there_change_nothing(pod: Pod, peer: Peer, tmp_path: Path) -> None:
    pod.run_source("def main():\n    return 1", REACTOR_MODULES=str(tmp_path / "none"))
    assert result_of(peer) == 1
