"""Models whose JSON Schema says what stands below each field, read from the source only when a schema is made."""

from __future__ import annotations

import ast
import inspect
import textwrap
from functools import cache
from itertools import pairwise
from threading import Lock
from typing import Any

from pydantic import BaseModel, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue

_PARSING = Lock()
"""One thread parses at a time: in Python 3.11 two at once can end in a ``SystemError`` (seen in 3.11.7)."""


class DescribedModel(BaseModel):
    """A model with a docstring below each field, which becomes the field's description in the JSON Schema.

    pydantic's own ``use_attribute_docstrings`` parses the source of every model while it is imported. That takes a
    tenth of the time of a short command, and only a schema needs it.
    """

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: Any, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """The model's schema with the descriptions of its fields; called by pydantic (its guide to JSON Schema)."""
        schema = handler(core_schema)
        properties = handler.resolve_ref_schema(schema).get("properties", {})
        for base in cls.__mro__:
            if base is not DescribedModel and issubclass(base, DescribedModel):
                for name, text in _attribute_docstrings(base).items():
                    if name in properties:
                        properties[name].setdefault("description", text)
        return schema


@cache
def _attribute_docstrings(model: type) -> dict[str, str]:
    """Field → the docstring below it, for the fields of ``model`` itself; nothing where the source is not at hand."""
    try:
        with _PARSING:
            body = ast.parse(textwrap.dedent(inspect.getsource(model))).body[0]
    except (OSError, TypeError):  # made in an interactive session
        return {}
    found: dict[str, str] = {}
    statements = body.body if isinstance(body, ast.ClassDef) else []
    for field, text in pairwise(statements):
        if (
            isinstance(field, ast.AnnAssign)
            and isinstance(field.target, ast.Name)
            and isinstance(text, ast.Expr)
            and isinstance(text.value, ast.Constant)
            and isinstance(text.value.value, str)
        ):
            found[field.target.id] = inspect.cleandoc(text.value.value)
    return found
