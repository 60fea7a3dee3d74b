"""Runs, their images and the change of detector over HTTP: no file beside the images is shown, no request dropped."""

from __future__ import annotations

import io
import json
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi import FastAPI, HTTPException
from PIL import Image
from running_service import wait_for
from starlette.testclient import TestClient
from toyroom_run import FAULTS, evaluate_run, make_run, write_study

from visionllm_interaction.analysis import AnalysisConfig
from visionllm_interaction.detection.promotion.config import PromoteConfig
from visionllm_interaction.reasoning.config import ReasonConfig
from visionllm_interaction.server.app import create_app
from visionllm_interaction.server.auth.api_keys import create_key
from visionllm_interaction.server.config import ServeConfig
from visionllm_interaction.server.intake.uploads import JobOptions, Upload
from visionllm_interaction.server.intake.video_probe import VideoMetadata
from visionllm_interaction.server.jobs import worker_pool
from visionllm_interaction.server.jobs.worker import AnalysisRequest
from visionllm_interaction.server.service import Service
from visionllm_interaction.server.training import activation
from visionllm_interaction.server.training.activation import LAST, LOCK, Activations, activated
from visionllm_interaction.server.training.detectors import KnownDetector
from visionllm_interaction.server.training.gate_process import GateRequest, GateVerdict
from visionllm_interaction.server.training.schemas import Activation, DetectorView
from visionllm_interaction.utils.atomic_files import write_file
from visionllm_interaction.utils.file_locks import HeldLock, try_lock_file

pytestmark = pytest.mark.timeout(600)
OPEN_GATES = PromoteConfig(
    min_ap_difference=-1.0,
    max_latency_ratio=100.0,
    max_class_mix_distance=1.0,
    max_confidence_distance=1.0,
    resamples=100,
    latency_images=3,
)


@dataclass
class Lab:
    """A service that knows runs."""

    app: FastAPI
    client: TestClient
    config: ServeConfig
    run: str
    folder: Path

    def get(self, path: str, **more: Any) -> Any:
        """The content of an answer."""
        answer = self.client.get(f"/v1{path}", **more)
        assert answer.status_code == 200, answer.text
        return answer.json()


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs")
    run = make_run(folder, images=12, epochs=1)
    evaluate_run(run)
    write_study(run)
    return folder / "artifacts"


def lab_of(tmp_path: Path, runs: Path, **settings: Any) -> Iterator[Lab]:
    [run] = [one for one in runs.iterdir() if one.is_dir()]
    config = ServeConfig(data_dir=tmp_path / "service", insecure=True, artifacts_dir=runs, **settings)
    app = create_app(config, analysis=AnalysisConfig(), reason=ReasonConfig(), promote=OPEN_GATES)
    client = TestClient(app, base_url="http://127.0.0.1:8000")
    yield Lab(app, client, config, run.name, run)


@pytest.fixture
def lab(tmp_path: Path, runs: Path) -> Iterator[Lab]:
    yield from lab_of(tmp_path, runs)


def test_a_run_is_told_as_its_manifests_have_it(lab: Lab) -> None:
    [summary] = lab.get("/runs")["runs"]
    report = lab.get(f"/runs/{lab.run}")
    assert report["summary"] == summary and summary["trained"] and summary["status"] in ("PASS", "FAIL")
    rows = (lab.folder / "model_trainer" / "metrics.csv").read_text().splitlines()
    assert len(report["training"]["epochs"]) == len(rows) - 1
    assert report["training"]["epochs"][0]["AP"] == pytest.approx(
        float(rows[1].split(",")[rows[0].split(",").index("AP")])
    )
    assert {one["code"] for one in report["issues"]} >= FAULTS
    assert sum(one["count"] for one in report["issues"]) == summary["issues"]
    assert len(report["study"]["trials"]) == 8 and report["study"]["best_value"] == max(
        one["value"] for one in report["study"]["trials"]
    )
    assert report["leakage"]["shared"][0]["what"] == "the same file"
    assert report["model_card"].startswith("# Model card") and report["data_card"].startswith("# Data card")
    assert report["evaluation"]["worst_images"], "the images that the detector did worst on"


