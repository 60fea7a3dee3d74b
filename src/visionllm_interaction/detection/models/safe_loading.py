"""Reading ``.pt`` files without running code that may be hidden in them."""

from __future__ import annotations

import pickle
import warnings
import zipfile
from pathlib import Path
from typing import Any

import torch

from visionllm_interaction.errors import CheckpointError


def load_tensors(path: Path) -> dict[str, Any]:
    """Read the dictionary in a ``.pt`` file: tensors and plain values only, on the CPU.

    Args:
        path: of the file.

    Returns:
        The dictionary.

    Raises:
        CheckpointError: if the file is missing, truncated, not a dictionary, or a pickle with code.
    """
    try:
        with warnings.catch_warnings():
            # a foreign pickle is refused below; torch's advice to report it upstream would only confuse
            warnings.filterwarnings("ignore", message="Detected pickle protocol")
            content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise _refused(path, "a pickle that would run code, or not a checkpoint at all", error) from error
    except (OSError, EOFError, RuntimeError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise _refused(path, _first_line(error), error) from error
    if not isinstance(content, dict):
        raise _refused(path, f"a {type(content).__name__}", None)
    return content


def _refused(path: Path, found: str, error: Exception | None) -> CheckpointError:
    return CheckpointError(
        "A checkpoint cannot be loaded.",
        expected="a .pt file of tensors and plain values (torch.load with weights_only=True)",
        found=found,
        where=str(path),
        fix="use a checkpoint written by this program, or a state dict saved by torch.save"
        if error
        else "save the model's state_dict()",
    )


def _first_line(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error).split("\n", maxsplit=1)[0] or type(error).__name__
