"""Load any detector: which runtime opens a file follows from what the file is."""

from __future__ import annotations

from pathlib import Path

from visionllm_interaction.detection.registry.defaults import named_or_path
from visionllm_interaction.detection.runtimes.detector_interface import Detector
from visionllm_interaction.detection.runtimes.file_recognition import check_detector_file
from visionllm_interaction.detection.runtimes.plugins import BUILT_IN_ENDINGS, load_plugin_detector
from visionllm_interaction.errors import CheckpointError, VisionLLMError
from visionllm_interaction.utils.extras import explain_missing
from visionllm_interaction.utils.path_type import StrPath


def load_detector(path: StrPath, *, device: str | None = None, compiled: bool = False) -> Detector:
    """Load a detector; which runtime opens a file follows from what the file is.

    * ``.pt``, ``.safetensors``: a checkpoint, with torch on ``device`` or the best there is, ``compiled`` or not;
    * a folder (or its ``detector.json``): an OpenVINO export, float32 or int8, on the CPU;
    * ``.onnx``: an export of this program, else a graph of the YOLOX family, FastestDet or CenterFace, on the CPU;
    * ``.pth``: torchvision's own weights of a Faster R-CNN for COCO;
    * a name of ``visionllm models list``: that model, if it is on this machine;
    * anything else: what an installed plug-in opens (docs/extending.md), else a checkpoint.

    Args:
        path: of the file or folder, or the name of a ready-made model.
        device: for checkpoints, such as ``cpu`` or ``cuda:1``; by default CUDA where there is one.
        compiled: for checkpoints, whether ``torch.compile`` is used.

    Returns:
        The detector.

    Raises:
        CheckpointError: if the file is missing, truncated, unsafe or not a detector.
        ModelMissing: if it is the name of a model that is not on this machine.
        UsageError: if the runtime it needs is not installed, or it cannot be compiled.
        PluginError: if a plug-in opens the file and gives no detector.
    """
    path = named_or_path(path)
    try:
        return _load(path, device=device, compiled=compiled)
    except (VisionLLMError, MemoryError):
        raise
    except Exception as error:
        missing = isinstance(error, ModuleNotFoundError) and explain_missing(error.name or "", extra="video")
        if missing:
            raise missing from error
        raise CheckpointError(
            "A detector cannot be loaded.",
            expected="a whole checkpoint or export, and room for it on the device",
            found=f"{type(error).__name__}: {' '.join(str(error).split())[:500]}",
            where=str(path),
            fix="train, export or download it again; see whether another program fills the device's memory",
        ) from error


def _load(path: Path, *, device: str | None, compiled: bool) -> Detector:
    if not _is_built_in(path) and (detector := load_plugin_detector(path, device=device)):
        return detector
    if not path.exists():
        raise CheckpointError(
            "There is no detector at this path.",
            expected="a checkpoint (.pt, .safetensors), a graph (.onnx), or the folder of an OpenVINO export",
            found="no such file or folder",
            where=str(path),
            fix="correct the path, or name one of `visionllm models list`; `visionllm run` trains a detector",
        )
    check_detector_file(path)
    if path.suffix.lower() == ".onnx":
        return _load_onnx(path)
    if path.is_dir() or path.name == "detector.json":
        from visionllm_interaction.detection.runtimes.openvino_detector import load_openvino

        return load_openvino(path if path.is_dir() else path.parent)
    if path.suffix.lower() == ".pth":
        from visionllm_interaction.detection.runtimes.torchvision_detector import load_torchvision

        return load_torchvision(path, device=device)
    from visionllm_interaction.detection.runtimes.torch_detector import load_torch_detector

    return load_torch_detector(path, device=device, compiled=compiled)


def _is_built_in(path: Path) -> bool:
    if path.is_dir():
        return (path / "detector.json").is_file()
    return path.name == "detector.json" or path.suffix.lower() in BUILT_IN_ENDINGS


def _load_onnx(path: Path) -> Detector:
    from visionllm_interaction.detection.runtimes.onnx_detector import is_own_export, load_onnx

    if is_own_export(path):
        return load_onnx(path)
    from visionllm_interaction.detection.runtimes._openvino_import import read_graph
    from visionllm_interaction.detection.runtimes.centerface import OUTPUTS, load_centerface
    from visionllm_interaction.detection.runtimes.fastestdet import is_fastestdet, load_fastestdet
    from visionllm_interaction.detection.runtimes.yolox import load_yolox

    graph = read_graph(path)
    if len(graph.outputs) == OUTPUTS:
        return load_centerface(path)
    return load_fastestdet(path) if is_fastestdet(graph) else load_yolox(path)
