"""Annotation formats of other distributions: entry points of the group ``visionllm.annotation_formats``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from visionllm_interaction.datasets.ingestion.formats.common import ConvertedDataset, DetectedDataset, broken
from visionllm_interaction.datasets.ingestion.formats.format_detection import READERS
from visionllm_interaction.errors import VisionLLMError
from visionllm_interaction.utils.logs import log
from visionllm_interaction.utils.plugins import Plugin, PluginGroup, failed_plugin


class AnnotationFormatPlugin(Protocol):
    """Recognizes and reads data sets of one annotation format."""

    @property
    def name(self) -> str:
        """The format, as the entry point is called; it is noted in the manifest of stage 1."""
        ...

    def detect(self, path: Path) -> Sequence[Path]:
        """The annotation files of the data set that starts at ``path``, a folder or a single file.

        Empty where ``path`` is not of this format. Plug-ins are asked only where no built-in format is found, first
        about the given folder, then about the folders up to two levels below it.
        """
        ...

    def read(self, source: DetectedDataset) -> ConvertedDataset:
        """Read the whole data set.

        Args:
            source: the folder, and the files that :meth:`detect` named. Images are looked for below the folder.

        Returns:
            Images with their objects, boxes as COCO's ``x, y, width, height`` in pixels; and what COCO cannot hold.
        """
        ...


ANNOTATION_FORMATS: PluginGroup[AnnotationFormatPlugin] = PluginGroup(
    "visionllm.annotation_formats", AnnotationFormatPlugin, reserved=frozenset({"coco", *READERS})
)


def detect_by_plugin(path: Path) -> DetectedDataset | None:
    """Ask the plug-ins about a place.

    Args:
        path: a folder or a file.

    Returns:
        The data set that starts there; None where no plug-in recognizes one.

    Raises:
        PluginError: if several plug-ins do, or one names a file that is not there.
    """
    matches = ANNOTATION_FORMATS.matching(lambda plugin: tuple(plugin.detect(path)))
    match = matches.only(where=str(path))
    if match is None:
        return None
    plugin, named = match
    files = tuple(Path(file) for file in named)
    if absent := [file for file in files if not file.is_file()]:
        raise failed_plugin(plugin.entry, f"detect named {absent[0]}, which is no file", where=str(path))
    return DetectedDataset(plugin.entry.name, path if path.is_dir() else path.parent, files)


def plugin_of(format_: str) -> Plugin[AnnotationFormatPlugin] | None:
    """The plug-in that reads ``format_``; None for what is built in."""
    return None if format_ in ANNOTATION_FORMATS.reserved else ANNOTATION_FORMATS.get(format_)


def read_by_plugin(plugin: Plugin[AnnotationFormatPlugin], source: DetectedDataset) -> ConvertedDataset:
    """Read a data set.

    Args:
        plugin: the format.
        source: its folder and files.

    Returns:
        The images with their objects, and what was left out.

    Raises:
        AnnotationError: if the plug-in cannot read it.
        PluginError: if it returns something else than a data set.
    """
    log.info("read by a plug-in", plugin=str(plugin.entry))
    try:
        converted = plugin.offered.read(source)
    except (VisionLLMError, MemoryError):
        raise
    except Exception as error:
        raise broken(source.files[0], error, expected=f"what {plugin.entry} reads") from error
    if not isinstance(converted, ConvertedDataset):
        raise failed_plugin(plugin.entry, f"read gave a {type(converted).__name__}", where=str(source.root))
    return converted
