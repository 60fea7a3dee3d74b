"""``Idempotency-Key``: what was done once is answered again, and not done again."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from moving_scene import CUP, publish_scene
from starlette.testclient import TestClient

from visionllm_interaction.analysis import AnalysisConfig
from visionllm_interaction.reasoning.config import ReasonConfig
from visionllm_interaction.server.app import create_app
from visionllm_interaction.server.auth.api_keys import create_key, list_keys
from visionllm_interaction.server.config import ServeConfig
from visionllm_interaction.server.http.idempotency_keys import KEPT_S, KeptAnswers
from visionllm_interaction.server.intake.uploads import Uploads

CHANGE = {"kind": "category", "action": "set", "track_id": CUP, "category": "ball"}
ADDRESS = "/v1/videos/a/corrections"
TUS = {"Tus-Resumable": "1.0.0", "Upload-Length": "5"}


@pytest.fixture
def config(tmp_path: Path) -> ServeConfig:
    config = ServeConfig(data_dir=tmp_path, page=False, detector=Path("nobody.pt"))
    Uploads(config.uploads_dir, config.incoming_dir).prepare()
    publish_scene(config.store_dir)
    return config


@pytest.fixture
def http(config: ServeConfig) -> TestClient:
    key = create_key(config.keys_path, name="one", role="analyst")
    app = create_app(config, analysis=AnalysisConfig(), reason=ReasonConfig())
    return TestClient(app, base_url="http://127.0.0.1:8000", headers={"X-API-Key": key})


def named(key: str) -> dict[str, str]:
    return {"Idempotency-Key": key}


def test_many_kept_answers_are_not_looked_through_at_each_request(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept, cleaned = KeptAnswers(tmp_path), list[int]()
    monkeypatch.setattr(kept, "clean", lambda: cleaned.append(1))
    for number in range(20):
        with kept.held("who", f"key-{number}"):
            pass
    assert len(cleaned) == 1


def test_the_same_request_is_answered_again_and_done_once(http: TestClient) -> None:
    first = http.post(ADDRESS, json=CHANGE, headers=named("k1"))
    again = http.post(ADDRESS, json=CHANGE, headers=named("k1"))
    assert (first.status_code, again.status_code, again.json()) == (201, 201, first.json())
    assert again.headers["etag"] == first.headers["etag"]
    assert again.headers["idempotency-replayed"] == "true" and "idempotency-replayed" not in first.headers
    assert len(http.get(ADDRESS).json()["corrections"]) == 1
    assert len(http.post(ADDRESS, json={**CHANGE, "category": "bowl"}).json()["corrections"]) == 2, "no key, no memory"


def test_another_request_under_the_key_is_refused(http: TestClient) -> None:
    http.post(ADDRESS, json=CHANGE, headers=named("k1"))
    for other in ({**CHANGE, "category": "bowl"}, {**CHANGE, "kind": "nonsense"}):
        refused = http.post(ADDRESS, json=other, headers=named("k1"))
        assert (refused.status_code, refused.json()["code"]) == (422, "IDEMPOTENCY-KEY")
    refused = http.post(ADDRESS, json=CHANGE, params={"who": "Kari"}, headers=named("k1"))
    assert refused.status_code == 422
    assert len(http.get(ADDRESS).json()["corrections"]) == 1


def test_a_request_that_failed_may_be_mended_under_its_key(http: TestClient) -> None:
    assert http.post(ADDRESS, json={**CHANGE, "track_id": 77}, headers=named("k2")).status_code == 400
    assert http.post(ADDRESS, json=CHANGE, headers=named("k2")).status_code == 201


def test_a_key_belongs_to_the_api_key_and_shows_nothing_to_others(http: TestClient, config: ServeConfig) -> None:
    http.post(ADDRESS, json=CHANGE, headers=named("k1"))
    others = {
        "viewer": (create_key(config.keys_path, name="viewer", role="viewer"), 403),
        "other": (create_key(config.keys_path, name="other", role="analyst", projects=["elsewhere"]), 404),
    }
    for key, status in others.values():
        assert http.post(ADDRESS, json=CHANGE, headers={**named("k1"), "X-API-Key": key}).status_code == status
    colleague = create_key(config.keys_path, name="colleague", role="analyst")
    made = http.post(ADDRESS, json={**CHANGE, "category": "bowl"}, headers={**named("k1"), "X-API-Key": colleague})
    assert (made.status_code, len(made.json()["corrections"])) == (201, 2)


def test_while_the_first_is_in_work_the_second_is_told_so(http: TestClient, config: ServeConfig) -> None:
    kept_answers = http.app.state.service.kept_answers  # type: ignore[attr-defined]
    [entry] = list_keys(config.keys_path)
    with kept_answers.held(entry.id, "k1"):
        refused = http.post(ADDRESS, json=CHANGE, headers=named("k1"))
    assert (refused.status_code, refused.json()["code"]) == (409, "IDEMPOTENCY-IN-WORK")
    assert http.post(ADDRESS, json=CHANGE, headers=named("k1")).status_code == 201


def test_resumable_uploads_and_days_that_have_passed(http: TestClient, config: ServeConfig) -> None:
    first = http.post("/v1/uploads", headers={**TUS, **named("u1")})
    assert first.status_code == 201, first.text
    again = http.post("/v1/uploads", headers={**TUS, **named("u1")})
    assert (again.status_code, again.headers["location"]) == (201, first.headers["location"])
    assert again.headers["tus-resumable"] == "1.0.0"
    assert http.post("/v1/uploads", headers={**TUS, "Upload-Length": "6", **named("u1")}).status_code == 422
    assert len(http.get("/v1/uploads").json()["uploads"]) == 1
    for path in config.kept_answers_dir.iterdir():
        os.utime(path, (time.time() - KEPT_S - 1,) * 2)
    later = http.post("/v1/uploads", headers={**TUS, **named("u1")})
    assert (later.status_code, later.headers["location"]) != (201, first.headers["location"])
    assert len(list(config.kept_answers_dir.glob("*.json"))) == 1


@pytest.mark.parametrize("key", ["", "k" * 201, "two words"])
def test_keys_that_are_none(http: TestClient, key: str) -> None:
    answer = http.post(ADDRESS, json=CHANGE, headers=named(key))
    assert answer.status_code == 422
    assert http.get(ADDRESS).json()["corrections"] == []
