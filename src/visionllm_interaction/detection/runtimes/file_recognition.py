"""What a file that is given as a detector really is, from its first bytes, before any runtime is loaded."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from visionllm_interaction.errors import CheckpointError

_HEAD_BYTES = 512
_ZIP, _PICKLE = b"PK\x03\x04", b"\x80"
_OTHER_FILES: Mapping[bytes, str] = {
    b"\x89PNG": "a PNG image",
    b"\xff\xd8\xff": "a JPEG image",
    b"GIF8": "a GIF image",
    b"RIFF": "an AVI video, a WebP image or a sound",
    b"\x1a\x45\xdf\xa3": "a Matroska or WebM video",
    b"\x1f\x8b": "a gzip archive",
    b"%PDF": "a PDF document",
    b"PAR1": "a Parquet table",
    b"version https://git-lfs": "a Git LFS pointer; the file itself was not fetched (git lfs pull)",
}
_EXPECTED: Mapping[str, str] = {
    ".onnx": "an ONNX graph",
    ".safetensors": "weights in the safetensors format",
}
_CHECKPOINT = "a checkpoint, as torch.save writes it"


def check_detector_file(path: Path) -> None:
    """Refuse a file that cannot be a detector of the kind its name says.

    Args:
        path: a file that exists, or a folder.

    Raises:
        CheckpointError: if a folder holds no export, or a file is empty, unreadable or evidently something else.
    """
    if path.is_dir():
        if not (path / "detector.json").is_file():
            raise _refused(path, "the folder of an OpenVINO export, with detector.json", "a folder without one")
        return
    if path.name == "detector.json":
        return
    try:
        with path.open("rb") as stream:
            head = stream.read(_HEAD_BYTES)
    except OSError as error:
        raise _refused(path, "a file that can be read", error.strerror or str(error)) from error
    ending = path.suffix.lower()
    found = _other_than(ending, head)
    if found is not None:
        raise _refused(path, _EXPECTED.get(ending, _CHECKPOINT), found)


def _other_than(ending: str, head: bytes) -> str | None:
    """What the bytes show instead of what the ending says; None if they may be what it says."""
    if not head:
        return "an empty file"
    for magic, name in _OTHER_FILES.items():
        if head.startswith(magic):
            return name
    if head[4:8] == b"ftyp":
        return "an MP4 or MOV video"
    if ending == ".safetensors":
        return None if head[8:9] == b"{" else _described(head)
    if ending == ".onnx":
        return _described(head) if _is_text(head) or head.startswith((_ZIP, _PICKLE)) else None
    return None if head.startswith((_ZIP, _PICKLE)) or b"ustar" in head else _described(head)


def _described(head: bytes) -> str:
    if head.startswith((_ZIP, _PICKLE)):
        return "a file that torch.save, zip or pickle wrote"
    return "a text file" if _is_text(head) else f"a file that begins with {head[:16]!r}"


def _is_text(head: bytes) -> bool:
    try:
        text = head.decode("utf-8", errors="strict")
    except UnicodeDecodeError as error:
        if error.start < len(head) - 4:  # else a character is cut off at the end
            return False
        text = head[: error.start].decode()
    return all(character.isprintable() or character.isspace() for character in text)


def _refused(path: Path, expected: str, found: str) -> CheckpointError:
    return CheckpointError(
        "This is not a detector.",
        expected=expected,
        found=found,
        where=str(path),
        fix="name a checkpoint (.pt, .safetensors), a graph (.onnx), the folder of an OpenVINO export, or a model of "
        "`visionllm models list`",
    )
