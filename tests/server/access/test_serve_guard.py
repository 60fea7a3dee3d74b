from __future__ import annotations

import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from fastapi import APIRouter
from fastapi.routing import APIRoute
from starlette.routing import Mount
from starlette.testclient import TestClient

from visionllm_interaction.analysis import AnalysisConfig
from visionllm_interaction.errors import UsageError
from visionllm_interaction.reasoning.config import ReasonConfig
from visionllm_interaction.server.app import create_app
from visionllm_interaction.server.auth.api_keys import create_key, revoke_key
from visionllm_interaction.server.auth.route_roles import add_routes, requires
from visionllm_interaction.server.config import ServeConfig
from visionllm_interaction.server.jobs.data_folder import lock_data_dir
from visionllm_interaction.server.routes import videos as routes_videos


def client_of(config: ServeConfig, *, base_url: str = "http://127.0.0.1:8000") -> TestClient:
    """A client of the application; nothing behind the guard is started."""
    app = create_app(config, analysis=AnalysisConfig(), reason=ReasonConfig())
    return TestClient(app, base_url=base_url, follow_redirects=False, raise_server_exceptions=False)


@pytest.fixture
def config(tmp_path: Path) -> ServeConfig:
    return ServeConfig(data_dir=tmp_path, page=False)


@pytest.fixture
def key(config: ServeConfig) -> str:
    return create_key(config.keys_path, name="test", role="admin")


def test_without_keys_it_does_not_start(config: ServeConfig) -> None:
    with pytest.raises(UsageError, match="no API key") as caught:
        client_of(config)
    assert "visionllm keys create" in (caught.value.fix or "")


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.5", "example.org", "::"])
def test_insecure_is_for_this_machine_only(config: ServeConfig, host: str) -> None:
    with pytest.raises(UsageError, match="loopback address"):
        client_of(config.model_copy(update={"insecure": True, "host": host}))


def test_a_key_on_another_address_is_fine(config: ServeConfig, key: str) -> None:
    client = client_of(config.model_copy(update={"host": "0.0.0.0"}))
    assert client.get("/v1/openapi.json").status_code == 401
    assert client.get("/v1/openapi.json", headers={"X-API-Key": key}).status_code == 200


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 401),
        ({"Authorization": "Bearer wrong"}, 401),
        ({"Authorization": "Basic {key}"}, 401),
        ({"X-API-Key": "{key}x"}, 401),
        ({"Authorization": "Bearer {key}"}, 200),
        ({"authorization": "bearer  {key} "}, 200),
        ({"X-API-Key": "{key}"}, 200),
    ],
)
def test_who_may_come_in(config: ServeConfig, key: str, headers: dict[str, str], status: int) -> None:
    sent = {name: value.format(key=key) for name, value in headers.items()}
    answer = client_of(config).get("/v1/openapi.json", headers=sent)
    assert answer.status_code == status
    if status == 401:
        assert answer.headers["www-authenticate"] == "Bearer"
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["code"] == "UNAUTHORIZED"


@pytest.mark.parametrize("path", ["/v1/videos", "/v1/jobs/x", "/metrics", "/", "/ui/", "/nowhere", "/v1/videos/x/file"])
def test_every_path_is_closed_without_a_key(config: ServeConfig, key: str, path: str) -> None:
    assert client_of(config).get(path).status_code == 401


def test_a_revoked_key_is_closed_out_at_once(config: ServeConfig, key: str) -> None:
    client = client_of(config)
    headers = {"X-API-Key": key}
    assert client.get("/v1/openapi.json", headers=headers).status_code == 200
    revoke_key(config.keys_path, name="test")
    assert client.get("/v1/openapi.json", headers=headers).status_code == 401


def test_health_needs_no_key_and_metrics_only_if_told(config: ServeConfig, key: str) -> None:
    assert client_of(config).get("/v1/healthz").json() == {"status": "alive"}
    assert client_of(config).get("/metrics").status_code == 401
    assert client_of(config.model_copy(update={"public_metrics": True})).get("/metrics").status_code == 200


def test_the_page_asks_for_a_key_and_opens_with_it(config: ServeConfig, key: str) -> None:
    client = client_of(config)
    page = {"accept": "text/html"}
    assert client.get("/ui/", headers=page).headers["location"] == "/login"
    assert client.post("/login", data={"key": "wrong"}).status_code == 401
    answer = client.post("/login", data={"key": key})
    assert (answer.status_code, answer.headers["location"]) == (303, "/ui/")
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert key not in cookie
    assert client.get("/v1/openapi.json").status_code == 200
    client.post("/logout")
    assert client.get("/v1/openapi.json").status_code == 401