@pytest.mark.parametrize(
    ("code", "split"), [("NO-SUCH-CODE", "train"), ("BOX-DUPLICATE", "val"), ("BOX-DUPLICATE", None)]
)
def test_a_code_without_issues_gives_an_empty_page(lab: Lab, code: str, split: str | None) -> None:
    query = {"code": code, **({"split": split} if split else {})}
    assert lab.get(f"/runs/{lab.run}/issues", params=query) == {"total": 0, "issues": []}
    beyond = lab.get(f"/runs/{lab.run}/issues", params={"code": "BOX-DUPLICATE", "split": "train", "begin": 1000})
    assert beyond["total"] > 0 and beyond["issues"] == []


def picture(lab: Lab, path: str) -> np.ndarray[Any, Any]:
    answer = lab.client.get(f"/v1/runs/{lab.run}{path}")
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "image/webp" and "no-store" in answer.headers["cache-control"]
    with Image.open(io.BytesIO(answer.content)) as image:
        return np.asarray(image.convert("RGB")).astype(int)


def test_the_image_of_an_issue_shows_the_box_at_fault(lab: Lab) -> None:
    page = lab.get(f"/runs/{lab.run}/issues?code=BOX-NEGATIVE-ORIGIN&split=train")
    [issue] = [one for one in page["issues"] if one["annotation_id"] is not None]
    content = json.loads((lab.folder.parents[1] / "room/annotations/instances_train2017.json").read_text())
    annotation = next(one for one in content["annotations"] if one["id"] == issue["annotation_id"])
    record = next(one for one in content["images"] if one["id"] == annotation["image_id"])
    pixels = picture(lab, f"/issues/{issue['row']}/image")
    scale = pixels.shape[1] / record["width"]
    x, y, width, height = (round(value * scale) for value in annotation["bbox"])
    red = (pixels[..., 0] > 180) & (pixels[..., 1] < 130) & (pixels[..., 2] < 100)
    edge = red[max(y, 0) : y + height, min(x + width, pixels.shape[1] - 1) - 2 : x + width + 1]
    assert edge.any(axis=1).mean() > 0.8, "the right side of the box, where the annotation has it"


def test_a_worst_image_shows_what_was_missed(lab: Lab) -> None:
    [worst, *_] = lab.get(f"/runs/{lab.run}")["evaluation"]["worst_images"]
    assert worst["missed"] + worst["wrong"] > 0
    assert picture(lab, f"/worst-images/{worst['place']}").shape[2] == 3
    assert lab.client.get(f"/v1/runs/{lab.run}/worst-images/999").status_code == 404


def test_no_file_outside_the_folder_of_images_is_shown(tmp_path: Path, runs: Path) -> None:
    import shutil

    copy = tmp_path / "artifacts"
    shutil.copytree(runs, copy)
    [lab] = lab_of(tmp_path, copy)
    secret = tmp_path / "secret.png"
    Image.new("RGB", (40, 40), (1, 2, 3)).save(secret)
    path = lab.folder / "evaluation" / "evaluation.json"
    content = json.loads(path.read_text())
    folder = lab.app.state.service.config.artifacts_dir
    for name in (str(secret), f"../../../{secret.name}", "../" * 30 + str(secret)[1:]):
        content["worst_images"][0]["file_name"] = name
        path.write_text(json.dumps(content))
        answer = lab.client.get(f"/v1/runs/{lab.run}/worst-images/0")
        assert answer.status_code == 404, (name, folder)
    for name in ("%2e%2e", "..%2f..", "%2e", lab.run + "%00"):
        assert lab.client.get(f"/v1/runs/{name}/issues?code=X").status_code == 404, name


