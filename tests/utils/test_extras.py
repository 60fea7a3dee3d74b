"""A command whose extra is not installed says what to install, with exit code 2."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from visionllm_interaction.cli.output import run_app
from visionllm_interaction.detection.runtimes.factory import load_detector
from visionllm_interaction.errors import CheckpointError, UsageError
from visionllm_interaction.utils import extras
from visionllm_interaction.utils.extras import USES, explain_missing, missing_packages, packages_of


@pytest.fixture
def without(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Make one package look as if it were not installed."""
    is_installed = extras._is_installed

    def hide(package: str) -> None:
        monkeypatch.setattr(extras, "_is_installed", lambda name: name != package and is_installed(name))

    return hide


def failing_import(module: str) -> Callable[..., Any]:
    def app(**_: object) -> None:
        raise ModuleNotFoundError(f"No module named {module!r}", name=module)

    return app


@pytest.mark.parametrize(
    ("command", "module", "package", "extra"),
    [
        ("serve", "uvicorn", "uvicorn", "serve"),
        ("tune", "optuna.storages", "optuna", "train"),
        ("label", "sklearn.decomposition", "scikit-learn", "label"),
        ("blur", "av", "av", "video"),
        ("heads", "cv2", "opencv-python-headless", "video"),
        ("toyroom", "av", "av", "toyroom"),
        ("demo", "lightning", "lightning", "all"),
        ("export-model", "openvino", "openvino", "export"),
        ("measures", "statsmodels.api", "statsmodels", "validity"),
        ("agree", "scipy.stats", "scipy", "validity"),
        ("transform", "scipy.sparse", "scipy", "splits"),
        ("analyze", "torch", "torch", "models"),
    ],
)
def test_a_missing_package_names_the_extra_of_the_command(
    capsys: pytest.CaptureFixture[str],
    without: Callable[[str], None],
    command: str,
    module: str,
    package: str,
    extra: str,
) -> None:
    without(package)
    assert run_app(failing_import(module), ["--json", command]) == 2
    printed = capsys.readouterr()
    assert json.loads(printed.out)["error"]["fix"] == f"pip install 'visionllm-interaction[{extra}]'"
    assert "Traceback" not in printed.err and package in printed.err


@pytest.mark.parametrize("module", ["visionllm_interaction.no_such_module", "no_such_package"])
def test_a_module_that_no_extra_brings_is_a_fault_of_the_program(
    capsys: pytest.CaptureFixture[str], module: str
) -> None:
    assert run_app(failing_import(module), ["serve"]) == 1
    assert "Traceback" in capsys.readouterr().err


def test_a_package_that_is_there_is_not_called_missing() -> None:
    assert explain_missing("numpy", command="serve", extra="serve") is None
    assert explain_missing("uvicorn", command="serve", extra="serve") is None


def test_a_detector_whose_runtime_is_not_installed_names_the_extra(
    tmp_path: Path, without: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "weights.pt").write_bytes(b"\x80")
    without("torch")
    monkeypatch.setitem(sys.modules, "visionllm_interaction.detection.runtimes.torch_detector", None)
    monkeypatch.setattr(extras, "_DISTRIBUTIONS", {"visionllm-interaction": "torch"})
    with pytest.raises(UsageError, match="not installed") as refused:
        load_detector(tmp_path / "weights.pt")
    assert refused.value.fix == "pip install 'visionllm-interaction[models]'"


PICTURE, VIDEO = b"\x89PNG\r\n\x1a\n" + bytes(40), b"\0\0\0 ftypisom" + bytes(40)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.pt", b"", "an empty file"),
        ("a.pt", b"hello\n", "a text file"),
        ("a.pth", PICTURE, "a PNG image"),
        ("a.onnx", b"hello\n", "a text file"),
        ("a.onnx", b"PK\x03\x04" + bytes(40), "torch.save"),
        ("a.onnx", b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "Git LFS pointer"),
        ("a.safetensors", b"\x80\x02}q", "torch.save"),
        ("film.mp4", VIDEO, "an MP4 or MOV video"),
        ("notes.txt", "für später".encode(), "a text file"),
        ("folder/inner.txt", b"x", "a folder without one"),
    ],
)
def test_a_file_that_is_no_detector_is_called_what_it_is_before_anything_is_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, content: bytes, words: str
) -> None:
    for module in ("torch_detector", "torchvision_detector", "openvino_detector", "onnx_detector", "_openvino_import"):
        monkeypatch.setitem(sys.modules, f"visionllm_interaction.detection.runtimes.{module}", None)
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match="not a detector") as refused:
        load_detector(path.parent if path.parent != tmp_path else path)
    assert refused.value.found is not None and words in refused.value.found


@pytest.mark.parametrize("name", ["no.pt", "no.onnx", "no.safetensors", "folder/detector.json", "no"])
def test_a_detector_that_is_not_there_is_said_before_anything_is_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    for module in ("torch_detector", "openvino_detector", "onnx_detector"):
        monkeypatch.setitem(sys.modules, f"visionllm_interaction.detection.runtimes.{module}", None)
    with pytest.raises(CheckpointError, match="There is no detector at this path"):
        load_detector(tmp_path / name)


def test_extras_hold_those_within_them() -> None:
    assert packages_of("video") > packages_of("openvino") | packages_of("toyroom")
    assert {"fastapi", "openvino", "av", "openai"} <= packages_of("serve")
    assert "torch" in packages_of("train") and "torch" not in packages_of("serve")
    assert packages_of("nonsense") == frozenset()
    assert all(packages_of(extra) for extra in USES)


def test_what_an_extra_lacks_is_listed(without: Callable[[str], None]) -> None:
    assert missing_packages("validity") == ()
    without("statsmodels")
    assert missing_packages("validity") == ("statsmodels",)
