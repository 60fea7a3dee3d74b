from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from fastapi import FastAPI, Request
from PIL import Image
from starlette.testclient import TestClient

from visionllm_interaction.core.image_decoding import read_rgb
from visionllm_interaction.errors import ImageError, VideoError
from visionllm_interaction.server import problem_details as problems
from visionllm_interaction.server.intake.uploads import JobOptions, Uploads, make_video_id, safe_name
from visionllm_interaction.server.intake.video_probe import VideoMetadata, probe_video
from visionllm_interaction.server.multipart import receive_file
from visionllm_interaction.video.config import DecodeConfig


def encode(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def test_a_picture_is_turned_upright_and_made_rgb() -> None:
    picture = Image.fromarray(np.arange(12, dtype=np.uint8).reshape(3, 4) * 20)
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned: show it rotated by 90° clockwise
    decoded = read_rgb(io.BytesIO(encode(picture, "PNG", exif=exif)), max_megapixels=1)
    assert decoded.shape == (4, 3, 3)
    assert decoded[0, 2, 0] == 0  # the first pixel comes to the upper right
    assert decoded[0, 0, 0] == 160


def png_that_claims(width: int, height: int) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunk = struct.pack(">I", 13) + b"IHDR" + header + struct.pack(">I", zlib.crc32(b"IHDR" + header))
    return b"\x89PNG\r\n\x1a\n" + chunk + struct.pack(">I", 0) + b"IDAT" + struct.pack(">I", zlib.crc32(b"IDAT"))


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "an empty file"),
        (b"hello, I am a text", "18 bytes beginning with b'hello, I am '"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "beginning with b'%!PS"),  # Pillow would run Ghostscript
        (encode(Image.new("RGB", (40, 30)), "JPEG")[:200], "200 bytes"),  # cut off
        (png_that_claims(40_000, 40_000), "megapixels"),  # decompression bomb, refused from its header
        (png_that_claims(2000, 1001), "2.0 megapixels"),
    ],
)
def test_what_is_no_usable_picture_is_refused(data: bytes, says: str) -> None:
    with pytest.raises(ImageError) as caught:
        read_rgb(io.BytesIO(data), max_megapixels=2)
    assert says in str(caught.value)


def test_a_video_is_recognised(tiny_video: Path) -> None:
    facts = probe_video(tiny_video, decode=DecodeConfig())
    assert (facts.container, facts.width, facts.height) == ("mov", 160, 120)
    assert facts.duration_s == pytest.approx(2.0)
    assert facts.frames_per_s == pytest.approx(10.0)


@pytest.mark.parametrize(
    "content",
    [
        b"just a text\n",
        b"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfile:///etc/passwd\n",  # a playlist that names another file
        b"ffconcat version 1.0\nfile /etc/passwd\n",
        b"\x00\x00\x00\x18ftypmp42\x00\x00\x00\x00mp42isom" + bytes(500),  # begins like an MP4
        encode(Image.new("RGB", (40, 30)), "JPEG"),
    ],
)
def test_what_is_no_video_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "claims-to-be.mp4"
    path.write_bytes(content)
    with pytest.raises(VideoError) as caught:
        probe_video(path, decode=DecodeConfig())
    assert caught.value.found
    assert caught.value.fix


def test_a_video_over_the_limits_of_the_analysis_is_refused(tiny_video: Path) -> None:
    with pytest.raises(VideoError, match="over a limit"):
        probe_video(tiny_video, decode=DecodeConfig(max_megapixels=0.01))


@pytest.mark.parametrize(
    ("name", "safe", "video_id"),
    [
        ("play.mp4", "play.mp4", "play-abcdefabcdef"),
        ("../../etc/passwd", "passwd", "passwd-abcdefabcdef"),
        ("C:\\video\\Barn æøå 1.MOV", "Barn æøå 1.MOV", "Barn-1-abcdefabcdef"),
        ("\x00\n\x1b[31m", "[31m", "31m-abcdefabcdef"),
        ("", "video", "video-abcdefabcdef"),
        (".lock", ".lock", "lock-abcdefabcdef"),
    ],
)
def test_names_from_outside_become_safe(name: str, safe: str, video_id: str) -> None:
    assert safe_name(name) == safe
    assert make_video_id(name, "abcdef" * 11) == video_id