@pytest.mark.parametrize(
    ("method", "headers", "status"),
    [
        ("DELETE", {"origin": "http://evil.example"}, 403),
        ("POST", {"origin": "null"}, 403),
        ("POST", {"sec-fetch-site": "cross-site"}, 403),
        ("POST", {"sec-fetch-site": "same-site"}, 403),
        ("POST", {"origin": "null", "sec-fetch-site": "same-origin"}, 405),  # a form of our own page
        ("DELETE", {"origin": "http://127.0.0.1:8000", "sec-fetch-site": "same-origin"}, 405),
        ("DELETE", {}, 405),  # not a browser
        ("GET", {"origin": "http://evil.example"}, 200),  # it cannot read the answer: there is no CORS header
    ],
)
def test_pages_of_other_sites_change_nothing(
    config: ServeConfig, method: str, headers: dict[str, str], status: int
) -> None:
    client = client_of(config.model_copy(update={"insecure": True}))
    answer = client.request(method, "/v1/healthz", headers=headers)
    assert answer.status_code == status
    assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize(
    ("host", "status"),
    [("127.0.0.1:8000", 200), ("localhost", 200), ("[::1]:8000", 200), ("rebound.example:8000", 421), ("", 421)],
)
def test_without_keys_only_own_names_are_answered(config: ServeConfig, host: str, status: int) -> None:
    client = client_of(config.model_copy(update={"insecure": True}))
    assert client.get("/v1/healthz", headers={"host": host}).status_code == status


def test_request_ids_come_back_and_odd_ones_do_not(config: ServeConfig, key: str) -> None:
    client = client_of(config)
    assert client.get("/v1/healthz", headers={"x-request-id": "run-7"}).headers["x-request-id"] == "run-7"
    made = client.get("/v1/healthz", headers={"x-request-id": "a b\tc"}).headers["x-request-id"]
    assert len(made) == 32
    refused = client.get("/v1/videos", headers={"x-request-id": "run-8"})
    assert refused.json()["request_id"] == refused.headers["x-request-id"] == "run-8"


def test_nothing_may_be_loaded_from_elsewhere(config: ServeConfig, key: str) -> None:
    policy = client_of(config).get("/login").headers["content-security-policy"]
    assert "default-src 'none'; script-src 'self'; style-src 'self';" in policy
    assert "unsafe" not in policy
    assert "http" not in policy


def test_a_route_without_a_role_is_answered_to_nobody(config: ServeConfig, key: str) -> None:
    app = create_app(config, analysis=AnalysisConfig(), reason=ReasonConfig())

    def open_to_all() -> str:
        return "secret"

    assert routes_videos.router.routes, "its routes are the application's"
    routes_videos.router.get("/later")(open_to_all)
    try:
        app.get("/v1/of-the-application")(open_to_all)
        included = APIRouter(prefix="/v1")
        included.get("/included")(open_to_all)
        app.include_router(included)
        included.get("/included-later")(open_to_all)
        with pytest.raises(RuntimeError, match="/v1/included"):
            add_routes(app, included)
        holding = APIRouter(dependencies=[requires("viewer")])
        holding.include_router(included)
        with pytest.raises(RuntimeError, match="no role is declared"):
            add_routes(app, holding)
        client = TestClient(app, base_url="http://127.0.0.1:8000", headers={"X-API-Key": key})
        found = {
            path: client.get(path).status_code
            for path in ("/v1/later", "/v1/of-the-application", "/v1/included", "/v1/included-later")
        }
        with pytest.raises(RuntimeError, match=r"no role is declared.*/v1/later"):
            create_app(config, analysis=AnalysisConfig(), reason=ReasonConfig())
    finally:
        routes_videos.router.routes.pop()
    assert found == {
        "/v1/later": 404,
        "/v1/of-the-application": 403,
        "/v1/included": 403,
        "/v1/included-later": 403,
    }


@pytest.mark.parametrize("page", [True, False])
def test_no_route_is_made_a_second_time(config: ServeConfig, key: str, page: bool) -> None:
    """Neither the interface's nor the pages': it would cost a tenth of a second of the start."""
    config = config.model_copy(update={"page": page})
    app = create_app(config, analysis=AnalysisConfig(), reason=ReasonConfig())
    assert [one for one in app.routes if not isinstance(one, APIRoute | Mount)] == []


