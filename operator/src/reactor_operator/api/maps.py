"""What a map says: where its elements come from, what is done with each, how many at once, and what becomes of results.

In: one object of a manifest. Out: a frozen `Map`. Never here: rules that look at more than one field (see `map_rules`),
an element.
"""

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from reactor_operator.api.actions import ActionSpec, Retries, RetryOn
from reactor_operator.api.bodies import MAX_INPUTS, Body, InputName
from reactor_operator.api.model import ArgumentName, Boolean, Expression, Integer, Model, OneOf, Optional, Timeout
from reactor_operator.api.sources import Source

MAX_WINDOW = 1_000
MAX_PAGE, DEFAULT_PAGE = 10_000, 500
MAX_ARGUMENTS = 64
MAX_ELEMENTS = 1_000_000_000
CURSOR, LIMIT = "cursor", "limit"
RESULTS = "results"
"""The argument that a task of `collect` is called with."""


class MapTask(ActionSpec):
    """A task of the map itself, with policies of its own: those of the step are for its elements."""

    retries: Optional[Retries] = Field(default=None, description="Unset: defaults.retries.")
    timeout: Optional[Timeout] = Field(
        default=None, description="Longest time of one attempt. Unset: defaults.timeout."
    )
    retry_on: Optional[RetryOn] = Field(
        default=None, description="Kinds of failure after which it is attempted again. Unset: all that are retryable."
    )


class Pages(Model):
    """A task that fetches the elements, page by page: called with its arguments, cursor and limit."""

    run: MapTask = Field(
        description="What fetches a page, as run of a step, with retries, retryOn and timeout of its own. It gives"
        " {items, next}; without next this page is the last one.",
        json_schema_extra={"x-brief": True},
    )
    arguments: Annotated[dict[ArgumentName, Source], Field(max_length=MAX_ARGUMENTS)] = Field(
        default_factory=dict,
        description="Arguments of the task by name, beside cursor and limit.",
        json_schema_extra={"x-brief": True},
    )
    page_size: Annotated[Integer, Field(ge=1, le=MAX_PAGE)] = Field(
        default=DEFAULT_PAGE, description="Elements asked for in one page (the argument limit). 500 when unset."
    )
    sensitive: Optional[Boolean] = Field(
        default=None, description="true: what the task gives is encrypted, shown as ***."
    )


class Collect(OneOf):
    """What becomes of the results of all elements: exactly one of expr and run."""

    forms = ("expr", "run")

    expr: Optional[Expression] = Field(
        default=None, description="A CEL expression. It reads the counts of the map as result."
    )
    run: Optional[MapTask] = Field(
        default=None,
        description="A task, as run of a step, with retries, retryOn and timeout of its own. Its argument results is"
        " the results of the map.",
        json_schema_extra={"x-brief": True},
    )

    @property
    def source(self) -> Source:
        """The expression as a source. Raises ValueError where it is a task."""
        if self.expr is None:
            raise ValueError("a task collects, no expression")
        return Source.model_validate({"expr": self.expr})


class Strategy(StrEnum):
    """When the next elements start."""

    SLIDING = "sliding"
    BATCH = "batch"


class Map(Body):
    """A body for each of many elements: exactly one of source and pages, and one of the forms of a body."""

    other_forms = ("source", "pages")

    source: Optional[Source] = Field(default=None, description="The elements: a source that is an array.")
    pages: Optional[Pages] = Field(
        default=None, description="The elements, fetched page by page, one page ahead at most."
    )
    transform: Optional[Source] = Field(
        default=None, description="A value; nothing is launched.", json_schema_extra={"x-brief": True}
    )
    returns: Optional[Source] = Field(
        default=None,
        description="The result of these steps. Unset: the result of the one written last.",
        json_schema_extra={"x-brief": True},
    )
    inputs: Optional[Annotated[dict[InputName, Source], Field(max_length=MAX_INPUTS)]] = Field(
        default=None,
        description="Inputs of the other Reactor by name, each from a source.",
        json_schema_extra={"x-brief": True},
    )
    batch_size: Annotated[Integer, Field(ge=1, le=MAX_WINDOW)] = Field(
        default=50, description="The window: never more elements in flight. 50 when unset."
    )
    strategy: Strategy = Field(
        default=Strategy.SLIDING,
        description="sliding (default): an element that ended lets the next one in; batch: all of a window end first.",
    )
    fail_fast: Boolean = Field(
        default=True,
        description="true (default): the first element that fails, fails the map; false: failures are collected.",
    )
    max_failures: Optional[Annotated[Integer, Field(ge=0, le=MAX_ELEMENTS)]] = Field(
        default=None, description="With failFast: false: the map fails when more elements failed. Unset: no limit."
    )
    max_failures_percent: Optional[Annotated[Integer, Field(ge=0, le=100)]] = Field(
        default=None,
        description="With failFast: false: the map fails when more than this percentage of its elements failed.",
    )
    elements_per_task: Annotated[Integer, Field(ge=1, le=MAX_WINDOW)] = Field(
        default=1, description="Elements that one Python task takes, one after the other. 1 when unset."
    )
    timeout: Optional[Timeout] = Field(default=None, description="Longest time of the whole map. Unset: no limit.")
    undo_window: Annotated[Integer, Field(ge=1, le=MAX_WINDOW)] = Field(
        default=1,
        description="Tasks that undo elements at once, elementsPerTask in each, highest index first. 1 when unset.",
    )
    collect: Optional[Collect] = Field(
        default=None, description="Makes one result of those of all elements. Unset: the results, to iterate over."
    )
