"""Detectors of other distributions: entry points of the group ``visionllm.detectors``."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from visionllm_interaction.detection.runtimes.detector_interface import Detector
from visionllm_interaction.utils.plugins import Plugin, PluginGroup, failed_plugin
from visionllm_interaction.utils.protocol_check import protocol_problems

BUILT_IN_ENDINGS = frozenset({".pt", ".safetensors", ".onnx"})
"""Files that no plug-in is asked about."""


class DetectorPlugin(Protocol):
    """Opens files of one kind as a :class:`~visionllm_interaction.detection.runtimes.detector_interface.Detector`."""

    @property
    def name(self) -> str:
        """What runs the files, as the entry point is called: ``"detr"``."""
        ...

    def opens(self, path: Path) -> bool:
        """Whether this plug-in opens ``path``, a file or a folder.

        It is asked about whatever is not built in: not about ``.pt``, ``.safetensors`` and ``.onnx``, nor about a
        folder that holds a ``detector.json``. Look at the name and the first bytes only.
        """
        ...

    def load(self, path: Path, *, device: str | None) -> Detector:
        """The detector in ``path``.

        Its ``digest`` is the sha256 of the file, and its ``runtime`` names the libraries whose versions decide what is
        found: videos are analysed again when one of these changes.

        Args:
            path: what :meth:`opens` accepted.
            device: ``"cpu"``, ``"cuda"``, ``"cuda:1"`` …; None for the best there is.

        Returns:
            What finds objects in images.
        """
        ...


DETECTORS: PluginGroup[DetectorPlugin] = PluginGroup(
    "visionllm.detectors", DetectorPlugin, reserved=frozenset({"torch", "openvino", "onnx", "yolox", "centerface"})
)


def load_plugin_detector(path: Path, *, device: str | None) -> Detector | None:
    """Load a detector with the plug-in that opens it.

    Args:
        path: a file or a folder.
        device: where it runs; None for the best there is.

    Returns:
        The detector; None where no plug-in opens ``path``.

    Raises:
        PluginError: if several plug-ins open it, or what the plug-in gives is no detector.
    """
    match = DETECTORS.matching(lambda plugin: plugin.opens(path)).only(where=str(path))
    if match is None:
        return None
    plugin, _ = match
    return _checked(plugin, plugin.offered.load(path, device=device), path)


def _checked(plugin: Plugin[DetectorPlugin], detector: Detector, path: Path) -> Detector:
    problems = protocol_problems(detector, Detector)
    if problems:
        raise failed_plugin(plugin.entry, f"load gave no detector: {'; '.join(problems)}", where=str(path))
    return detector
