"""What every answer has: HEAD, ETag, gzip, problem details, known parameters only."""

from __future__ import annotations

import gzip
import logging
from pathlib import Path

import pytest
from fastapi import FastAPI, Request
from fastapi.responses import FileResponse
from starlette.requests import ClientDisconnect
from starlette.testclient import TestClient

from visionllm_interaction.analysis import AnalysisConfig
from visionllm_interaction.reasoning.config import ReasonConfig
from visionllm_interaction.server.app import create_app
from visionllm_interaction.server.auth.route_roles import requires
from visionllm_interaction.server.config import ServeConfig

PROBLEM = "application/problem+json"
CONTENT = bytes(range(256)) * 40


@pytest.fixture
def app(tmp_path: Path) -> FastAPI:
    app = create_app(
        ServeConfig(data_dir=tmp_path, page=False, insecure=True), analysis=AnalysisConfig(), reason=ReasonConfig()
    )
    video = tmp_path / "video.mp4"
    video.write_bytes(CONTENT)

    @app.get("/v1/film", dependencies=[requires("viewer")])
    def film() -> FileResponse:
        return FileResponse(video)

    @app.get("/v1/rows", dependencies=[requires("viewer")])
    def rows() -> list[int]:
        return list(range(2000))

    return app


@pytest.fixture
def client(app: FastAPI) -> TestClient:
    return TestClient(app, base_url="http://127.0.0.1:8000", raise_server_exceptions=False)


@pytest.mark.parametrize("path", ["/v1/healthz", "/v1/film", "/v1/rows", "/v1/openapi.json", "/v1/nothing"])
def test_head_is_get_without_its_body(client: TestClient, path: str) -> None:
    whole = client.get(path, headers={"accept-encoding": "identity"})
    head = client.head(path, headers={"accept-encoding": "identity"})
    assert (head.status_code, head.content) == (whole.status_code, b"")
    for name in ("content-length", "content-type", "etag"):
        assert head.headers.get(name) == whole.headers.get(name)


@pytest.mark.parametrize("path", ["/v1/healthz", "/v1/film", "/v1/rows"])
def test_what_a_client_has_already_is_not_sent_again(client: TestClient, path: str) -> None:
    etag = client.get(path).headers["etag"]
    for known in (etag, f'"other", {etag}', "*", etag.removeprefix("W/")):
        again = client.get(path, headers={"if-none-match": known})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", etag)
        assert "no-store" in again.headers["cache-control"]
    assert client.get(path, headers={"if-none-match": '"other"'}).status_code == 200


@pytest.mark.parametrize(
    ("accepted", "packed"), [("gzip", True), ("br, gzip;q=0.5", True), ("identity", False), ("gzip;q=0", False)]
)
def test_text_is_compressed_for_those_who_can_read_it(client: TestClient, accepted: str, packed: bool) -> None:
    with client.stream("GET", "/v1/rows", headers={"accept-encoding": accepted}) as answer:
        raw = b"".join(answer.iter_raw())
    assert answer.headers.get("content-encoding") == ("gzip" if packed else None)
    assert answer.headers["vary"] == "Accept-Encoding"
    assert int(answer.headers["content-length"]) == len(raw)
    assert (gzip.decompress(raw) if packed else raw).startswith(b"[0,1,2")
    assert (len(raw) < 6000) == packed


def test_a_film_is_not_compressed(client: TestClient) -> None:
    answer = client.get("/v1/film", headers={"accept-encoding": "gzip"})
    assert "content-encoding" not in answer.headers
    assert answer.content == CONTENT


