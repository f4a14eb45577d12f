"""The ground all models stand on: how fields are named, which types they may have, and what null means.

In: nothing. Out: `Model`, `OneOf`, constrained types. Never here: a field of the API.

Every string has a longest length, no field is a float, null is not a way to say "unset" (an empty `undo:` would be a
saga without rollback), and numbers are never made of strings.
"""

from typing import Annotated, Any, ClassVar, Self, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    JsonValue,
    ModelWrapValidatorHandler,
    StrictBool,
    ValidationError,
    model_validator,
)
from pydantic.alias_generators import to_camel
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, InitErrorDetails, PydanticCustomError

from reactor_operator.api import duration

T = TypeVar("T")


class Model(BaseModel):
    """A typed object of the API: frozen, camelCase outside, unknown fields refused."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", alias_generator=to_camel, validate_by_name=False, validate_by_alias=True
    )


class NotNull:
    """Marks an optional field that may be left out but not be null."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Drop the null from `X | None`; the field's default still is None."""
        schema = handler(source)
        return schema["schema"] if schema["type"] == "nullable" else schema


Optional = Annotated[T | None, NotNull()]


def _longer_than_zero(text: str) -> str:
    if duration.parse_duration(text) == 0:
        raise PydanticCustomError(
            "InvalidValue", "found {found}, expected a duration longer than zero", {"found": text}
        )
    return text


Duration = Annotated[str, Field(strict=True, max_length=duration.MAX_LENGTH, pattern=duration.PATTERN)]
Timeout = Annotated[Duration, AfterValidator(_longer_than_zero)]

ARGUMENT = "^[A-Za-z_][A-Za-z0-9_]*$"
DNS_LABEL = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"
DNS_SUBDOMAIN = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$"
PRINTABLE = r"^[^\p{C}\p{Zl}\p{Zp}]+$"
StepName = Annotated[str, Field(strict=True, min_length=1, max_length=63, pattern=DNS_LABEL)]
ObjectName = Annotated[str, Field(strict=True, min_length=1, max_length=253, pattern=DNS_SUBDOMAIN)]
KeyName = Annotated[str, Field(strict=True, min_length=1, max_length=253, pattern=r"^[-._a-zA-Z0-9]+$")]
ArgumentName = Annotated[str, Field(strict=True, min_length=1, max_length=63, pattern=ARGUMENT)]
Image = Annotated[str, Field(strict=True, min_length=1, max_length=1024, pattern=r"^\S+$")]
FilePath = Annotated[str, Field(strict=True, min_length=1, max_length=4096, pattern="^/")]
BusinessKey = Annotated[str, Field(strict=True, min_length=1, max_length=253, pattern=PRINTABLE)]
Text = Annotated[str, Field(strict=True, max_length=4096)]
LongText = Annotated[str, Field(strict=True, max_length=131_072)]
Expression = Annotated[str, Field(strict=True, min_length=1, max_length=4096)]
Path = Annotated[str, Field(strict=True, min_length=1, max_length=1024)]
Integer = Annotated[int, Field(strict=True)]
Boolean = StrictBool
Json = JsonValue
Object = dict[str, JsonValue]


def found_error(reason: str, message: str, **context: object) -> PydanticCustomError:
    """Return an error that carries one of our own reasons; `message` may name `context` in braces."""
    return PydanticCustomError(reason, message, context)


class OneOf(Model):
    """A typed object of which exactly one of the fields `forms` is given (`forms_optional`: at most one).

    `other_forms` are fields of which exactly one is given too, whichever of `forms` it is.
    """

    forms: ClassVar[tuple[str, ...]]
    other_forms: ClassVar[tuple[str, ...]] = ()
    forms_optional: ClassVar[bool] = False
    _known_forms: ClassVar[frozenset[str]] = frozenset()

    @classmethod
    def __pydantic_init_subclass__(cls, **_: Any) -> None:
        cls._known_forms = frozenset(cls.forms)

    @model_validator(mode="wrap")
    @classmethod
    def _one_form(cls, value: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        """Say what is wrong with the forms beside what is wrong with the fields, not instead of it."""
        problems = cls._wrong_forms(value) if isinstance(value, dict) else []
        if not problems:
            return handler(value)
        errors: list[InitErrorDetails] = [{"type": problem, "loc": (), "input": value} for problem in problems]
        try:
            handler(value)
        except ValidationError as error:
            errors += _again(error)
        raise ValidationError.from_exception_data(cls.__name__, errors)

    @classmethod
    def __get_pydantic_json_schema__(cls, core: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """Add to the schema that exactly one form is given; at most one is left to our own check."""
        schema = handler(core)
        resolved = handler.resolve_ref_schema(schema)
        if not cls.forms_optional:
            resolved["oneOf"] = [{"required": [form]} for form in cls.forms]
        if cls.other_forms:
            resolved["allOf"] = [{"oneOf": [{"required": [form]} for form in cls.other_forms]}]
        return schema

    @classmethod
    def _wrong_forms(cls, value: dict[Any, object]) -> list[PydanticCustomError]:
        if not cls.other_forms and len(cls._known_forms.intersection(value)) == 1:
            return []
        wrong = [_wrong_choice(value, cls.forms, optional=cls.forms_optional)]
        if cls.other_forms:
            wrong.append(_wrong_choice(value, cls.other_forms))
        return [problem for problem in wrong if problem is not None]


def _wrong_choice(
    value: dict[Any, object], forms: tuple[str, ...], *, optional: bool = False
) -> PydanticCustomError | None:
    """Return what is wrong where not exactly one of `forms` is given."""
    given = [name for name in value if name in forms]
    if len(given) == 1 or (optional and not given):
        return None
    if given:
        return found_error("InvalidValue", "found {found}, expected only one of them", found=" and ".join(given))
    return found_error("Required", "expected one of {names}, found none", names=", ".join(forms))


def _again(error: ValidationError) -> list[InitErrorDetails]:
    """Return the parts of `error` in the form in which they can be raised once more beside others."""
    return [
        {
            "type": PydanticCustomError(part["type"], part["msg"], part.get("ctx")),
            "loc": part["loc"],
            "input": part["input"],
        }
        for part in error.errors(include_url=False)
    ]
