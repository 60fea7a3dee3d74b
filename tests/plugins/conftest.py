"""The example package, built and installed into a folder of its own; and distributions that are made up."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from plugin_site import Site
from plugin_store import make_store

from visionllm_interaction.utils.plugins import forget_entry_points

EXAMPLE = Path(__file__).parents[1] / "example_plugin"


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))
    forget_entry_points()
    made = Site(folder)
    yield made
    for module in made.modules:
        sys.modules.pop(module, None)
    monkeypatch.undo()
    forget_entry_points()


@pytest.fixture(scope="session")
def example_site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that the example package is installed into, from its source, without a network."""
    source = tmp_path_factory.mktemp("source") / "example"
    shutil.copytree(EXAMPLE, source)
    target = tmp_path_factory.mktemp("installed")
    uv = Path(sys.executable).with_name("uv")
    how = [str(uv), "pip", "install", "--offline", "--python", sys.executable]
    if not uv.is_file():
        how = [sys.executable, "-m", "pip", "install", "--no-index", "--disable-pip-version-check"]
    command = [*how, "-q", "--no-deps", "--no-build-isolation", "--target", str(target), str(source)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return target


@pytest.fixture
def example(example_site: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The example package, importable in this process."""
    monkeypatch.syspath_prepend(str(example_site))
    forget_entry_points()
    yield example_site
    for module in [name for name in sys.modules if name.partition(".")[0] == "visionllm_example"]:
        del sys.modules[module]
    monkeypatch.undo()
    forget_entry_points()


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return make_store(tmp_path / "store")
