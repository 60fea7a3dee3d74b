"""The container images: built, trained in, and asked over HTTP, as non-root with a read-only root."""

from __future__ import annotations

import io
import json
import socket
import tarfile
import time
import tomllib
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from deploy_checks import REPO, assert_complete_run, tiny_training
from docker_engine import BASE, NETWORK, build_target, docker, git, megabytes, need_engine
from object_store_server import ObjectStore
from PIL import Image

from visionllm_interaction.analysis import analyze
from visionllm_interaction.config import load
from visionllm_interaction.store.object_storage.working_copy import working_copy
from visionllm_interaction.store.reader import open_store

pytestmark = [pytest.mark.docker, pytest.mark.timeout(3000)]

UID = 10001
READ_ONLY = ("--read-only", "--tmpfs", "/tmp", "--cap-drop", "ALL", "--security-opt", "no-new-privileges")
LOOK_AROUND = """
import importlib.util, os, pathlib
folders = ('/', '/opt/venv', '/etc', '/usr/local/bin', '/data', '/tmp')
caches = ('/var/lib/apt/lists', '/var/cache/apt/archives', '/data')
left = [path for cache in caches for path in pathlib.Path(cache).glob('*') if path.is_file() and path.stat().st_size]
print(os.getuid(), [f for f in folders if os.access(f, os.W_OK)], left, importlib.util.find_spec('torch') is not None)
"""
CHECKPOINT = "model_trainer/fasterrcnn_best.pt"
TARGETS = ("cpu", "cluster", "train", "serve")
WITH_TORCH = ("train", "serve")
SERVICES = ("cpu", "serve")


@pytest.fixture(scope="module")
def engine() -> None:
    """A running engine; fails where there is none."""
    need_engine()


@pytest.fixture(scope="module")
def images(engine: None) -> dict[str, str]:
    """All targets, built from the checkout as it is; prints what each took and how large it is."""
    return {target: build_target(target) for target in TARGETS}


@pytest.fixture(scope="module")
def volume(engine: None) -> Iterator[str]:
    """A new named volume, mounted as /data."""
    name = f"visionllm-test-{uuid.uuid4().hex[:8]}"
    docker("volume", "create", name)
    yield name
    docker("volume", "rm", "-f", name)


def call(image: str, volume: str, *arguments: str) -> Any:
    """Run one command of the image and return the JSON it prints."""
    run = ("run", "--rm", *READ_ONLY, *NETWORK, "-v", f"{volume}:/data", image, *arguments, "--json")
    return json.loads(docker(*run).stdout)


@dataclass(frozen=True)
class Trained:
    """What stages 1-4 left in the volume."""

    result: dict[str, Any]
    run_in_container: str
    copy: Path