def test_annotations_that_have_changed_are_not_drawn(tmp_path: Path) -> None:
    run = make_run(tmp_path, images=6, until="validate")
    [lab] = lab_of(tmp_path, run.parent)
    issue = next(one for one in lab.get(f"/runs/{lab.run}/issues?code=BOX-DUPLICATE&split=train")["issues"])
    file = tmp_path / "room/annotations/instances_train2017.json"
    file.write_text(file.read_text() + " ")
    answer = lab.client.get(f"/v1/runs/{lab.run}/issues/{issue['row']}/image")
    assert (answer.status_code, answer.json()["code"]) == (409, "CHANGED")


def test_keys_of_other_projects_see_no_run(tmp_path: Path, runs: Path) -> None:
    [lab] = lab_of(tmp_path, runs, artifacts_project="dyads")
    keys = lab.config.keys_path
    own = create_key(keys, name="own", role="viewer", projects=["dyads"])
    other = create_key(keys, name="other", role="admin", projects=["clinic"])
    config = lab.config.model_copy(update={"insecure": False})
    app = create_app(config, analysis=AnalysisConfig(), reason=ReasonConfig())
    kept = Activation(state="refused", model=lab.run, run=lab.run, AP=0.5)
    write_file(config.models_dir / LAST, kept.model_dump_json().encode())
    client = TestClient(app, base_url="http://127.0.0.1:8000")
    for key, runs_seen, status in ((own, 1, 200), (other, 0, 404)):
        headers = {"X-API-Key": key}
        assert len(client.get("/v1/runs", headers=headers).json()["runs"]) == runs_seen
        assert client.get(f"/v1/runs/{lab.run}", headers=headers).status_code == status
        assert client.get(f"/v1/runs/{lab.run}/worst-images/0", headers=headers).status_code == status
        detectors = client.get("/v1/detectors", headers=headers).json()["detectors"]
        assert any(one["run"] for one in detectors) == bool(runs_seen)
        shown = client.get("/v1/detectors", headers=headers).json()["activation"]
        assert (shown["state"], shown["run"]) == (("refused", lab.run) if runs_seen else ("none", None))
    boss = create_key(keys, name="boss", role="admin", projects=["dyads"])
    for key in (own, other, boss):
        forbidden = client.post(f"/v1/detectors/{lab.run}/activation", json={}, headers={"X-API-Key": key})
        assert forbidden.status_code == 403, "the detector is that of all projects"


