"""A failure is explained: where in the author's code, the lines around it, what it came from; and nothing else."""

import json
import linecache
import os
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reactor.describing import DETAIL_LIMIT, describe
from reactor.outcomes import Failure
from tests.unit.runtime.peer import Peer
from tests.unit.runtime.pod import Pod

CANARY = "4242-canary-4242"


def raised(source: str, file: str = "<step ship>", **arguments: object) -> BaseException:
    """Return what `main` of a script raises."""
    linecache.cache[file] = (len(source), None, source.splitlines(keepends=True), file)
    names: dict[str, Any] = {"__file__": file}
    try:
        exec(compile(source, file, "exec"), names)
        names["main"](**arguments)
    except BaseException as error:
        own = error.__traceback__  # this function, which called the script
        return error.with_traceback(own.tb_next if own is not None else None)
    raise AssertionError("it did not raise")


def detail_of(error: BaseException) -> dict[str, Any]:
    failure = describe("Error", error)
    assert len(json.dumps(failure["detail"], ensure_ascii=False, separators=(",", ":")).encode()) <= DETAIL_LIMIT
    return failure["detail"]


def test_the_place_is_told_with_its_function_and_the_lines_around_it() -> None:
    source = "import json\n\ndef main(text):\n    # read it\n\n    return json.loads(text)\n\ndef other():\n    pass\n"
    detail = detail_of(raised(source, text="{"))
    assert (detail["file"], detail["line"], detail["function"]) == ("<step ship>", 6, "main")
    assert detail["source"].split("\n") == [
        "  3 | def main(text):",
        "  4 |     # read it",
        "  5 |",
        "> 6 |     return json.loads(text)",
        "  7 |",
        "  8 | def other():",
        "  9 |     pass",
    ]


CHAINED = """
def take(sku):
    return {}[sku]
def main(sku):
    try:
        take(sku)
    except KeyError as gone:
        raise LookupError("sold out") from gone
"""


def test_what_an_exception_came_from_is_told_and_is_in_the_traceback() -> None:
    detail = detail_of(raised(CHAINED, sku="cup"))
    assert detail["line"] == 8
    assert detail["origins"] == ["caused by KeyError: 'cup' (<step ship>:3 in take)"]
    assert "direct cause" in detail["traceback"]
    assert detail["traceback"].endswith("LookupError: sold out")
    handling = detail_of(raised(CHAINED.replace(" from gone", ""), sku="cup"))
    assert handling["origins"] == ["while handling KeyError: 'cup' (<step ship>:3 in take)"]
    assert "origins" not in detail_of(raised(CHAINED.replace("from gone", "from None"), sku="cup"))


def test_the_members_of_a_group_are_told() -> None:
    detail = detail_of(raised("def main():\n    raise ExceptionGroup('two', [ValueError('a'), OSError('b')])"))
    assert detail["origins"] == ["among them ValueError: a", "among them OSError: b"]


@pytest.mark.parametrize(
    "body",
    [
        "secret = card\n    raise ValueError('declined')",
        "raise TypeError",
        "return card + 1",
        "return [][len(card)]",
        "import ast\n    ast.literal_eval('(' + card)",
        "compile('(' + card, __file__, 'eval')",
        "exec('raise ValueError' + chr(10) + '# ' + card)",
        "f = lambda card: 1 / 0\n    f(card)",
        "return open('/nowhere', **{'mode': 'r', 'buffering': card})",
    ],
)
def test_the_values_of_arguments_are_not_in_the_explanation(body: str) -> None:
    told = json.dumps(describe("Error", raised(f"def main(card):\n    {body}\n", card=CANARY)))
    assert CANARY not in told
    assert "card" in told or "TypeError" in told


def test_a_handler_in_a_library_is_told_by_its_own_line_not_by_the_librarys(tmp_path: Path) -> None:
    import sysconfig

    file = sysconfig.get_path("purelib") + "/shop/stock.py"
    detail = detail_of(raised("import json\ndef main():\n    json.loads('{')", file=file))
    assert (detail["file"], detail["line"]) == ("shop/stock.py", 3)


def test_a_file_is_named_as_it_was_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    file = tmp_path / "shop" / "courier.py"
    file.parent.mkdir()
    file.write_bytes(b"# \xff is no UTF-8\n" + b"def main():\n    raise OSError\n")
    detail = detail_of(raised("def main():\n    raise OSError\n", file=str(file)))
    assert (detail["file"], detail["line"]) == ("shop/courier.py", 2)


def test_a_file_that_is_gone_or_cannot_be_read_has_a_place_and_no_lines(tmp_path: Path) -> None:
    for content in (None, b"\xff\xfe\x00" * 20):
        file = tmp_path / "odd.py"
        if content is not None:
            file.write_bytes(content)
        error = raised("def main():\n    raise OSError\n", file=str(file))
        linecache.cache.pop(str(file))
        detail = detail_of(error)
        assert detail["line"] == 2
        assert "source" not in detail


