"""What a PromQL expression names: series, and the labels that it selects or groups by.

In: an expression as a rule or a dashboard has it. Out: names. Never here: whether the expression is sound in itself;
for that there is promtool.
"""

import re

_SERIES = re.compile(r"\b(reactor_[a-z_]+|up)\b")
_SELECTOR = re.compile(r"\b(reactor_[a-z_]+|up)\{([^}]*)\}")
_MATCHER = re.compile(r"([a-z_]+)\s*(?:=~|!~|!=|=)\s*\"([^\"]*)\"")
_BY = re.compile(r"\bby \(([^)]*)\)")
_STRING = re.compile(r"\"[^\"]*\"")


def series_in(expression: str) -> set[str]:
    """Return the names of series, as they are asked for."""
    return set(_SERIES.findall(_STRING.sub('""', expression)))


def selectors_in(expression: str) -> list[tuple[str, dict[str, str]]]:
    """Return each name that has a selector, with what its labels are to match."""
    return [(name, dict(_MATCHER.findall(inside))) for name, inside in _SELECTOR.findall(expression)]


def grouped_in(expression: str) -> set[str]:
    """Return the labels that are grouped by."""
    return {label.strip() for inside in _BY.findall(expression) for label in inside.split(",")}
