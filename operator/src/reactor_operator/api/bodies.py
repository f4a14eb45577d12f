"""What a step does besides a task of its own: a value, steps inside it, or one of several such bodies.

In: objects of a manifest. Out: frozen models. Never here: which fields say something beside which (see `body_rules`).
"""

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from reactor_operator.api.actions import ActionSpec
from reactor_operator.api.model import Expression, Model, ObjectName, OneOf, Optional
from reactor_operator.api.sources import Source

if TYPE_CHECKING:
    from reactor_operator.api.reactor import Step

MAX_STEPS = 10_000
MAX_CASES = 100
MAX_INPUTS = 256
InputName = Annotated[str, Field(strict=True, min_length=1, max_length=253)]


class NameRef(Model):
    """An object in the same namespace, by name."""

    name: ObjectName = Field(description="Name of the object.")


class Body(OneOf):
    """What is done inside a step: exactly one of run, transform, steps and reactorRef."""

    forms = ("run", "transform", "steps", "reactorRef")

    run: Optional[ActionSpec] = Field(
        default=None, description="One task, as run of a step.", json_schema_extra={"x-brief": True}
    )
    transform: Optional[Source] = Field(default=None, description="A value; nothing is launched.")
    steps: Optional[Annotated[tuple["Step", ...], Field(min_length=1, max_length=MAX_STEPS)]] = Field(
        default=None, description="Steps of their own. They see results of the steps around them too."
    )
    returns: Optional[Source] = Field(
        default=None, description="The result of these steps. Unset: the result of the one written last."
    )
    reactor_ref: Optional[NameRef] = Field(
        default=None, description="Another Reactor of the same namespace, pinned when the run starts."
    )
    inputs: Optional[Annotated[dict[InputName, Source], Field(max_length=MAX_INPUTS)]] = Field(
        default=None, description="Inputs of the other Reactor by name, each from a source."
    )


class Case(Body):
    """A body and the condition under which it is chosen."""

    when: Expression = Field(description="A CEL condition. The first case whose condition is true is chosen.")


class Switch(Model):
    """Bodies of which one is chosen; the others are Skipped."""

    cases: Annotated[tuple[Case, ...], Field(min_length=1, max_length=MAX_CASES)] = Field(
        description="The cases, judged in this order."
    )
    default: Optional[Body] = Field(
        default=None, description="What is done where no case is chosen. Unset: then the step fails."
    )
