"""What we inject reaches the container as these very bytes, by the rule that kubelet follows."""

from hypothesis import example, given
from hypothesis import strategies as st

from reactor_operator.tasks.manifest_env import escape_dollars


def kubelet_expands(text: str, variables: dict[str, str]) -> str:
    """The rule of Kubernetes, in bytes as kubelet applies it: `$$` is `$`, `$(NAME)` is replaced where it closes, and
    of any other `$x` the byte x is copied as the character with that number."""
    source = text.encode()
    out = bytearray()
    cursor = checkpoint = 0
    while cursor < len(source):
        if source[cursor : cursor + 1] == b"$" and cursor + 1 < len(source):
            out += source[checkpoint:cursor]
            following = source[cursor + 1 : cursor + 2]
            closing = source.find(b")", cursor + 2)
            if following == b"$":
                out += b"$"
                cursor += 1
            elif following == b"(" and closing >= 0:
                name = source[cursor + 2 : closing].decode("utf-8", "replace")
                out += variables.get(name, f"$({name})").encode()
                cursor = closing
            elif following == b"(":
                out += b"$("
                cursor += 1
            else:
                out += b"$" + chr(following[0]).encode()
                cursor += 1
            checkpoint = cursor + 1
        cursor += 1
    return (bytes(out) + source[checkpoint:]).decode("utf-8", "replace")


@given(st.text(alphabet=st.sampled_from("$()aX_é日 {}"), max_size=40))
@example("$(SECRET)")
@example("$$(X)")
@example("$é")
@example("$")
@example("$$$")
@example("$(")
def test_injected_values_are_literal_bytes(literal: str) -> None:
    assert kubelet_expands(escape_dollars(literal), {"SECRET": "leaked", "X": "leaked"}) == literal


@given(st.text(max_size=60))
def test_text_of_any_kind_stays_as_it_is(literal: str) -> None:
    clean = literal.encode("utf-8", "replace").decode()
    assert kubelet_expands(escape_dollars(clean), {}) == clean


def test_a_lone_dollar_before_other_characters_would_break_them() -> None:
    assert kubelet_expands("$é", {}) != "$é"