@pytest.mark.parametrize(
    "file", ["a\0b.py", "\ud800.py", "\x1b[31mred.py", "two\nlines.py", "x" * 5000 + ".py", "/" * 300, ""]
)
def test_a_hostile_name_of_a_file_is_harmless(file: str) -> None:
    error = raised("def main():\n    raise OSError(7)\n")
    code = error.__traceback__.tb_frame.f_code.replace(co_filename=file)  # type: ignore[union-attr]
    try:
        exec(code)
    except OSError as again:
        failure = describe("Error", again)
    text = json.dumps(failure["detail"], ensure_ascii=False)
    assert failure["message"] == "OSError: 7"
    assert "\\u0000" not in text
    assert "\\u001b" not in text
    assert "\n" not in str(failure["detail"].get("file", ""))
    assert len(text.encode()) <= DETAIL_LIMIT


class Hostile(BaseException):
    def __str__(self) -> str:
        raise KeyboardInterrupt

    def __repr__(self) -> str:
        raise SystemExit


def test_an_exception_that_cannot_be_shown_is_told_by_its_type() -> None:
    failure = describe("Error", Hostile("x"))
    assert str(failure["message"]).endswith("Hostile (its message cannot be shown: KeyboardInterrupt)")
    odd = SyntaxError("no")
    odd.filename, odd.lineno = 7, "seven"  # type: ignore[assignment]
    assert describe("Error", odd)["exception"] == "SyntaxError"


def test_deep_recursions_long_lines_and_long_chains_are_cut() -> None:
    recursion = detail_of(raised("def main(n=900):\n    return main(n - 1) if n else 1 / 0"))
    assert recursion["traceback"].count("in main") <= 30
    assert recursion["traceback"].endswith("ZeroDivisionError: division by zero")
    assert recursion["traceback"].startswith("Traceback")
    wide = detail_of(raised(f"def main():\n    raise OSError('{'é' * 90_000}')"))
    assert max(map(len, wide["source"].split("\n"))) < 220
    assert max(map(len, wide["traceback"].split("\n"))) <= 200
    error: BaseException = OSError("first")
    for number in range(500):
        newer = OSError(number)
        newer.__cause__, error = error, newer
    assert len(detail_of(error)["origins"]) == 4
    loop = OSError("round")
    loop.__context__ = LookupError("and round")
    loop.__context__.__context__ = loop
    assert detail_of(loop)["origins"] == ["while handling LookupError: and round"]


def test_a_wide_file_and_a_message_of_many_lines_leave_room_for_the_place() -> None:
    wide = f"# {'é' * 300}\n"
    detail = detail_of(raised(f"{wide * 3}def main():\n    raise OSError('\\n\\0\"' * 100_000)\n{wide * 3}"))
    assert detail["line"] == 5
    assert "in main" in detail["traceback"]
    assert "\0" not in detail["traceback"]


def test_details_of_the_author_have_their_share() -> None:
    assert detail_of(Failure("no", details={"rows": [1, 2]}))["details"] == {"rows": [1, 2]}
    large = detail_of(Failure("no", details=["x" * 90_000]))["details"]
    assert large.startswith("['xxx")
    assert len(large) <= 1024
    assert detail_of(Failure("no", details=float("nan")))["details"] == "nan"
    assert detail_of(Failure("no", details={"file": "caf\udce9.txt"}))["details"] == {"file": "caf\ufffd.txt"}


@given(st.text(st.characters(), max_size=2000), st.sampled_from([OSError, KeyError, Failure, SyntaxError, Hostile]))
def test_any_message_is_explained_within_bounds(message: str, kind: type[BaseException]) -> None:
    error: BaseException = kind(message)
    error.add_note(message)
    error.__cause__ = OSError(message)
    detail = detail_of(error)
    for line in (*detail["traceback"].split("\n"), *detail["origins"]):
        assert line.replace("\t", "").isprintable()


def test_an_import_that_fails_is_explained_by_the_line_of_the_module(pod: Pod, peer: Peer) -> None:
    (pod.modules / "shop.py").write_text("import os\nimport shopp.prices\n\ndef reserve():\n    pass\n")
    pod.run_handler("shop:reserve")
    failure = peer.outcome_document["failure"]
    assert (failure["kind"], failure["exception"]) == ("CannotStart", "ModuleNotFoundError")
    detail = failure["detail"]
    assert (detail["file"], detail["line"], detail["function"]) == ("shop.py", 2, "<module>")
    assert "> 2 | import shopp.prices" in detail["source"]
    assert "reactor" + os.sep not in detail["traceback"]
    assert "frozen" not in detail["traceback"]


def test_a_module_that_does_not_parse_is_explained_by_the_line_that_does_not(pod: Pod, peer: Peer) -> None:
    (pod.modules / "shop.py").write_text("import os\n\ndef reserve(:\n    pass\n")
    pod.run_handler("shop:reserve")
    failure = peer.outcome_document["failure"]
    assert (failure["kind"], failure["exception"]) == ("CannotStart", "SyntaxError")
    detail = failure["detail"]
    assert (detail["file"], detail["line"]) == ("shop.py", 3)
    assert "> 3 | def reserve(:" in detail["source"]
    assert "def reserve(:" in detail["traceback"]
    assert "calling.py" not in detail["traceback"]
