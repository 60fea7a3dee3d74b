"""The interface with everything real behind it: detector, job engine, worker process, store."""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from running_service import finished_job
from starlette.testclient import TestClient

from visionllm_interaction.analysis import AnalysisConfig, analyze
from visionllm_interaction.errors import LLMUnreachable
from visionllm_interaction.reasoning import ask
from visionllm_interaction.reasoning.config import ReasonConfig
from visionllm_interaction.server.app import create_app
from visionllm_interaction.server.auth.api_keys import create_key
from visionllm_interaction.server.config import ServeConfig, ServeLimits

pytestmark = pytest.mark.timeout(600)  # seconds on a free machine, minutes on a crowded one


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory, tiny_checkpoint: Path) -> ServeConfig:
    limits = ServeLimits(max_image_mb=0.2, max_image_megapixels=0.1, max_video_mb=1.0, max_question_chars=60)
    folder = tmp_path_factory.mktemp("service")
    return ServeConfig(data_dir=folder, detector=tiny_checkpoint, device="cpu", page=False, limits=limits)


@pytest.fixture(scope="module")
def client(config: ServeConfig) -> Iterator[TestClient]:
    key = create_key(config.keys_path, name="test", role="admin")
    endpoint = {
        "base_url": "http://127.0.0.1:9/v1",
        "model": "none",
        "retries": 0,
        "timeout_s": 10,
    }  # nobody listens on the discard port
    reason = ReasonConfig.model_validate({"planner": "rules", "endpoint": endpoint})
    app = create_app(config, analysis=AnalysisConfig(), reason=reason)
    with TestClient(app, headers={"X-API-Key": key}) as running:
        yield running


@pytest.fixture(scope="module")
def job(client: TestClient, tiny_video: Path) -> dict[str, Any]:
    """The tiny video, uploaded and analysed."""
    answer = client.post(
        "/v1/videos", files={"file": ("play room.mp4", tiny_video.read_bytes())}, data={"sample_fps": "5"}
    )
    assert answer.status_code == 202, answer.text
    assert answer.headers["location"] == f"/v1/jobs/{answer.json()['job_id']}"
    return finished_job(client, answer.json()["job_id"])


@pytest.fixture(scope="module")
def described(
    config: ServeConfig, job: dict[str, Any], tiny_video: Path, tmp_path_factory: pytest.TempPathFactory
) -> str:
    """The video's analysis replaced by one that knows what is in it, as `visionllm analyze` may do beside a service."""
    child = [{"track_id": 1, "category": "child", "box_xyxy": [4 * n, 40, 4 * n + 40, 80]} for n in range(20)]
    ball = {"track_id": 2, "category": "ball", "box_xyxy": [100, 70, 110, 80]}
    frames = [
        {"index": n, "timestamp_s": n / 10, "objects": [{**thing, "visible": 1.0} for thing in (child[n], ball)]}
        for n in range(20)
    ]
    folder = tmp_path_factory.mktemp("described")
    (folder / "truth.json").write_text(json.dumps({"fps": 10, "frames": frames, "relations": [], "events": []}))
    copy = Path(shutil.copy(tiny_video, folder / "video.mp4"))
    made = analyze([copy], config.store_dir, detections="truth", video_ids=[job["video_id"]]).to_dict()
    assert made["videos"][0]["tracks"] == 2, made
    return str(job["video_id"])


def picture(width: int, height: int) -> bytes:
    buffer = io.BytesIO()
    Image.effect_noise((width, height), 90).save(buffer, "JPEG")
    return buffer.getvalue()


def test_a_video_becomes_a_timeline(client: TestClient, job: dict[str, Any]) -> None:
    assert job["status"] == "done", job
    assert (job["result"]["frames"], job["result"]["processed"]) == (20, 10)  # 2 s, looked at 5 times a second
    assert "path" not in job["result"]
    video = client.get(f"/v1/videos/{job['video_id']}").json()
    assert video["name"] == "play room.mp4"
    assert (video["width"], video["height"], video["duration_s"]) == (160, 120, 2.0)
    assert video["analysed"]
    assert video["playable"]
    assert [v["video_id"] for v in client.get("/v1/videos").json()["videos"]] == [job["video_id"]]
    timeline = client.get(f"/v1/videos/{job['video_id']}/timeline").json()
    assert timeline["duration_s"] == pytest.approx(2.0)
    assert timeline["frames"] == {"first": 0, "last": 19, "count": 20, "processed": 10}
    assert timeline["detector"]["categories"] == ["child", "ball"]


