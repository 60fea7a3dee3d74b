"""Descriptions of fields in JSON Schemas, taken from the docstrings below the fields."""

from __future__ import annotations

import inspect
import time
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
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


def test_only_one_thread_parses_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    models = [type(f"Model{n}", (DescribedModel,), {}) for n in range(6)]
    begun = Barrier(len(models))
    inside = [0]
    most = [0]

    def getsource(model: type) -> str:
        inside[0] += 1
        most[0] = max(most[0], inside[0])
        time.sleep(0.01)
        inside[0] -= 1
        return f"class {model.__name__}:\n    pass\n"

    def schema(model: type[DescribedModel]) -> object:
        begun.wait()
        return model.model_json_schema()["title"]

    monkeypatch.setattr(inspect, "getsource", getsource)
    with ThreadPoolExecutor(len(models)) as threads:
        assert list(threads.map(schema, models)) == [model.__name__ for model in models]
    assert most == [1]
