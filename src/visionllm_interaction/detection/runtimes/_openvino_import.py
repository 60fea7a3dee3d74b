"""OpenVINO, imported on first use and with its usage reports switched off."""

from __future__ import annotations

import os
import sys
from functools import cache
from pathlib import Path
from typing import Any, Literal

from visionllm_interaction.errors import CheckpointError, UsageError


@cache
def openvino() -> Any:
    """Import OpenVINO.

    Returns:
        The module ``openvino``.

    Raises:
        UsageError: if it is not installed.
    """
    # both OpenVINO's converter and NNCF report usage to Intel if they find this package; they do without if not
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    try:
        import openvino
    except ImportError as error:
        raise UsageError(
            "This detector needs OpenVINO.",
            expected="the package openvino",
            found=str(error),
            fix="pip install 'visionllm-interaction[openvino]'",
        ) from error
    return openvino


@cache
def _core() -> Any:
    """The one ``Core`` of this process, kept until it ends.

    OpenVINO's CPU plugin gives the thread that loads it a stack for signal handlers, and frees that stack with the
    last Core that uses it. Of several Cores that end in another order or on another thread than they began, one leaves
    its thread with a stack that is gone, and the next signal (a child that ends is enough) kills the process.
    """
    return openvino().Core()


def read_graph(path: Path) -> Any:
    """Read a graph.

    Args:
        path: ``.onnx`` or ``.xml``.

    Returns:
        OpenVINO's ``Model``.

    Raises:
        CheckpointError: if the file is missing or holds no readable graph.
    """
    try:
        return _core().read_model(path)
    except RuntimeError as error:
        raise CheckpointError(
            "A detector's graph cannot be read.",
            expected="a complete ONNX or OpenVINO file",
            found=" ".join(str(error).split())[-200:],
            where=str(path),
            fix="export or download it again",
        ) from error


def compile_graph(graph: Any, *, hint: Literal["LATENCY", "THROUGHPUT"] = "LATENCY") -> Any:
    """Compile a graph for this CPU, on as many threads as torch uses where it is loaded.

    Layers that are not quantised compute in float32: left to itself OpenVINO takes bfloat16 on processors that have
    it, and the same file would detect differently from machine to machine. Its threads are not bound to cores: each
    process would bind its own to the first ones, and several on one machine would share these and leave the rest idle.

    Args:
        graph: OpenVINO's ``Model``.
        hint: whether one image is to be done soon, or many in little time.

    Returns:
        OpenVINO's ``CompiledModel``.
    """
    hints = {
        "PERFORMANCE_HINT": hint,
        "INFERENCE_PRECISION_HINT": "f32",
        "INFERENCE_NUM_THREADS": str(_threads()),
        "ENABLE_CPU_PINNING": "NO",
    }
    return _core().compile_model(graph, "CPU", hints)


def _threads() -> int:
    """As many as torch computes with, if it is loaded; else ``OMP_NUM_THREADS``, as for torch; else one per core."""
    torch = sys.modules.get("torch")
    if torch is not None:
        return int(torch.get_num_threads())
    wanted = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0]
    return int(wanted) if wanted.isdigit() and int(wanted) > 0 else max(1, len(os.sched_getaffinity(0)))
