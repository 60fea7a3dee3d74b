"""One door to every detector: which runtime opens a file follows from what the file is."""

from __future__ import annotations

from pathlib import Path

from visionllm_interaction.models.detector import Detector


def load_detector(path: Path, *, device: str | None = None) -> Detector:
    """Load a checkpoint (``.pt``) on ``device`` or the best there is, or a YOLOX graph (``.onnx``) on the CPU.

    Raises:
        CheckpointError: if the file is missing, truncated, unsafe or not a detector.
        UsageError: if the runtime it needs is not installed.
    """
    if path.suffix.lower() == ".onnx":
        from visionllm_interaction.models.yolox import load_yolox

        return load_yolox(path)
    from visionllm_interaction.models.torch_runtime import load_torch_detector

    return load_torch_detector(path, device=device)