@pytest.fixture(scope="module")
def trained(images: dict[str, str], volume: str, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """ToyRoom and stages 1-4 inside `train`."""
    made = call(images["train"], volume, "toyroom", "/data/toyroom", "--images", "24", "--videos", "0", "--seed", "5")
    assert sum(made["images"].values()) == 24
    result = call(images["train"], volume, "run", "-o", f"data.root={made['root']}", *tiny_training(epochs=1))
    copy = tmp_path_factory.mktemp("from-container")
    _copy_out(images["train"], volume, "artifacts", copy)
    return Trained(result, f"/data/{result['run'].removeprefix('/data/')}", copy)


def _copy_out(image: str, volume: str, name: str, target: Path) -> None:
    tar = ("run", "--rm", "-v", f"{volume}:/data:ro", "--entrypoint", "tar", image, "-C", "/data", "-c", name)
    with tarfile.open(fileobj=io.BytesIO(docker(*tar).stdout)) as archive:
        archive.extractall(target, filter="data")


def test_stages_finish_inside_train(trained: Trained) -> None:
    assert {stage: state["status"] for stage, state in trained.result["stages"].items()} == dict.fromkeys(
        ("ingest", "validate", "transform", "train"), "done"
    )
    assert 0 <= trained.result["AP"] <= trained.result["AP50"] <= 1
    run = assert_complete_run(trained.copy / "artifacts")
    assert trained.run_in_container.endswith(run.name)


@pytest.mark.parametrize("target", TARGETS)
def test_image_is_what_it_says(images: dict[str, str], target: str) -> None:
    config = json.loads(docker("image", "inspect", images[target]).stdout)[0]["Config"]
    project = tomllib.loads((REPO / "pyproject.toml").read_text())["project"]
    assert config["User"] == f"{UID}:{UID}"
    assert config["Entrypoint"] == ["tini", "--", "visionllm"]
    assert list(config["Volumes"]) == ["/data"]
    assert config["Labels"]["org.opencontainers.image.version"] == project["version"]
    assert config["Labels"]["org.opencontainers.image.licenses"] == project["license"]
    assert config["Labels"]["org.opencontainers.image.revision"] == git("rev-parse", "HEAD")
    assert config["Labels"]["org.opencontainers.image.created"] == git("log", "-1", "--format=%cI")
    assert bool(config.get("Healthcheck")) == (target in SERVICES)


@pytest.mark.parametrize("target", TARGETS)
def test_nothing_but_data_can_be_written(images: dict[str, str], target: str) -> None:
    run = ("run", "--rm", *READ_ONLY, "--entrypoint", "python", images[target], "-c", LOOK_AROUND)
    assert docker(*run).stdout.decode().strip() == f"{UID} ['/data', '/tmp'] [] {target in WITH_TORCH}"


def test_the_image_without_torch_is_small(images: dict[str, str]) -> None:
    """Its own layers: the base is another's, and of another size from one day to the next."""
    own = megabytes(images["cpu"]) - megabytes(BASE)
    assert own < 900, f"{own:.0f} MB"
    look = "import shutil; print(*filter(shutil.which, ('uv', 'gcc', 'cc', 'ld', 'strip')))"
    tools = docker("run", "--rm", "--entrypoint", "python", images["cpu"], "-c", look)
    assert tools.stdout.decode().split() == [], "no installer and no compiler in the last stage"


def test_any_user_may_run_it(images: dict[str, str], tmp_path: Path) -> None:
    """So that files in a mounted folder belong to who called, `--user` takes ids the image does not know."""
    tmp_path.chmod(0o777)
    user = ("--user", "12345:12345", "-v", f"{tmp_path}:/data")
    arguments = ("toyroom", "/data/toyroom", "--images", "2", "--json")
    docker("run", "--rm", *READ_ONLY, *user, images["train"], *arguments)
    assert (tmp_path / "toyroom/annotations/instances_train2017.json").stat().st_uid == 12345


def test_images_share_their_layers(images: dict[str, str]) -> None:
    """Two images of 7 GB take little more disk than one."""
    train, serve = (
        json.loads(docker("image", "inspect", images[target]).stdout)[0]["RootFS"]["Layers"]
        for target in ("train", "serve")
    )
    shared = [layer for layer, other in zip(train, serve, strict=False) if layer == other]
    assert len(train) - len(shared) <= 6
    assert len(shared) >= 4


@dataclass(frozen=True)
class Running:
    """A started service."""

    container: str
    url: str
    key: str

    def headers(self) -> dict[str, str]:
        """What a caller with a key sends."""
        return {"Authorization": f"Bearer {self.key}"}


@pytest.fixture(scope="module")
def service(images: dict[str, str], volume: str, trained: Trained) -> Iterator[Running]:
    """`serve` with the checkpoint that `train` made, ready."""
    with _started(images["serve"], volume, detector=f"{trained.run_in_container}/{CHECKPOINT}") as running:
        yield running


@contextmanager
def _started(image: str, volume: str, *, detector: str) -> Iterator[Running]:
    """A service of an image, ready."""
    key = call(image, volume, "keys", "create", "test", "--role", "admin")["key"]
    url = f"http://127.0.0.1:{_free_port()}"
    where = ("-o", "serve.host=127.0.0.1", "-o", f"serve.port={url.rpartition(':')[2]}")
    health = ("-e", f"VISIONLLM_HEALTH_URL={url}/v1/healthz", "--health-interval", "2s")
    start = ("run", "-d", *READ_ONLY, *NETWORK, *health, "-v", f"{volume}:/data", image)
    container = docker(*start, "serve", *where, "-o", f"serve.detector={detector}").stdout.decode().strip()
    try:
        _wait_until_ready(container, url)
        yield Running(container, url, key)
    finally:
        docker("rm", "-f", container)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_until_ready(container: str, url: str, *, timeout_s: float = 600) -> None:
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if not _state(container)["Running"]:
            break
        try:
            if httpx.get(f"{url}/v1/readyz", timeout=5).status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(1)
    logs = docker("logs", container)
    pytest.fail(f"the service is not ready:\n{(logs.stdout + logs.stderr).decode(errors='replace')[-4000:]}")


def _state(container: str) -> dict[str, Any]:
    state: dict[str, Any] = json.loads(docker("inspect", container).stdout)[0]["State"]
    return state


def test_serve_runs_as_non_root(service: Running) -> None:
    status = docker("exec", service.container, "cat", "/proc/1/status", "/proc/self/status").stdout.decode()
    uids = {line.split()[1] for line in status.splitlines() if line.startswith("Uid:")}
    assert uids == {str(UID)}


def test_serve_detects_on_a_real_picture(service: Running, shared_data: Path) -> None:
    picture = sorted((shared_data / "coco-mini/val2017").glob("*.jpg"))[0]
    with Image.open(picture) as image:
        size = image.size
    found = _detect(service, picture.read_bytes(), service.headers())
    assert found.status_code == 200, found.text
    result = found.json()
    assert (result["width"], result["height"]) == size
    assert len(result["model"]["sha256"]) == 64
    assert result["detections"], "an untrained detector asked for any confidence finds something"
    for item in result["detections"]:
        x1, y1, x2, y2 = item["box_xyxy"]
        assert 0 <= x1 < x2 <= size[0]
        assert 0 <= y1 < y2 <= size[1]
        assert 0 <= item["confidence"] <= 1
        assert item["category"] in {"child", "caregiver", "ball", "book", "cup", "teddy bear", "car", "block"}


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer vli_wrong"}])
def test_serve_refuses_without_a_valid_key(service: Running, headers: dict[str, str]) -> None:
    assert _detect(service, b"", headers).status_code == 401


def _detect(service: Running, picture: bytes, headers: dict[str, str]) -> httpx.Response:
    files = {"file": ("picture.jpg", picture, "image/jpeg")}
    query = {"min_confidence": 0}
    return httpx.post(f"{service.url}/v1/detect", files=files, params=query, headers=headers, timeout=120)


def test_serve_becomes_healthy(service: Running) -> None:
    deadline = time.monotonic() + 60
    while _state(service.container)["Health"]["Status"] != "healthy" and time.monotonic() < deadline:
        time.sleep(1)
    assert _state(service.container)["Health"]["Status"] == "healthy"


def test_serve_stops_when_told(images: dict[str, str], volume: str, service: Running) -> None:
    """SIGTERM reaches the service: it ends by itself, long before the engine would kill it. Runs last."""
    begin = time.monotonic()
    docker("stop", "-t", "60", service.container)
    assert time.monotonic() - begin < 40
    assert _state(service.container)["ExitCode"] in (0, 143)


@pytest.fixture(scope="module")
def cpu_service(images: dict[str, str], shared_data: Path) -> Iterator[Running]:
    """`cpu` with a ready-made model that somebody carried in, ready."""
    model = shared_data.parent / "models/yolox_nano.onnx"
    name = f"visionllm-test-{uuid.uuid4().hex[:8]}"
    docker("volume", "create", name)
    try:
        add = (
            "-v",
            f"{name}:/data",
            "-v",
            f"{model}:/tmp/model.onnx:ro",
            images["cpu"],
            "models",
            "add",
            "/tmp/model.onnx",
        )
        docker("run", "--rm", "--read-only", "--cap-drop", "ALL", *NETWORK, *add)
        with _started(images["cpu"], name, detector="yolox_nano") as running:
            yield running
    finally:
        docker("volume", "rm", "-f", name)


def test_cpu_detects_on_a_real_picture(cpu_service: Running, shared_data: Path) -> None:
    annotations = json.loads((shared_data / "coco-mini/annotations/instances_val2017.json").read_bytes())
    large = max((a for a in annotations["annotations"] if a["category_id"] == 1), key=lambda a: a["area"])
    [name] = [image["file_name"] for image in annotations["images"] if image["id"] == large["image_id"]]
    found = _detect(cpu_service, (shared_data / "coco-mini/val2017" / name).read_bytes(), cpu_service.headers())
    assert found.status_code == 200, found.text
    best = found.json()["detections"][0]
    assert best["confidence"] > 0.5 and best["category"] in {c["name"] for c in annotations["categories"]}
    assert any(d["category"] == "person" and d["confidence"] > 0.5 for d in found.json()["detections"])


def test_cpu_analyses_a_video_and_answers(cpu_service: Running, shared_data: Path) -> None:
    video = shared_data / "videos/bottle-detection.mp4"
    with httpx.Client(base_url=cpu_service.url, headers=cpu_service.headers(), timeout=120) as client:
        with video.open("rb") as stream:
            sent = client.post("/v1/videos", files={"file": (video.name, stream)}, data={"sample_fps": "2"})
        assert sent.status_code == 202, sent.text
        deadline = time.monotonic() + 600
        while (job := client.get(sent.headers["Location"]).json())["status"] not in ("done", "failed"):
            assert time.monotonic() < deadline, job
            time.sleep(1)
        assert job["status"] == "done", job
        answer = client.post("/v1/ask", json={"question": "How long was the person visible?"}).json()
    assert answer["status"] == "answered", answer
    [claim] = answer["claims"]
    assert 1 < claim["value"] < 60 and claim["unit"] == "s" and claim["evidence"]


def test_cpu_survives_sigterm_in_order(cpu_service: Running) -> None:
    """What a cluster sends before it takes a node away. Runs last."""
    docker("kill", "-s", "TERM", cpu_service.container)
    deadline = time.monotonic() + 40
    while _state(cpu_service.container)["Running"]:
        assert time.monotonic() < deadline
        time.sleep(0.5)
    assert _state(cpu_service.container)["ExitCode"] in (0, 143)
    docker("start", cpu_service.container)
    _wait_until_ready(cpu_service.container, cpu_service.url)
    found = httpx.get(f"{cpu_service.url}/v1/videos", headers=cpu_service.headers(), timeout=60).json()
    assert len(found["videos"] if isinstance(found, dict) else found) == 1, "what was analysed is there after a restart"


RAY = ("--read-only", "--tmpfs", "/tmp", "--cap-drop", "ALL", "--security-opt", "no-new-privileges", "--shm-size", "1g")
VIDEOS = ("bottle-detection.mp4", "one-by-one-person-detection.mp4")


def test_cluster_analyses_into_an_object_store(
    images: dict[str, str], shared_data: Path, object_store: str, object_store_server: ObjectStore, tmp_path: Path
) -> None:
    """The command of the RayJob, with its cluster in one container: the same store as without Ray on this machine."""
    models = shared_data.parent / "models"
    mounts = (
        "-v",
        f"{shared_data / 'videos'}:/videos:ro",
        "-v",
        f"{models}:/models:ro",
        "-e",
        "VISIONLLM_STORE_CACHE=/tmp/stores",
    )
    keys = [part for pair in object_store_server.environment().items() for part in ("-e", "=".join(pair))]
    run = ("run", "--rm", *RAY, *NETWORK, *mounts, *keys, images["cluster"])
    settings = ("--detector", "/models/yolox_nano.onnx", "-o", "analysis.video.decode.sample_fps=1")
    videos = [f"/videos/{name}" for name in VIDEOS]
    pool = ("--cluster", "ray", "--workers", "2", "--cpus", "1")
    done = json.loads(docker(*run, "analyze", *videos, "--store", object_store, *settings, *pool, "--json").stdout)
    assert [video["status"] for video in done["videos"]] == ["done", "done"], done
    answer = json.loads(
        docker(*run, "ask", "How long was the person visible?", "--store", object_store, "--json").stdout
    )
    assert answer["status"] == "answered" and answer["claims"][0]["value"] > 1, answer
    config = load(overrides=[settings[-1]]).analysis
    analyze(
        [shared_data / "videos" / name for name in VIDEOS],
        tmp_path / "local",
        detector=models / "yolox_nano.onnx",
        config=config,
    )
    with working_copy(object_store) as copy, open_store(copy.folder) as ray, open_store(tmp_path / "local") as local:
        assert ray.video_ids() == local.video_ids() and len(local.video_ids()) == 2
        for video_id in local.video_ids():
            for table in ("detections", "tracks", "relations", "events"):
                assert ray.read_table(video_id, table).equals(local.read_table(video_id, table)), (video_id, table)


def test_cluster_takes_jobs_and_probes_as_kuberay_sends_them(images: dict[str, str]) -> None:
    """KubeRay submits the command to Ray's dashboard, and asks the dashboard and its agent whether a node is well.

    A node whose agents start slowly ends, and nothing makes it wait; as Kubernetes does, the engine starts it again.
    """
    dashboard, agent, gcs = _free_port(), _free_port(), _free_port()
    ports = f"--port={gcs} --dashboard-port={dashboard} --dashboard-agent-listen-port={agent}"
    start = f"ray start --head --block --num-cpus=1 --node-ip-address=127.0.0.1 --dashboard-host=127.0.0.1 {ports}"
    shell = ("--entrypoint", "/bin/bash", images["cluster"], "-lc", "--", f"ulimit -n 65536 || true; {start}")
    run = ("run", "-d", "--restart", "on-failure:3", *RAY, *NETWORK, "-e", "RAY_USAGE_STATS_ENABLED=0", *shell)
    container = docker(*run).stdout.decode().strip()
    try:
        for probe in (f"{agent}/api/local_raylet_healthz", f"{dashboard}/api/gcs_healthz"):
            _wait_for_probe(container, f"wget --tries 1 -T 10 -q -O- http://127.0.0.1:{probe} | grep success")
        url = f"http://127.0.0.1:{dashboard}/api/jobs/"
        sent = httpx.post(url, json={"entrypoint": "bash -c 'visionllm --version'"}, timeout=60)
        assert sent.status_code == 200, sent.text
        job = url + sent.json()["submission_id"]
        deadline = time.monotonic() + 120
        while (found := httpx.get(job, timeout=60).json())["status"] not in ("SUCCEEDED", "FAILED"):
            assert time.monotonic() < deadline, found
            time.sleep(1)
        assert found["status"] == "SUCCEEDED", found
        said = httpx.get(f"{job}/logs", timeout=60).json()["logs"]
        assert said.strip().endswith(tomllib.loads((REPO / "pyproject.toml").read_text())["project"]["version"])
    finally:
        docker("rm", "-f", container)


def _wait_for_probe(container: str, command: str) -> None:
    deadline = time.monotonic() + 300
    while docker("exec", container, "bash", "-c", command, check=False).returncode != 0:
        if not _state(container)["Running"] or time.monotonic() > deadline:
            pytest.fail(f"{command}\n{docker('logs', container).stderr.decode(errors='replace')[-4000:]}")
        time.sleep(1)
