"""Corrections over HTTP and by the client: who, ETag and If-Match, undo, and what the timeline then shows."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from moving_scene import BALL, CAREGIVER, CHILD, CUP, publish_scene
from starlette.testclient import TestClient

from visionllm_interaction.analysis import AnalysisConfig
from visionllm_interaction.client import Client, ServiceProblem
from visionllm_interaction.reasoning.config import ReasonConfig
from visionllm_interaction.server.app import create_app
from visionllm_interaction.server.config import ServeConfig
from visionllm_interaction.server.intake.uploads import Uploads

CHANGE = {"kind": "category", "action": "set", "track_id": CUP, "category": "ball"}


@pytest.fixture
def http(tmp_path: Path) -> Iterator[TestClient]:
    config = ServeConfig(data_dir=tmp_path, page=False, insecure=True)
    Uploads(config.uploads_dir, config.incoming_dir).prepare()
    publish_scene(config.store_dir)
    app = create_app(config, analysis=AnalysisConfig(), reason=ReasonConfig())
    yield TestClient(app, base_url="http://127.0.0.1:8000")


def test_correct_list_undo(http: TestClient) -> None:
    empty = http.get("/v1/videos/a/corrections")
    assert (empty.status_code, empty.json()["corrections"]) == (200, [])
    seen = empty.headers["etag"]
    assert http.get("/v1/videos/a/corrections", headers={"if-none-match": seen}).status_code == 304
    made = http.post("/v1/videos/a/corrections", json=CHANGE, headers={"if-match": seen}, params={"who": "Kari"})
    assert made.status_code == 201, made.text
    (row,) = made.json()["corrections"]
    assert (row["who"], row["state"], row["old"], row["new"]) == (
        "Kari",
        "applied",
        {"category": "cup"},
        {"category": "ball"},
    )
    stale = http.post("/v1/videos/a/corrections", json={**CHANGE, "category": "bowl"}, headers={"if-match": seen})
    assert (stale.status_code, stale.json()["code"]) == (412, "CORRECTION-CONFLICT")
    assert http.delete("/v1/videos/a/corrections/1", headers={"if-match": seen}).status_code == 412
    tracks = {t["track_id"]: t["category"] for t in http.get("/v1/videos/a/timeline").json()["tracks"]}
    assert tracks[CUP] == "ball", "the timeline shows corrected values at once"
    rows = http.get("/v1/measures/visible_duration", params={"subject": "ball"}).json()["rows"]
    assert {row["values"] for row in rows} == {"corrected"}
    undone = http.delete("/v1/videos/a/corrections/1", headers={"if-match": made.headers["etag"]})
    assert undone.status_code == 200
    assert [row["state"] for row in undone.json()["corrections"]] == ["undone", "applied"]
    tracks = {t["track_id"]: t["category"] for t in http.get("/v1/videos/a/timeline").json()["tracks"]}
    assert tracks[CUP] == "cup"
    rows = http.get("/v1/measures/visible_duration", params={"subject": "ball"}).json()["rows"]
    assert {row["values"] for row in rows} == {"detected"}


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({**CHANGE, "track_id": 77}, 400),
        ({**CHANGE, "kind": "paint"}, 422),
        ({**CHANGE, "category": ""}, 422),
        ({"kind": "identity", "action": "merge", "track_id": CHILD, "other_track_id": CHILD}, 422),
        ({"kind": "identity", "action": "split", "track_id": CUP, "at_s": 0.5}, 400),
    ],
)
def test_refusals(http: TestClient, change: dict[str, Any], status: int) -> None:
    answer = http.post("/v1/videos/a/corrections", json=change)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json"), answer.text
    assert http.get("/v1/videos/a/corrections").json()["corrections"] == []


def test_what_is_not_there(http: TestClient) -> None:
    assert http.get("/v1/videos/nothing/corrections").status_code == 404
    assert http.delete("/v1/videos/a/corrections/5").status_code == 404
    assert http.post("/v1/videos/a/corrections", json=CHANGE, params={"whom": "K"}).status_code == 422


def test_client_corrects(http: TestClient) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        url = str(request.url).removeprefix("http://127.0.0.1:8000")
        found = http.request(request.method, url, content=request.content, headers=dict(request.headers))
        return httpx.Response(found.status_code, content=found.content, headers={"content-type": "application/json"})

    with Client("http://127.0.0.1:8000", transport=httpx.MockTransport(answer)) as client:
        seen = client.corrections("a")
        role = {"kind": "role", "action": "set", "track_id": CAREGIVER, "role": "child"}
        made = client.correct("a", role, if_revision=seen.revision, who="Ola Nordmann")
        assert made.corrections[-1].who == "Ola Nordmann"
        with pytest.raises(ServiceProblem, match="since it was read"):
            client.correct("a", CHANGE, if_revision=seen.revision)
        exchange = {"kind": "identity", "action": "exchange", "track_id": BALL, "other_track_id": CUP, "at_s": 8.0}
        client.correct("a", exchange, if_revision=made.revision)
        undone = client.undo_correction("a", 1)
        assert [one.state for one in undone.corrections] == ["undone", "applied", "applied"]


def test_ten_thousand_wrong_boxes_are_not_ten_thousand_messages(http: TestClient) -> None:
    wrong = {"kind": "box", "action": "set", "category": "ball", "boxes": [{"box_xyxy": ["x"] * 4}] * 10_000}
    refused = http.post("/v1/videos/a/corrections", json=wrong)
    assert (refused.status_code, len(refused.json()["errors"])) == (422, 20)
    assert refused.json()["found"].endswith(" errors; the first 20 are listed")
    assert len(refused.content) < 5000
