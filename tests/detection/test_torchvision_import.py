"""torchvision is imported without torch's compiler, works, and the compiler works afterwards."""

from __future__ import annotations

import subprocess
import sys

SCRIPT = """
import sys
import visionllm_interaction.detection
assert "torch" not in sys.modules, "the room starts without torch"
import torch
from torchvision.ops import roi_align
assert "torch._dynamo" not in sys.modules, "the compiler is imported"
features, boxes = torch.arange(64.0).reshape(1, 1, 8, 8), torch.tensor([[0, 0.0, 0.0, 4.0, 4.0]])
pooled = roi_align(features, boxes, (2, 2))
assert "torch._dynamo" not in sys.modules, "the compiler is imported by an operator with a kernel"
from visionllm_interaction.detection.torchvision_import import is_compile_supported
import torch._dynamo.utils
assert torch._dynamo.utils.__file__ and is_compile_supported("cpu") == torch._dynamo.utils.is_compile_supported("cpu")
assert torch.compile(lambda x: x + 1, backend="eager")(torch.ones(1)).item() == 2
print(pooled.flatten().tolist())
"""


def run(script: str) -> str:
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=240)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_operators_work_without_the_compiler_and_the_compiler_works_after_them() -> None:
    plain = SCRIPT.split("import torch\n", 1)[1].split("assert", 1)[0]
    plain = "import torch\n" + plain + "features, boxes = torch.arange(64.0).reshape(1, 1, 8, 8), "
    plain += "torch.tensor([[0, 0.0, 0.0, 4.0, 4.0]])\nprint(roi_align(features, boxes, (2, 2)).flatten().tolist())"
    assert run(SCRIPT) == run(plain)


def test_a_torchvision_that_needs_more_of_the_compiler_gets_all_of_it() -> None:
    script = """
import sys
from visionllm_interaction.detection import torchvision_import
torchvision_import.is_compile_supported.__name__
original = torchvision_import.ModuleType
class Bare(original):
    def __setattr__(self, name, value):
        if name != "is_compile_supported":
            super().__setattr__(name, value)
torchvision_import.ModuleType = Bare
import torchvision.ops
assert "torch._dynamo" in sys.modules and sys.modules["torch._dynamo.utils"].__file__
"""
    run(script)