def test_an_upload_is_kept_found_and_erased(tmp_path: Path) -> None:
    uploads = Uploads(tmp_path / "uploads", tmp_path / "incoming")
    uploads.prepare()
    facts = VideoMetadata(container="mov", codec="h264", width=4, height=2, duration_s=1.0, frames_per_s=25.0)
    with uploads.receiving() as incoming:
        incoming.write(b"abc")
        incoming.write(b"def")
        incoming.close()
        upload = uploads.publish(incoming.received(), name="play.mov", facts=facts, options=JobOptions())
    assert upload.sha256 == "bef57ec7f53a6d40beb640a780a639c83bc29ac8a9816f1fc6c5c6dcd93c4721"
    assert uploads.path(upload).read_bytes() == b"abcdef"
    assert uploads.find(upload.sha256) == upload
    assert uploads.find("0" * 64) is None
    assert uploads.all() == [upload]
    assert uploads.erase(upload.video_id)
    assert not uploads.erase(upload.video_id)
    assert [p.name for p in tmp_path.rglob("*") if p.is_file()] == [".lock"]


def test_what_a_dead_process_left_is_cleared(tmp_path: Path) -> None:
    uploads = Uploads(tmp_path / "uploads", tmp_path / "incoming")
    uploads.prepare()
    (tmp_path / "incoming" / "half").write_bytes(b"x")
    (tmp_path / "uploads" / ".partial-play-1").mkdir()
    with pytest.raises(RuntimeError), uploads.receiving() as incoming:
        incoming.write(b"y")
        raise RuntimeError
    assert not incoming.path.exists()
    uploads.prepare()
    assert list((tmp_path / "incoming").iterdir()) == []
    assert [path.name for path in (tmp_path / "uploads").iterdir()] == [".lock"]


@pytest.mark.parametrize("video_id", ["..", "../up", "a/b", ".lock", "", "a" * 200])
def test_ids_that_are_paths_find_nothing(tmp_path: Path, video_id: str) -> None:
    uploads = Uploads(tmp_path / "uploads", tmp_path / "incoming")
    uploads.prepare()
    assert uploads.get(video_id) is None
    assert not uploads.erase(video_id)


@pytest.fixture
def receiver() -> TestClient:
    app = FastAPI()
    problems.install(app)

    @app.post("/")
    async def receive(request: Request) -> dict[str, object]:
        data = bytearray()
        received = await receive_file(request, data.extend, limit_bytes=100_000)
        return {"name": received.name, "fields": received.fields, "sum": sum(data), "bytes": len(data)}

    return TestClient(app)


def test_a_form_is_read(receiver: TestClient) -> None:
    content = bytes(range(256)) * 300 + b"\r\n--\r\n"
    answer = receiver.post("/", files={"file": ("ø.mp4", content)}, data={"view": "ego", "sample_fps": "5"})
    assert answer.json() == {
        "name": "ø.mp4",
        "fields": {"view": "ego", "sample_fps": "5"},
        "sum": sum(content),
        "bytes": len(content),
    }


def test_a_bare_body_is_read(receiver: TestClient) -> None:
    answer = receiver.post("/?name=a.mp4", content=b"abc", headers={"content-type": "video/mp4"})
    assert answer.json() == {"name": "a.mp4", "fields": {}, "sum": 294, "bytes": 3}


def test_bodies_over_the_limit_are_cut_off(receiver: TestClient) -> None:
    pieces = (bytes(10_000) for _ in range(50))  # sent in pieces: no declared length
    declared = receiver.post("/", files={"file": ("a", bytes(300_000))})
    chunked = receiver.post("/", content=pieces, headers={"content-type": "video/mp4"})
    for answer in (declared, chunked):
        assert answer.status_code == 413
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["expected"] == "at most 0.1 MB"


@pytest.mark.parametrize(
    ("body", "kind", "code"),
    [
        (b"", "video/mp4", "NO-FILE"),
        (b"--x\r\n\r\n", "multipart/form-data", "FORM"),  # no boundary
        (b"nonsense", "multipart/form-data; boundary=x", "FORM"),
        (
            b"--x\r\nContent-Disposition: form-data; name=a\r\n\r\n1\r\n--x--\r\n",
            "multipart/form-data; boundary=x",
            "NO-FILE",
        ),
        (
            b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n' + b"1" * 5000 + b"\r\n--x--\r\n",
            "multipart/form-data; boundary=x",
            "FORM",
        ),
    ],
)
def test_malformed_bodies_are_told_apart(receiver: TestClient, body: bytes, kind: str, code: str) -> None:
    answer = receiver.post("/", content=body, headers={"content-type": kind})
    assert (answer.status_code, answer.json()["code"]) == (400, code)
