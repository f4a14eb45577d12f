import pytest

from reactor_operator.api.digest import digest_spec


def test_the_order_of_keys_does_not_matter() -> None:
    assert digest_spec({"a": 1, "b": {"c": 2, "d": 3}}) == digest_spec({"b": {"d": 3, "c": 2}, "a": 1})


@pytest.mark.parametrize("other", [{"a": 2}, {"a": "1"}, {"a": 1.0}, {"a": [1]}, {"a": 1, "b": None}])
def test_other_content_has_another_digest(other: dict[str, object]) -> None:
    assert digest_spec(other) != digest_spec({"a": 1})


def test_the_digest_is_pinned_in_stores_and_must_not_change_between_versions() -> None:
    assert (
        digest_spec({"b": ["é", None], "a": 1.5}) == "727cb9ca0d6d467e0fd65093d9d36c2a2022c50136f5dca781f2792a6b9ae930"
    )
