"""Distributions that are made up: a module, its metadata and one entry point."""

from __future__ import annotations

from pathlib import Path

from visionllm_interaction.utils.plugins import forget_entry_points


class Site:
    """A folder on ``sys.path`` into which a test puts distributions."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.modules: list[str] = []

    def add(
        self, distribution: str, *, group: str, name: str, source: str, offered: str = "PLUGIN", version: str = "1.0"
    ) -> None:
        """Write a distribution with one entry point, whose module has this ``source``."""
        module = f"module_of_{distribution.replace('-', '_')}"
        self.modules.append(module)
        (self.folder / f"{module}.py").write_text(source, encoding="utf-8")
        about = self.folder / f"{distribution.replace('-', '_')}-{version}.dist-info"
        about.mkdir()
        (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n")
        (about / "entry_points.txt").write_text(f"[{group}]\n{name} = {module}:{offered}\n")
        forget_entry_points()