@pytest.mark.parametrize(("wanted", "status"), [("bytes=999999-", 416), ("bytes=9-2", 400), ("lines=1-2", 400)])
def test_errors_of_ranges_are_problems(client: TestClient, wanted: str, status: int) -> None:
    answer = client.get("/v1/film", headers={"range": wanted})
    assert (answer.status_code, answer.headers["content-type"]) == (status, PROBLEM)
    assert (answer.json()["status"], answer.json()["code"]) == (status, "RANGE")
    if status == 416:
        assert answer.headers["content-range"] == f"bytes */{len(CONTENT)}"


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("/v1/videos?page=2", "page"),
        ("/v1/videos/x/detections?begin=3", "did you mean begin_s?"),
        ("/v1/videos/x/detections?begin_s=5&end_s=5", "must be after begin_s; found begin_s=5 and end_s=5"),
        ("/v1/videos/x/detections?begin_s=nan", "begin_s"),
        ("/v1/videos/x/detections?end_s=inf", "end_s"),
        ("/v1/healthz?deep=1", "deep"),
    ],
)
def test_parameters_that_mean_nothing_are_refused(client: TestClient, path: str, told: str) -> None:
    answer = client.get(path)
    assert (answer.status_code, answer.headers["content-type"]) == (422, PROBLEM)
    [error] = answer.json()["errors"]
    assert told in f"{error['where']}: {error['message']}"


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/v1/videos", "GET, HEAD, POST"),
        ("/v1/videos/x", "DELETE, GET, HEAD, PATCH"),
        ("/v1/videos/register", "POST"),
        ("/v1/ask", "POST"),
        ("/v1/healthz", "GET, HEAD"),
    ],
)
def test_allow_names_all_methods_of_an_address(client: TestClient, path: str, allowed: str) -> None:
    answer = client.put(path)
    assert (answer.status_code, answer.headers["allow"]) == (405, allowed)


def test_the_document_says_what_needs_no_key_and_what_every_route_may_answer(client: TestClient) -> None:
    paths = client.get("/v1/openapi.json").json()["paths"]
    open_to_all = [path for path, operations in paths.items() if operations.get("get", {}).get("security") == []]
    assert sorted(open_to_all) == ["/v1/healthz", "/v1/readyz"]
    assert "401" not in paths["/v1/healthz"]["get"]["responses"]
    assert list(paths["/metrics"]["get"]["responses"]["200"]["content"]) == ["text/plain"]
    assert {"206", "416"} <= set(paths["/v1/videos/{video_id}/file"]["get"]["responses"])
    assert {"403", "408"} <= set(paths["/v1/videos"]["post"]["responses"])


def test_a_client_that_hangs_up_leaves_no_traceback(
    app: FastAPI, client: TestClient, caplog: pytest.LogCaptureFixture
) -> None:
    @app.post("/v1/hang-up", dependencies=[requires("viewer")])
    async def hang_up(request: Request) -> None:
        raise ClientDisconnect

    with caplog.at_level(logging.WARNING):
        client.post("/v1/hang-up")
    assert caplog.records == []
    figures = client.get("/metrics").text
    assert 'visionllm_http_requests_total{method="POST",route="/v1/hang-up",status="499"} 1.0' in figures


def test_discriminators_of_the_document_name_schemas(client: TestClient) -> None:
    found: list[object] = []

    def walk(node: object) -> None:
        if isinstance(node, dict):
            if isinstance(node.get("discriminator"), dict):
                found.extend(node["discriminator"].get("mapping", {}).values())
            for one in node.values():
                walk(one)
        elif isinstance(node, list):
            for one in node:
                walk(one)

    walk(client.get("/v1/openapi.json").json())
    assert found and all(isinstance(one, str) and one.startswith("#/components/schemas/") for one in found), found


def test_a_body_that_is_no_text_is_a_documented_problem(client: TestClient) -> None:
    answer = client.post("/v1/ask", content=b"\xff\x01", headers={"content-type": "application/json"})
    assert answer.status_code in (400, 422)
    for operations in client.get("/v1/openapi.json").json()["paths"].values():
        for operation in operations.values():
            if "requestBody" in operation:
                assert {"400", "422"} <= set(operation["responses"])