def test_another_detector_serves_without_a_dropped_request(tmp_path: Path, runs: Path, tiny_checkpoint: Path) -> None:
    [lab] = lab_of(tmp_path, runs, detector=tiny_checkpoint, device="cpu")
    slot = lab.app.state.service.detector
    slot.start()
    wait_for(lambda: slot.state == "ready")
    buffer = io.BytesIO()
    Image.new("RGB", (64, 48), (200, 90, 40)).save(buffer, "PNG")
    digests, statuses, stop = [], [], threading.Event()

    def keep_detecting() -> None:
        while not stop.is_set():
            answer = lab.client.post("/v1/detect", content=buffer.getvalue(), headers={"content-type": "image/png"})
            statuses.append(answer.status_code)
            digests.append(answer.json()["model"]["sha256"])

    threads = [threading.Thread(target=keep_detecting) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        # the tiny detector of other tests knows other categories, one of which the images have: both are comparable
        answer = lab.client.post(f"/v1/detectors/{lab.run}/activation", json={})
        assert answer.status_code == 202, answer.text
        assert lab.client.post(f"/v1/detectors/{lab.run}/activation", json={}).status_code == 409, "one at a time"
        last = wait_for(
            lambda: (found := lab.get("/detectors")["activation"])["state"] in ("active", "failed", "refused") and found
        )
        assert last["state"] == "active", last
        assert len(last["gates"]) == 4 and all(one["passed"] for one in last["gates"])
        wait_for(lambda: digests[-1] != digests[0])
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert set(statuses) == {200} and len(statuses) > 10
    assert len(set(digests)) == 2
    serving = next(one for one in lab.get("/detectors")["detectors"] if one["serving"])
    assert serving["model"] == lab.run
    kept = activated(lab.config.models_dir, tiny_checkpoint)
    assert kept is not None and kept.stem == digests[-1], "it serves after a restart, too"
    assert activated(lab.config.models_dir, Path("another.pt")) is None, "the configuration has changed since"
    again = create_app(lab.config, analysis=AnalysisConfig(), reason=ReasonConfig())
    assert again.state.service.detector.checkpoint == kept


def test_a_closed_gate_keeps_the_detector(tmp_path: Path, runs: Path, tiny_checkpoint: Path) -> None:
    [lab] = lab_of(tmp_path, runs, detector=tiny_checkpoint, device="cpu")
    service = lab.app.state.service
    service.activations._promote = OPEN_GATES.model_copy(update={"max_latency_ratio": 1e-9})
    before = service.detector.checkpoint
    assert lab.client.post(f"/v1/detectors/{lab.run}/activation", json={}).status_code == 202
    last = wait_for(
        lambda: (found := lab.get("/detectors")["activation"])["state"] not in ("comparing", "loading") and found
    )
    assert last["state"] == "refused" and [one["name"] for one in last["gates"] if not one["passed"]] == [
        "max_latency_ratio"
    ]
    assert service.detector.checkpoint == before and activated(lab.config.models_dir, tiny_checkpoint) is None


def make_upload(service: Service) -> Upload:
    """An upload as it lies in the shared data folder."""
    service.uploads.prepare()
    facts = VideoMetadata(container="mov", codec="h264", width=64, height=48, duration_s=1.0, frames_per_s=25.0)
    with service.uploads.receiving() as incoming:
        incoming.write(b"film")
        return service.uploads.publish(
            incoming.received(), name="film.mp4", facts=facts, options=JobOptions(), project="default"
        )


def test_the_worker_and_other_processes_follow_the_change(tmp_path: Path, runs: Path, tiny_checkpoint: Path) -> None:
    [lab] = lab_of(tmp_path, runs, detector=tiny_checkpoint, device="cpu")
    worker = Service(lab.config, analysis=AnalysisConfig(), reason=ReasonConfig())
    worker.detector.start()
    wait_for(lambda: worker.detector.state == "ready")
    upload = make_upload(worker)

    def analysed_with() -> Path:
        request = worker.job_files.request_for(upload.job_id)
        assert isinstance(request, AnalysisRequest)
        return request.detector

    assert analysed_with() == tiny_checkpoint.absolute()
    assert lab.client.post(f"/v1/detectors/{lab.run}/activation", json={}).status_code == 202
    wait_for(lambda: lab.get("/detectors")["activation"]["state"] == "active")
    activated_file = lab.app.state.service.detector.checkpoint
    assert activated_file != tiny_checkpoint and analysed_with() == activated_file
    assert worker.activations.last == lab.app.state.service.activations.last, "every process tells of it"
    buffer = io.BytesIO()
    Image.new("RGB", (64, 48), (200, 90, 40)).save(buffer, "PNG")
    found = worker.detector.detect(buffer.getvalue(), min_confidence=0.5)
    assert found.detector.digest == activated_file.stem


def test_where_none_serves_it_is_said_that_no_gate_was_checked(tmp_path: Path, runs: Path) -> None:
    [lab] = lab_of(tmp_path, runs, device="cpu")
    assert lab.client.post(f"/v1/detectors/{lab.run}/activation", json={}).status_code == 202
    last = wait_for(
        lambda: (found := lab.get("/detectors")["activation"])["state"] not in ("comparing", "loading") and found
    )
    assert last["state"] == "active" and last["gates"] == [] and "no gate was checked" in last["message"]


def test_a_change_goes_on_only_while_its_process_does(tmp_path: Path) -> None:
    activations = Activations(tmp_path, None, promote=OPEN_GATES, use=lambda *_: None)
    assert activations.last == Activation(state="none")
    write_file(tmp_path / LAST, Activation(state="comparing", model="m").model_dump_json().encode())
    held = try_lock_file(tmp_path / LOCK)
    assert held is not None
    assert activations.last.state == "comparing", "another process is at it"
    with held:
        candidate = KnownDetector(DetectorView(model="n", kind="trained", name="n", about=""), tmp_path / "n.pt", None)
        with pytest.raises(HTTPException) as refused:
            activations.start(candidate, None, data=tmp_path, run="r")
    assert refused.value.status_code == 409 and refused.value.detail["found"] == "m"  # type: ignore[index]
    assert (activations.last.state, activations.last.model) == ("failed", "m"), "its process was killed"


def test_whoever_looks_how_a_change_goes_stops_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """To see whether its process lives, the lock is taken for a moment."""
    activations = Activations(tmp_path, None, promote=OPEN_GATES, use=lambda *_: None)
    monkeypatch.setattr(activations, "_run", lambda *given: given[-1].release())
    write_file(tmp_path / LAST, Activation(state="comparing", model="m").model_dump_json().encode())
    candidate = KnownDetector(DetectorView(model="n", kind="trained", name="n", about=""), tmp_path / "n.pt", None)
    looking = try_lock_file(tmp_path / LOCK)
    assert looking is not None
    threading.Timer(0.1, looking.release).start()
    assert activations.start(candidate, None, data=tmp_path, run="r").model == "n"


def test_those_who_look_at_once_see_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    activations = Activations(tmp_path, None, promote=OPEN_GATES, use=lambda *_: None)
    write_file(tmp_path / LAST, Activation(state="comparing", model="m").model_dump_json().encode())
    begin = threading.Barrier(8)

    def slowly(path: Path) -> HeldLock | None:
        found = try_lock_file(path)
        time.sleep(0.02)
        return found

    monkeypatch.setattr("visionllm_interaction.server.training.activation.try_lock_file", slowly)

    def look(_: int) -> str:
        begin.wait()
        return activations.last.state

    with ThreadPoolExecutor(8) as threads:
        assert set(threads.map(look, range(8))) == {"failed"}, "nobody is at it"


def test_a_service_that_starts_again_compares_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    killed: list[object] = []

    class Comparison:
        returncode = 0

        def __init__(self, *_: object, **__: object) -> None:
            self.verdict = GateVerdict(passed=True, gates=[])

        def poll(self) -> int:
            return 0

        def kill(self) -> None:
            killed.append(self)

        def communicate(self, _: str) -> tuple[str, None]:
            return self.verdict.model_dump_json(), None

    request = GateRequest(candidate=tmp_path, serving=None, data=tmp_path, report=tmp_path, config=OPEN_GATES)
    service = Service(ServeConfig(data_dir=tmp_path / "data"), analysis=AnalysisConfig(), reason=ReasonConfig())
    for _ in range(2):
        with service.started(), monkeypatch.context() as patched:
            patched.setattr(activation.subprocess, "Popen", Comparison)
            assert service.activations._compare(request).passed and not killed
    with monkeypatch.context() as patched:
        patched.setattr(activation.subprocess, "Popen", Comparison)
        service.activations._compare(request)
    assert len(killed) == 1, "one that begins while the service stops ends at once"


def test_a_new_worker_loads_the_detector_that_serves_then(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[list[str]] = []
    monkeypatch.setattr(worker_pool.subprocess, "Popen", lambda command, **_: started.append(command))
    serving = tmp_path / "first.onnx"
    pool = worker_pool.WorkerPool(size=1, threads=1, detector=lambda: serving)
    pool.start()
    serving = tmp_path / "second.onnx"
    pool._new()
    assert [command[-1] for command in started] == [str(tmp_path / "first.onnx"), str(tmp_path / "second.onnx")]
    none = worker_pool.WorkerPool(size=1, threads=1, detector=lambda: None)
    none.start()
    assert len(started) == 2, "without a detector none waits"
