"""Numbers as the schema of the inputs calls them: `integer` is a CEL int, `number` a double, as in Kubernetes.

In: inputs and their schema. Out: a copy in which int and float follow the schema; elsewhere the JSON text decides.
Never here: what is stored or handed to tasks, which stays as it was written.
"""

from collections.abc import Iterable, Mapping, Sequence

from reactor_operator.api.subschemas import Schema, schemas_of_item, schemas_of_member, schemas_of_root

EXACT = 2**53


def typed(value: object, schema: Schema, keys: Iterable[str | int] = ()) -> object:
    """Return `value`, to which `keys` lead in the inputs, with its numbers typed by `schema`.

    An int that no double holds exactly stays an int.
    """
    schemas = schemas_of_root(schema)
    for key in keys:
        of_key = (
            schemas_of_item(schemas, key, schema) if isinstance(key, int) else schemas_of_member(schemas, key, schema)
        )
        schemas = of_key
    return _typed(value, schemas, schema)


def _typed(value: object, schemas: Sequence[Schema], root: Schema) -> object:
    if not schemas:
        return value
    match value:
        case bool():
            return value
        case int():
            return float(value) if _is(schemas, "number") and abs(value) <= EXACT else value
        case float():
            return int(value) if _is(schemas, "integer") and value.is_integer() else value
        case dict():
            return {key: _typed(one, schemas_of_member(schemas, key, root), root) for key, one in value.items()}
        case list():
            return [_typed(one, schemas_of_item(schemas, index, root), root) for index, one in enumerate(value)]
        case _:
            return value


def _is(schemas: Sequence[Mapping[str, object]], kind: str) -> bool:
    """Return whether a schema says `kind`, alone or as the only kind of number in a list."""
    other = {"integer": "number", "number": "integer"}[kind]
    for schema in schemas:
        said = schema.get("type")
        if said == kind or (isinstance(said, list) and kind in said and other not in said):
            return True
    return False
