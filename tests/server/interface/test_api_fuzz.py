"""``schemathesis`` against a running service: every operation is asked what its document allows, and what it does not.

``VISIONLLM_FUZZ_EXAMPLES`` is the number of examples per operation (default 20; ``make test-api-fuzz`` asks 300). One
part of the interface at a time: ``-k videos``.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from constant_yolox import write_graph
from running_service import REPO, RunningService, finished_job
from toyroom_run import evaluate_run, make_run

EXAMPLES = int(os.environ.get("VISIONLLM_FUZZ_EXAMPLES", "20"))
PROGRAM = os.environ.get("VISIONLLM_SCHEMATHESIS") or shutil.which("schemathesis") or ""
TAGS = (
    "access",
    "corrections",
    "detection",
    "exports",
    "jobs",
    "measures",
    "operation",
    "projects",
    "questions",
    "roles",
    "training",
    "uploads",
    "videos",
)
pytestmark = [pytest.mark.slow, pytest.mark.timeout(600 + 30 * EXAMPLES)]
if not PROGRAM:
    pytestmark.append(pytest.mark.skip(reason="schemathesis is not installed: make test-api-fuzz"))


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which a run is made, once its images are asked for."""
    return tmp_path_factory.mktemp("lab")


@pytest.fixture(scope="module")
def run(lab: Path) -> str:
    """The name of a run with issues and worst images."""
    made = make_run(lab, images=12, epochs=1)
    evaluate_run(made)
    return made.name


@pytest.fixture(scope="module")
def fuzzed(
    tmp_path_factory: pytest.TempPathFactory, tiny_video: Path, lab: Path
) -> Iterator[tuple[RunningService, dict[str, str]]]:
    """A service with an analysed video and an export, and their ids."""
    folder = tmp_path_factory.mktemp("fuzzed")
    detector = write_graph(folder / "constant.onnx", outputs=85)  # answers at once
    options = [f"serve.detector={detector}", "serve.page=false", "serve.limits.max_question_chars=60"]
    options.append(f"serve.artifacts_dir={lab / 'artifacts'}")
    options.append("serve.limits.max_video_mb=1")  # hundreds of uploads are announced, and each needs its room
    service = RunningService(folder, options)
    service.start()
    with service.client() as client:
        client.get("/v1/openapi.json").raise_for_status()  # made once; schemathesis waits for it for 10 s only
        job = client.post("/v1/videos", files={"file": ("a.mp4", tiny_video.read_bytes())}).json()
        finished_job(client, job["job_id"])
        export = client.post(f"/v1/videos/{job['video_id']}/exports", json={"format": "csv"}).json()
        finished_job(client, export["job_id"])
    yield service, {"FUZZ_VIDEO": job["video_id"], "FUZZ_JOB": job["job_id"], "FUZZ_EXPORT": export["job_id"]}
    service.stop(signal.SIGKILL)


def test_every_tag_of_the_interface_is_asked(fuzzed: tuple[RunningService, dict[str, str]]) -> None:
    with fuzzed[0].client() as client:
        paths = client.get("/v1/openapi.json").json()["paths"]
    assert {tag for operations in paths.values() for one in operations.values() for tag in one["tags"]} == set(TAGS)


@pytest.mark.parametrize("tag", TAGS)
def test_the_interface_does_what_its_document_says(
    request: pytest.FixtureRequest, fuzzed: tuple[RunningService, dict[str, str]], tag: str
) -> None:
    service, ids = fuzzed
    if tag == "training":
        ids = {**ids, "FUZZ_RUN": request.getfixturevalue("run")}
    here, said_before = REPO / "tests" / "server", len(service.log)
    environment = {**os.environ, **ids, "SCHEMATHESIS_HOOKS": str(here / "schemathesis_hooks.py")}
    schema = ["run", f"{service.url}/v1/openapi.json", "--include-tag", tag]
    key = ["-H", f"Authorization: Bearer {service.key}"]
    how = ["--checks", "all", "-n", str(EXAMPLES), "--request-timeout", "60", "--no-color"]
    done = subprocess.run(
        [PROGRAM, "--config-file", here / "schemathesis.toml", *schema, *key, *how],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    print(f"\n{tag}: {' '.join(re.findall(r'(?m)^.*(?:Tested|generated|passed).*$', done.stdout))}", file=sys.stderr)
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
    said = service.log[said_before:]
    assert "Traceback" not in said, said[-4000:]
