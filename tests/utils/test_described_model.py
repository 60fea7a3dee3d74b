"""Descriptions of fields in JSON Schemas, taken from the docstrings below the fields."""

from __future__ import annotations

from pydantic import TypeAdapter

from visionllm_interaction.utils.schema_from_docstrings import DescribedModel


class Inner(DescribedModel):
    """What is inside."""

    size: int = 1
    """Its size
    in pixels."""


class Outer(Inner):
    """What is around it."""

    inner: Inner = Inner()
    """The inner one."""
    plain: str = ""


def test_a_schema_describes_fields_inherited_and_nested_ones_too() -> None:
    schema = TypeAdapter(list[Outer]).json_schema()
    outer, inner = schema["$defs"]["Outer"]["properties"], schema["$defs"]["Inner"]["properties"]
    assert outer["size"]["description"] == inner["size"]["description"] == "Its size\nin pixels."
    assert outer["inner"]["description"] == "The inner one."
    assert "description" not in outer["plain"]
    assert schema["$defs"]["Outer"]["description"] == "What is around it."


def test_importing_a_model_reads_no_source() -> None:
    assert all(field.description is None for field in Outer.model_fields.values())