def test_an_unexpected_error_says_nothing_of_itself(config: ServeConfig, key: str) -> None:
    app = create_app(config, analysis=AnalysisConfig(), reason=ReasonConfig())

    @app.get("/v1/broken", dependencies=[requires("viewer")])
    def broken() -> None:
        raise RuntimeError("secret of the inside")

    client = TestClient(app, raise_server_exceptions=False)
    answer = client.get("/v1/broken", headers={"X-API-Key": key, "x-request-id": "run-9"})
    assert answer.status_code == 500
    assert answer.json()["request_id"] == answer.headers["x-request-id"] == "run-9"
    assert "secret" not in answer.text


def test_a_data_folder_serves_one(config: ServeConfig) -> None:
    with lock_data_dir(config), pytest.raises(UsageError, match="Another service"), lock_data_dir(config):
        pass
    with lock_data_dir(config):
        pass


def test_the_interface_is_described_with_examples_and_problem_details(config: ServeConfig, key: str) -> None:
    document = client_of(config).get("/v1/openapi.json", headers={"X-API-Key": key}).json()
    assert set(document["paths"]) == {
        "/v1/detect",
        "/v1/ask",
        "/v1/ask/events",
        "/v1/videos",
        "/v1/videos/{video_id}",
        "/v1/videos/{video_id}/timeline",
        "/v1/videos/{video_id}/detections",
        "/v1/videos/{video_id}/file",
        "/v1/videos/{video_id}/copy",
        "/v1/videos/{video_id}/poster",
        "/v1/videos/{video_id}/corrections",
        "/v1/videos/{video_id}/corrections/{correction_id}",
        "/v1/videos/{video_id}/roles",
        "/v1/roles",
        "/v1/videos/register",
        "/v1/videos/{video_id}/analysis",
        "/v1/videos/{video_id}/exports",
        "/v1/videos/{video_id}/exports/{job_id}",
        "/v1/videos/{video_id}/exports/{job_id}/files/{name}",
        "/v1/jobs",
        "/v1/jobs/events",
        "/v1/jobs/{job_id}",
        "/v1/jobs/{job_id}/events",
        "/v1/jobs/{job_id}/retry",
        "/v1/jobs/{job_id}/cancel",
        "/v1/uploads",
        "/v1/uploads/{upload_id}",
        "/v1/me",
        "/v1/audit",
        "/v1/measures",
        "/v1/measures/{measure}",
        "/v1/measures/{measure}/csv",
        "/v1/measures/{measure}/parquet",
        "/v1/questions",
        "/v1/projects",
        "/v1/projects/{project_id}",
        "/v1/projects/{project_id}/consents",
        "/v1/projects/{project_id}/due",
        "/v1/projects/{project_id}/erase-due",
        "/v1/bouts",
        "/v1/bouts/csv",
        "/v1/look-transitions",
        "/v1/look-transitions/csv",
        "/v1/detectors",
        "/v1/detectors/{model}/activation",
        "/v1/runs",
        "/v1/runs/{run}",
        "/v1/runs/{run}/issues",
        "/v1/runs/{run}/issues/{row}/image",
        "/v1/runs/{run}/worst-images/{row}",
        "/v1/videos/{video_id}/comparisons",
        "/v1/healthz",
        "/v1/readyz",
        "/metrics",
    }
    assert document["components"]["schemas"]["DetectResult"]["example"]["detections"][0]["category"] == "child"
    form = document["paths"]["/v1/videos"]["post"]["requestBody"]["content"]["multipart/form-data"]
    assert form["schema"]["required"] == ["file"]
    ready = document["paths"].pop("/v1/readyz")["get"]["responses"]
    assert ready["503"]["content"]["application/json"]["schema"]["$ref"].endswith("/Readiness")
    for operations in document["paths"].values():
        for operation in operations.values():
            for status, response in operation["responses"].items():
                if int(status) >= 400:
                    assert list(response["content"]) == ["application/problem+json"], operation["summary"]
    assert "HTTPValidationError" not in document["components"]["schemas"]


def test_the_service_starts_without_what_no_start_needs() -> None:
    """Each of these takes a tenth of a second or more to import, and a process is started anew after every failure."""
    heavy = {"scipy.special", "scipy.stats", "pandas", "torch", "lightning", "mlflow", "matplotlib", "xarray"}
    assert all(map(find_spec, heavy)), "a module of this list was renamed"
    code = "import json, sys; import visionllm_interaction.server.app; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    assert not heavy & set(json.loads(done.stdout))