def test_detections_come_by_time(client: TestClient, described: str) -> None:
    found = client.get(f"/v1/videos/{described}/detections?begin_s=0.5&end_s=0.7").json()
    rows = sorted(zip(found["frame_index"], found["category"], found["x1"], found["y2"], strict=True))
    assert rows == [(5, "ball", 100, 80), (5, "child", 20, 80), (6, "ball", 100, 80), (6, "child", 24, 80)]
    assert found["processed_s"] == pytest.approx([0.5, 0.6])
    assert found["interpolated"] == [False] * 4


def test_a_timeline_tells_who_was_seen_when(client: TestClient, described: str) -> None:
    timeline = client.get(f"/v1/videos/{described}/timeline").json()
    seen = {track["category"]: track["visible"] for track in timeline["tracks"]}
    assert seen == {"child": [pytest.approx([0.0, 2.0])], "ball": [pytest.approx([0.0, 2.0])]}
    near = [bout for bout in timeline["relations"] if bout["predicate"] == "near"]
    assert len(near) == 1  # the child walks up to the ball: near once the gap is under a quarter of its height (40 px)
    assert near[0]["begin_s"] == pytest.approx(1.3, abs=0.3)


def test_the_same_bytes_are_the_same_job(client: TestClient, job: dict[str, Any], tiny_video: Path) -> None:
    again = client.post(
        "/v1/videos", files={"file": ("renamed.mp4", tiny_video.read_bytes())}, data={"sample_fps": "5"}
    )
    assert again.status_code == 202
    assert again.json()["job_id"] == job["job_id"]
    other = client.post("/v1/videos", files={"file": ("play.mp4", tiny_video.read_bytes())}, data={"view": "ego"})
    assert (other.status_code, other.json()["code"]) == (409, "OTHER-OPTIONS")
    assert len(client.get("/v1/videos").json()["videos"]) == 1


@pytest.mark.parametrize(
    ("content", "options", "status", "code"),
    [
        (b"Dear diary,\n", {}, 422, "VIDEO"),
        (b"", {}, 422, "VIDEO"),
        (bytes(1_100_000), {}, 413, "TOO-LARGE"),
        (b"x", {"view": "above"}, 422, "VALIDATION"),
        (b"x", {"sample_fps": "0"}, 422, "VALIDATION"),
        (b"x", {"colour": "red"}, 422, "VALIDATION"),
    ],
)
def test_what_is_no_video_is_refused_with_the_reason(
    client: TestClient, config: ServeConfig, content: bytes, options: dict[str, str], status: int, code: str
) -> None:
    before = sorted(config.uploads_dir.iterdir())
    answer = client.post("/v1/videos", files={"file": ("diary.mp4", content)}, data=options)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["detail"]
    assert sorted(config.uploads_dir.iterdir()) == before
    assert list(config.incoming_dir.iterdir()) == []


def test_the_video_can_be_played_in_parts(client: TestClient, job: dict[str, Any], tiny_video: Path) -> None:
    whole = tiny_video.read_bytes()
    path = f"/v1/videos/{job['video_id']}/file"
    assert client.get(path).content == whole
    part = client.get(path, headers={"range": "bytes=10-19"})
    assert part.status_code == 206
    assert part.content == whole[10:20]
    assert part.headers["content-range"] == f"bytes 10-19/{len(whole)}"
    assert part.headers["content-type"] == "video/mp4"


def test_detect_gives_boxes_within_the_picture(client: TestClient) -> None:
    answer = client.post("/v1/detect?min_confidence=0", files={"file": picture(200, 150)})
    assert answer.status_code == 200, answer.text
    result = answer.json()
    assert (result["width"], result["height"]) == (200, 150)
    assert len(result["model"]["sha256"]) == 64
    assert 1 <= len(result["detections"]) <= 5
    confidences = [d["confidence"] for d in result["detections"]]
    assert confidences == sorted(confidences, reverse=True)
    for found in result["detections"]:
        assert (found["category"], found["category_id"]) in {("child", 1), ("ball", 7)}
        x1, y1, x2, y2 = found["box_xyxy"]
        assert 0 <= x1 <= x2 <= 200
        assert 0 <= y1 <= y2 <= 150
    bare = client.post("/v1/detect?min_confidence=0", content=picture(200, 150), headers={"content-type": "image/jpeg"})
    assert len(bare.json()["detections"]) == len(result["detections"])
    assert client.post("/v1/detect?min_confidence=1", files={"file": picture(200, 150)}).json()["detections"] == []


