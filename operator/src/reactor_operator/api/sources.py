"""Where a value comes from: an input, a result, an element of a map, a literal, CEL, or a key of a Secret or ConfigMap.

In: one object of a manifest. Out: a frozen `Source`. Never here: resolving it (see `evaluation.sources`).
"""

from pydantic import Field

from reactor_operator.api.model import (
    Boolean,
    Expression,
    Json,
    KeyName,
    Model,
    ObjectName,
    OneOf,
    Optional,
    Path,
    StepName,
)


class KeyRef(Model):
    """One key of a Secret or ConfigMap in the namespace of the run."""

    name: ObjectName = Field(description="Name of the Secret or ConfigMap.")
    key: KeyName = Field(description="Key in it.")


class Source(OneOf):
    """Where a value comes from: one of input, result, value, element, index, expr, secretKeyRef and configMapKeyRef."""

    forms = ("input", "result", "value", "element", "index", "expr", "secretKeyRef", "configMapKeyRef")

    input: Optional[Path] = Field(
        default=None, description="Path in the inputs of the run, such as customer.emails[0]."
    )
    result: Optional[StepName] = Field(
        default=None, description="Name of the step whose result is taken; it is waited for."
    )
    value: Json = Field(default=None, description="The value itself: any JSON.")
    element: Optional[StepName] = Field(
        default=None, description="Name of a map around this: the element that it is at."
    )
    index: Optional[StepName] = Field(
        default=None, description="Name of a map around this: the place of its element, from 0."
    )
    expr: Optional[Expression] = Field(default=None, description="A CEL expression over inputs, results and run.")
    secret_key_ref: Optional[KeyRef] = Field(
        default=None,
        description="A key of a Secret. It reaches the task by reference; the operator never reads it.",
    )
    config_map_key_ref: Optional[KeyRef] = Field(
        default=None, description="A key of a ConfigMap. It reaches the task by reference."
    )
    path: Optional[Path] = Field(
        default=None, description="Path inside the value that was found, such as items[0].sku."
    )
    default: Json = Field(default=None, description="Taken where the path leads nowhere. Without it the step fails.")
    sensitive: Optional[Boolean] = Field(default=None, description="true: encrypted in the store, shown as ***.")

    @property
    def has_value(self) -> bool:
        """Whether this is a literal (which may be null)."""
        return "value" in self.model_fields_set

    @property
    def has_default(self) -> bool:
        """Whether a default was written (which may be null)."""
        return "default" in self.model_fields_set

    @property
    def by_reference(self) -> bool:
        """Whether the value reaches the task as a reference in its pod and is never read here."""
        return self.secret_key_ref is not None or self.config_map_key_ref is not None
