"""Repeated measurements of one thing, and ratios of two things measured in turn.

In: floats in the order they were taken. Out: medians and spread. Never here: a clock.
"""

from dataclasses import dataclass
from statistics import median, quantiles


@dataclass(frozen=True, slots=True)
class Samples:
    """Figures of one arm, in the order they were taken."""

    values: tuple[float, ...]

    @property
    def median(self) -> float:
        """The middle one."""
        return median(self.values)

    @property
    def spread(self) -> tuple[float, float]:
        """The least and the greatest."""
        return min(self.values), max(self.values)

    def as_json(self) -> dict[str, object]:
        """Return the figures and what sums them up."""
        middle = quantiles(self.values, n=4) if len(self.values) > 1 else [self.values[0]] * 3
        return {
            "median": self.median,
            "least": min(self.values),
            "greatest": max(self.values),
            "quartiles": [middle[0], middle[2]],
            "values": list(self.values),
        }


def ratio(arm: Samples, baseline: Samples) -> tuple[float, tuple[float, float]]:
    """Return median ÷ median, and the least and greatest ratio of what was measured in the same repetition."""
    paired = [one / other for one, other in zip(arm.values, baseline.values, strict=True)]
    return arm.median / baseline.median, (min(paired), max(paired))
