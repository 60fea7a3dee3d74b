"""Commands that read a store and end: what they import, and how their process is set up for that."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from scenes_builders import make_store

from visionllm_interaction.cli.command_table import COMMANDS

QUESTION = "How long was the child near the caregiver?"
RUN = """
import gc, json, os, sys
from visionllm_interaction.cli import main
try:
    main()
except SystemExit as ended:
    told = {"code": ended.code, "threshold": gc.get_threshold()[0], "modules": sorted(sys.modules)}
    told |= {name: os.environ.get(name) for name in ("OPENBLAS_NUM_THREADS", "PYDANTIC_DISABLE_PLUGINS")}
    print(json.dumps(told), file=sys.stderr)
"""


def run(*arguments: str, cwd: Path, **environment: str) -> tuple[str, dict[str, object]]:
    """What the command printed, and what its process told of itself."""
    given = {k: v for k, v in os.environ.items() if k not in ("OPENBLAS_NUM_THREADS", "PYDANTIC_DISABLE_PLUGINS")}
    command = [sys.executable, "-c", RUN, *arguments]
    done = subprocess.run(
        command, cwd=cwd, env=given | environment, capture_output=True, text=True, check=True, timeout=120
    )
    told: dict[str, object] = json.loads(done.stderr.splitlines()[-1])
    return done.stdout, told


def test_a_question_of_a_fixed_form_imports_only_what_answers_it(tmp_path: Path) -> None:
    make_store(tmp_path / "store")
    printed, told = run("ask", QUESTION, "--store", "store", "--json", cwd=tmp_path)
    assert told["code"] == 0 and json.loads(printed)["status"] == "answered"
    unneeded = {
        *("yaml", "lark", "duckdb", "pandas", "rich", "html.entities", "asyncio"),
        *("visionllm_interaction.core.bodies", "visionllm_interaction.measures.plugins"),
        *("visionllm_interaction.measures.language.parser", "visionllm_interaction.reasoning.grammar.planner"),
    }
    assert all(find_spec(name) for name in unneeded), "a module of this list was renamed"
    modules = told["modules"]
    assert isinstance(modules, list) and not unneeded & set(modules)


def test_its_process_is_set_up_to_end_soon(tmp_path: Path) -> None:
    """Garbage is collected rarely, numpy starts no threads, pydantic looks for no plug-ins of its own."""
    make_store(tmp_path / "store")
    _, told = run("ask", QUESTION, "--store", "store", cwd=tmp_path)
    assert told["threshold"] == 100_000
    assert (told["OPENBLAS_NUM_THREADS"], told["PYDANTIC_DISABLE_PLUGINS"]) == ("1", "__all__")


def test_what_the_environment_sets_is_kept(tmp_path: Path) -> None:
    make_store(tmp_path / "store")
    set_ = {"OPENBLAS_NUM_THREADS": "2", "PYDANTIC_DISABLE_PLUGINS": "logfire-plugin"}
    _, told = run("ask", QUESTION, "--store", "store", cwd=tmp_path, **set_)
    assert {name: told[name] for name in set_} == set_


def test_other_commands_keep_pythons_own_settings(tmp_path: Path) -> None:
    _, told = run("faults", "--json", cwd=tmp_path)
    assert (told["code"], told["threshold"], told["OPENBLAS_NUM_THREADS"]) == (0, 700, None)


@pytest.mark.parametrize("name", ["run", "train", "tune", "evaluate", "analyze", "serve", "chat", "look"])
def test_what_runs_for_long_or_runs_a_model_is_not_short(name: str) -> None:
    assert not COMMANDS[name].short
