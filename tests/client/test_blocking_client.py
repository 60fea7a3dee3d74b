"""The client that blocks is what the one for event loops makes of it."""

from __future__ import annotations

import inspect

from blocking_client import MADE, blocking_client

from visionllm_interaction.client import AsyncClient, Client


def test_it_is_as_made_now() -> None:
    assert MADE.read_text(encoding="utf-8") == blocking_client(), "run `make client`"


def test_both_have_the_same_methods_and_arguments() -> None:
    def arguments(kind: type) -> dict[str, list[str]]:
        methods = inspect.getmembers(kind, inspect.isfunction)
        return {name: list(inspect.signature(method).parameters) for name, method in methods if name[0] != "_"}

    assert arguments(Client) == arguments(AsyncClient)
    assert not any(inspect.iscoroutinefunction(method) for _, method in inspect.getmembers(Client))