@pytest.mark.parametrize(
    ("content", "status", "code"),
    [
        (b"GIF89a not an image", 422, "IMAGE"),
        (picture(400, 300), 422, "IMAGE"),  # 0.12 megapixels
        (bytes(300_000), 413, "TOO-LARGE"),
    ],
)
def test_detect_refuses_what_it_cannot_use(client: TestClient, content: bytes, status: int, code: str) -> None:
    answer = client.post("/v1/detect", files={"file": content})
    assert (answer.status_code, answer.json()["code"]) == (status, code)


@pytest.mark.parametrize(
    ("question", "value"),
    [("How long is the child visible?", pytest.approx(2.0)), ("How many balls are there?", 1), ("Is it sunny?", None)],
)
def test_an_answer_is_the_command_lines(
    client: TestClient, config: ServeConfig, described: str, question: str, value: Any
) -> None:
    answer = client.post("/v1/ask", json={"question": question}).raise_for_status().json()
    assert [claim["value"] for claim in answer["claims"]] == ([] if value is None else [value])
    assert answer == ask(question, config.store_dir, planner="rules").model_dump(mode="json")


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({}, 422, "VALIDATION"),
        ({"question": ""}, 422, "VALIDATION"),
        ({"question": "a" * 61}, 422, "TOO-LONG"),
        ({"question": "How?", "sql": "1"}, 422, "VALIDATION"),
        ({"question": "  "}, 422, "VALIDATION"),
        ({"question": "How many balls are there?", "planner": "llm"}, 503, LLMUnreachable.code),
    ],
)
def test_ask_says_what_is_wrong(
    client: TestClient, described: str, body: dict[str, str], status: int, code: str
) -> None:
    answer = client.post("/v1/ask", json=body)
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v1/videos/none", 404),
        ("GET", "/v1/videos/none/timeline", 404),
        ("GET", "/v1/videos/none/file", 404),
        ("GET", "/v1/videos/..%2f..%2fetc/timeline", 404),
        ("DELETE", "/v1/videos/none", 404),
        ("GET", "/v1/jobs/none", 404),
        ("GET", "/v1/nothing", 404),
        ("PUT", "/v1/ask", 405),
    ],
)
def test_what_is_not_there_is_a_problem_too(client: TestClient, method: str, path: str, status: int) -> None:
    answer = client.request(method, path)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["status"] == status


def test_readiness_and_figures(client: TestClient, described: str) -> None:
    ready = client.get("/v1/readyz")
    assert ready.status_code == 200
    assert ready.json()["parts"] == {
        "detector": "ready",
        "store": "writable",
        "jobs": "running",
        "disk": "enough space",
        "videos": "readable",
        "clock": "going forward",
    }
    client.post("/v1/ask", json={"question": "How many balls are there?"})
    figures = dict(line.rsplit(" ", 1) for line in client.get("/metrics").text.splitlines() if not line.startswith("#"))
    assert figures['visionllm_jobs{state="done"}'] == "1.0"
    assert figures['visionllm_jobs{state="failed"}'] == "0.0"
    assert figures["visionllm_store_videos"] == "1.0"
    assert figures["visionllm_ready"] == "1.0"
    assert float(figures['visionllm_questions_total{planner="rules",status="answered"}']) >= 1
    assert float(figures['visionllm_http_requests_total{method="POST",route="/v1/ask",status="200"}']) >= 1
    assert figures['visionllm_job_seconds_count{ended="done",kind="analysis"}'] == "1.0"
    assert float(figures['visionllm_job_seconds_sum{ended="done",kind="analysis"}']) > 0
    # one in ten of the video's ten frames, nearly white, told by the worker; and images sent by other tests
    assert float(figures["visionllm_image_brightness_count"]) >= 1
    assert float(figures["visionllm_image_brightness_sum"]) > 0.5
    assert "visionllm_drift" not in figures, "nothing is known of what this detector was trained on"
    assert described not in "\n".join(figures)


def test_erasing_leaves_nothing(client: TestClient, config: ServeConfig, job: dict[str, Any], tiny_video: Path) -> None:
    """Last in the file: it takes away what the others look at."""
    assert client.delete(f"/v1/videos/{job['video_id']}").status_code == 204
    assert client.get(f"/v1/videos/{job['video_id']}").status_code == 404
    assert client.get(f"/v1/jobs/{job['job_id']}").status_code == 404
    content = tiny_video.read_bytes()
    left = [p for p in config.data_dir.rglob("*") if p.is_file()]
    assert not [p for p in left if "play" in str(p) or content[:2000] in p.read_bytes() or b"play" in p.read_bytes()]
    empty = client.post("/v1/ask", json={"question": "How many balls are there?"})
    assert (empty.status_code, empty.json()["code"]) == (409, "EMPTY-STORE")
