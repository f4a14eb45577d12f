"""What an expression reads, told from its text alone: the edges of the graph come from here.

In: a CEL expression. Out: the results it reads, or why it cannot be told. Never here: compiling or evaluating
(see `evaluation.cel`). Linear in the text, and safe on hostile text: it only ever cuts it into words.

So that edges are known, `results` is read with a name that stands in the text: `results.reserve`,
`results["book-courier"]`. `results[inputs.x]` and a bare `results` are refused.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

MAX_NESTING = 32
VARIABLES = ("inputs", "results", "run")
"""What `when` and `expr` may read."""
ARGUMENTS = "args"
"""What is read beside by whatever comes after the arguments of a step: a transform, a choice, inputs of a compose."""
ELEMENT, INDEX = "element", "index"
"""What is read beside inside a map: what the innermost one is at, and the place of that."""
COLLECTED = ("result",)
"""What is read beside by the `collect` of a map: how many elements there were, and what became of them."""

_STRING = (
    r"""[bB]?[rR][bB]?(?:'{3}(?s:.*?)'{3}|"{3}(?s:.*?)"{3}|'[^'\n]*'|"[^"\n]*")"""  # raw: a backslash is a character
    r"""|[bB]?(?:'{3}(?s:(?:[^\\]|\\.)*?)'{3}|"{3}(?s:(?:[^\\]|\\.)*?)"{3})"""
    r"""|[bB]?(?:'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*")"""
)
_TOKEN = re.compile(
    rf"(?P<space>\s+|//[^\n]*)|(?P<string>{_STRING})|(?P<name>`[^`\n]*`|[A-Za-z_][A-Za-z0-9_]*)"
    r"|(?P<number>(?:0[xX][0-9a-fA-F]+|[0-9]+(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?|\.[0-9]+(?:[eE][-+]?[0-9]+)?)[uU]?)"
    r"|(?P<mark>&&|\|\||==|!=|<=|>=|[-+*/%<>!?:.,(){}\[\]])",
    re.ASCII,
)
_MACROS = frozenset({"all", "exists", "exists_one", "existsOne", "map", "filter", "transformList", "transformMap"})
_CONSTANTS = frozenset({"true", "false", "null", "in"})
_TYPES = frozenset(
    {
        "int",
        "uint",
        "double",
        "bool",
        "string",
        "bytes",
        "list",
        "map",
        "null_type",
        "type",
        "optional",
    }
)
_PLAIN = re.compile(r"""(['"])([^'"\\]*)\1\Z""")


@dataclass(frozen=True, slots=True)
class References:
    """The names after `results` (`book_courier` may mean `book-courier`), and what is wrong with the text.

    members: each other variable that is read, with the name after it; None where it is read as a whole.
    """

    results: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    members: tuple[tuple[str, str | None], ...] = ()

    def named(self, variable: str) -> Iterator[str | None]:
        """Yield the names after a variable; None where it is read as a whole."""
        return (name for read, name in self.members if read == variable)


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str


_END = _Token("end", "")


def references(expression: str, *, arguments: bool = False, beside: tuple[str, ...] = ()) -> References:
    """Return the results that `expression` reads, in order and once each, and everything that hides what it reads.

    `arguments`: it may read `args` too; `beside` names what else (`result` in an undo).
    """
    variables = (*VARIABLES, *((ARGUMENTS,) if arguments else ()), *beside)
    tokens: list[_Token] = []
    at = 0
    while at < len(expression):
        match = _TOKEN.match(expression, at)
        if match is None:
            return References(problems=(f"found {expression[at]!r} at character {at + 1}, expected CEL",))
        at = match.end()
        if match.lastgroup != "space":
            tokens.append(_Token(match.lastgroup or "", match.group()))
    problems = list(_nesting(tokens))
    bound = set(_bound(tokens))
    problems += [
        f"found the variable {name} of a macro, expected another name: it hides {name}"
        for name in variables
        if name in bound
    ]
    results: dict[str, None] = {}
    members: dict[tuple[str, str | None], None] = {}
    for place, token in enumerate(tokens):
        if token.kind != "name" or not _is_variable(tokens, place) or token.text in bound:
            continue
        if _token(tokens, place - 1).text == ".":
            problems.append(f"found .{token.text}, expected {token.text}: nothing stands before the dot")
        elif token.text == "results":
            name = _member_name(tokens, place)
            if name is None:
                problems.append(
                    'found results without a name, expected results.NAME or results["NAME"], so that its step is known'
                )
            else:
                results[name] = None
        elif token.text not in variables:
            problems.append(f"found the variable {token.text}, expected one of {', '.join(variables)}")
        else:
            members[token.text, _member_name(tokens, place)] = None
    return References(tuple(results), tuple(dict.fromkeys(problems)), tuple(members))


@lru_cache(maxsize=32_768)
def expression_references(expression: str, *, arguments: bool = False, beside: tuple[str, ...] = ()) -> References:
    """Return `references(…)`, remembered: checking, planning and evaluating all ask."""
    return references(expression, arguments=arguments, beside=beside)


def _token(tokens: list[_Token], place: int) -> _Token:
    return tokens[place] if 0 <= place < len(tokens) else _END


def _is_variable(tokens: list[_Token], place: int) -> bool:
    """Return whether the name at `place` is a variable: no field, function, type or constant."""
    before, name, after = _token(tokens, place - 1), tokens[place].text, _token(tokens, place + 1)
    if name in _CONSTANTS or after.text == "(":
        return False
    if before.text == "." and _token(tokens, place - 2).kind != "end" and _ends_value(_token(tokens, place - 2)):
        return False
    if before.text == "?" and _token(tokens, place - 2).text == ".":
        return False
    return name not in _TYPES


def _ends_value(token: _Token) -> bool:
    return (token.kind in ("name", "string", "number") and token.text != "in") or token.text in (")", "]", "}")


def _member_name(tokens: list[_Token], place: int) -> str | None:
    """Return the name in `results.NAME`, `results.?NAME`, `results["NAME"]` or `results[?"NAME"]`."""
    opening, key = _token(tokens, place + 1).text, place + 2
    if _token(tokens, key).text == "?":
        key += 1
    if opening == "." and _token(tokens, key).kind == "name" and _token(tokens, key + 1).text != "(":
        return _token(tokens, key).text.strip("`")
    if opening == "[" and _token(tokens, key + 1).text == "]":
        plain = _PLAIN.match(_token(tokens, key).text)
        return plain.group(2) if plain is not None else None
    return None


def _bound(tokens: list[_Token]) -> Iterator[str]:
    """Yield the variables that macros bind: `x` in `list.map(x, …)`."""
    for place, token in enumerate(tokens):
        if token.text in _MACROS and _token(tokens, place - 1).text == "." and _token(tokens, place + 1).text == "(":
            name, comma = _token(tokens, place + 2), _token(tokens, place + 3)
            if name.kind == "name" and comma.text == ",":
                yield name.text


def _nesting(tokens: list[_Token]) -> Iterator[str]:
    """Yield a problem where brackets are nested so deep that a parser might not survive it."""
    depth = deepest = 0
    for token in tokens:
        if token.kind == "mark":
            depth += (token.text in "([{") - (token.text in ")]}")
            deepest = max(deepest, depth)
    if deepest > MAX_NESTING:
        yield f"found brackets nested {deepest} deep, expected at most {MAX_NESTING}"
