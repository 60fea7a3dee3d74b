"""``tracking.figures_only``: what a real MLflow server receives of a training on images of a child."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from mlflow_server import PASSWORD, USER, Server, all_runs, curve
from recording_proxy import RecordingProxy, recording_proxy
from tiny_model import tiny
from tiny_training import tiny_train, write_manifest

from visionllm_interaction.detection.experiment_tracking.figures_only import (
    FiguresOnlyClient,
    is_figure,
    permitted_tags,
)
from visionllm_interaction.detection.experiment_tracking.mlflow_client import make_client
from visionllm_interaction.detection.training import stage
from visionllm_interaction.detection.training.config import TrackingConfig
from visionllm_interaction.errors import UsageError

pytestmark = pytest.mark.filterwarnings("ignore")  # what MLflow and its dependencies deprecate is not ours
CHILD = "emma"
FILE_ENDS = (".png", ".jpg", ".mp4", ".pt", ".csv", ".yaml", "sqlite")
FILE_ROUTES = ("artifact", "logged-models", "registered-models", "model-versions")


class _Sent:
    """Keeps what MLflow's client is asked to send."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = []

    def __getattr__(self, name: str) -> Any:
        return lambda *args, **kwargs: self.calls.append((name, args, kwargs))


@pytest.mark.parametrize(
    "name",
    ["log_artifact", "log_artifacts", "log_model_artifacts", "log_image", "log_figure", "log_text", "log_dict",
     "create_logged_model", "create_model_version", "create_registered_model", "set_registered_model_alias",
     "set_experiment_tag", "log_param", "whatever_comes_next"],
)  # fmt: skip
def test_a_call_that_is_not_listed_is_refused_before_it_is_made(name: str) -> None:
    sent = _Sent()
    with pytest.raises(UsageError, match="figures_only"):
        getattr(FiguresOnlyClient(sent), name)
    assert sent.calls == []


@pytest.mark.parametrize(
    ("value", "allowed"),
    [
        ("0.0002", True),
        ("1e-05", True),
        ("None", True),
        ("True", True),
        ("[0.8, 1.25]", True),
        ("((32,), (64,))", True),
        ("adamw", True),
        ("fasterrcnn_resnet50_fpn", True),
        ("a3f1" * 16, True),
        ("cuda:1", True),
        ("emma", False),
        ("/data/emma/best.pt", False),
        ("emma 2021", False),
        ("https://lab.example/emma.pt", False),
        ("adamw emma", False),
        ("", False),
    ],
)
def test_a_value_is_a_number_a_digest_or_a_word_of_the_settings(value: str, allowed: bool) -> None:
    assert is_figure(value) is allowed


def test_parameters_metrics_and_tags_that_are_not_listed_stay_here() -> None:
    sent = _Sent()
    client = FiguresOnlyClient(sent)
    params = [
        SimpleNamespace(key="train.lr", value="0.1"),
        SimpleNamespace(key="model.weights", value="/emma/best.pt"),
        SimpleNamespace(key="data.root", value="0"),
        SimpleNamespace(key="emma", value="1"),
    ]
    metrics = [SimpleNamespace(key=key, value=0.5) for key in ("AP", "train_loss", "emma", "AP/emma")]
    client.log_batch("1", params=params, metrics=metrics)
    client.set_tag("1", "mlflow.note.content", "emma sat on the floor")
    client.set_tag("1", "best.train.lr", 0.1)
    client.create_run("0", start_time=1, tags={"study": "emma", "algorithm_version": "3"}, run_name="emma")
    (_, _, batch), tag, (_, _, made) = sent.calls
    assert [item.key for item in batch["params"]] == ["train.lr"]
    assert [item.key for item in batch["metrics"]] == ["AP", "train_loss"]
    assert tag == ("set_tag", ("1", "best.train.lr", "0.1"), {})
    assert made == {"start_time": 1, "tags": {"algorithm_version": "3"}, "run_name": None}
    assert permitted_tags({"code_version": "0123456789abcdef", "user": "1"}) == {"code_version": "0123456789abcdef"}


def test_the_client_of_such_settings_is_the_closed_one(tmp_path: Path) -> None:
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    assert isinstance(make_client(TrackingConfig(figures_only=True), uri), FiguresOnlyClient)
    assert not isinstance(make_client(TrackingConfig(), uri), FiguresOnlyClient)


@pytest.fixture
def proxy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RecordingProxy]:
    """A proxy before a real server; its password is in the environment, for the program and for the test."""
    for prefix in ("LAB", "MLFLOW_TRACKING"):
        monkeypatch.setenv(f"{prefix}_{'USER' if prefix == 'LAB' else 'USERNAME'}", USER)
        monkeypatch.setenv(f"{prefix}_PASSWORD", PASSWORD)
    server = Server(tmp_path / "server")
    server.start()
    try:
        with recording_proxy(server.uri) as proxy:
            yield proxy
    finally:
        server.kill()


def _train(root: Path, proxy: RecordingProxy, *, figures_only: bool) -> None:
    """Train in folders named after a child."""
    manifest = write_manifest(root)
    run = manifest.parents[1].rename(manifest.parents[2] / f"{CHILD}-visit-2")
    config = TrackingConfig.model_validate(
        {"kind": "mlflow", "uri": proxy.url, "required": True, "timeout_s": 30, "username_env": "LAB_USER",
         "password_env": "LAB_PASSWORD", "figures_only": figures_only}
    )  # fmt: skip
    stage.run(
        model=tiny(),
        train=tiny_train(epochs=2),
        tracking=config,
        training_manifest=run / "data_transformation" / "training_manifest.yaml",
        out=run / "model_trainer",
    )
    assert not (run / "model_trainer" / "tracking.jsonl").exists(), "all of it was delivered"


def _said(proxy: RecordingProxy) -> str:
    return "\n".join(request.text for request in proxy.requests)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_no_file_and_no_name_reaches_a_real_server(tmp_path: Path, proxy: RecordingProxy) -> None:
    _train(tmp_path / CHILD, proxy, figures_only=True)
    said = _said(proxy)
    assert len(proxy.requests) > 5
    assert CHILD not in said and str(tmp_path) not in said
    assert not [end for end in FILE_ENDS if end in said]
    assert not [r.target for r in proxy.requests if any(route in r.target for route in FILE_ROUTES)]
    assert all(len(request.body) < 20_000 for request in proxy.requests)
    ((name, run),) = all_runs(proxy.url).items()
    assert run.info.status == "FINISHED" and CHILD not in name
    assert run.data.params["train.lr"] == "0.001" and run.data.params["data.train_images"] == "8"
    assert [step for step, _ in curve(proxy.url, run, "AP")] == [1, 2]
    assert run.data.metrics["train_loss"] > 0
    assert len(run.data.tags["training_manifest_sha256"]) == 64


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_without_the_setting_the_same_training_does_tell(
    tmp_path: Path, proxy: RecordingProxy, capfd: pytest.CaptureFixture[str]
) -> None:
    """The proof that the search above can find something."""
    _train(tmp_path / CHILD, proxy, figures_only=False)
    assert "View run" not in capfd.readouterr().out, "stdout belongs to --json"
    said = _said(proxy)
    assert CHILD in said and ".pt" in said and ".png" in said
    assert any("artifact" in request.target for request in proxy.requests)
