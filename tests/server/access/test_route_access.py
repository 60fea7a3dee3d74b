"""Every address for everybody who may ask: nobody gets in who should not."""

from __future__ import annotations

from pathlib import Path

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from visionllm_interaction.analysis import AnalysisConfig
from visionllm_interaction.reasoning.config import ReasonConfig
from visionllm_interaction.server.app import create_app
from visionllm_interaction.server.auth.api_keys import create_key, revoke_key
from visionllm_interaction.server.auth.oidc_config import GroupRights, OidcConfig
from visionllm_interaction.server.auth.sessions import COOKIE
from visionllm_interaction.server.config import ServeConfig
from visionllm_interaction.server.intake.uploads import Uploads

PROVIDER = [("GET", "/login/oidc"), ("GET", "/login/oidc/callback"), ("GET", "/login/oidc/end")]
OPEN = {
    ("GET", "/v1/healthz"),
    ("GET", "/v1/readyz"),
    ("GET", "/login"),
    ("GET", "/ui/static/style.css"),
    *PROVIDER,  # 503 and 403: the provider of this test does not answer
}
PAGES = [
    ("GET", "/"),
    ("GET", "/ui/"),
    ("GET", "/ui/measures"),
    ("GET", "/ui/review"),
    ("GET", "/ui/training"),
    ("GET", "/ui/training/x"),
    ("GET", "/ui/videos/x"),
    ("GET", "/login"),
]
STRANGERS = ("nobody", "wrong key", "revoked key", "session of a revoked key", "ended session", "forged session")


@pytest.fixture
def app(tmp_path: Path) -> FastAPI:
    oidc = OidcConfig(
        issuer="http://127.0.0.1:9",
        client_id="x",
        address="http://127.0.0.1:8000",
        groups={"x": GroupRights(role="admin")},
    )
    config = ServeConfig(data_dir=tmp_path, oidc=oidc)
    Uploads(config.uploads_dir, config.incoming_dir).prepare()
    create_key(config.keys_path, name="valid", role="admin")
    return create_app(config, analysis=AnalysisConfig(), reason=ReasonConfig())


def addresses(app: FastAPI) -> list[tuple[str, str]]:
    described = [
        (
            method.upper(),
            path.format(
                video_id="x",
                job_id="x",
                upload_id="x",
                project_id="x",
                correction_id=1,
                measure="visible_duration",
                name="x.eaf",
                run="x",
                row=0,
                model="x",
            )
            + ("?seconds=0" if method == "get" and path.endswith("/events") else ""),
        )
        for path, operations in app.openapi()["paths"].items()
        for method in operations
    ]
    heads = [("HEAD", path) for method, path in described if method == "GET"]
    others = [("GET", "/ui/static/style.css"), ("POST", "/logout"), ("GET", "/v1/openapi.json")]
    return [*described, *heads, *PAGES, *PROVIDER, *others]


def credentials(app: FastAPI, tmp_path: Path) -> dict[str, dict[str, str]]:
    """The headers of everybody who may ask."""
    client = TestClient(app, base_url="http://127.0.0.1:8000", follow_redirects=False)
    keys = ServeConfig(data_dir=tmp_path).keys_path
    own, gone = create_key(keys, name="own", role="admin"), create_key(keys, name="gone", role="admin")
    cookies = []
    for key in (own, gone, own):
        client.cookies.clear()
        client.post("/login", data={"key": key})
        cookies.append({"cookie": f"{COOKIE}={client.cookies[COOKIE]}"})
    client.cookies.clear()
    client.post("/logout", headers=cookies[2])
    revoke_key(keys, name="gone")
    return {
        "nobody": {},
        "wrong key": {"authorization": "Bearer vli_wrong"},
        "revoked key": {"x-api-key": gone},
        "session of a revoked key": cookies[1],
        "ended session": cookies[2],
        "forged session": {"cookie": f"{COOKIE}=own:1.2.3"},
        "key": {"authorization": f"Bearer {own}"},
        "session": cookies[0],
    }


def test_nobody_gets_in_who_should_not(app: FastAPI, tmp_path: Path) -> None:
    who = credentials(app, tmp_path)
    client = TestClient(app, base_url="http://127.0.0.1:8000", follow_redirects=False, raise_server_exceptions=False)
    unexpected, asked = [], 0
    for method, path in addresses(app):
        for name in STRANGERS:
            client.cookies.clear()
            answer = client.request(method, path, headers=who[name])
            asked += 1
            is_open = ({"HEAD": "GET"}.get(method, method), path) in OPEN
            if not is_open and (answer.status_code < 300 or answer.status_code >= 500):
                unexpected.append((name, method, path, answer.status_code))
    assert unexpected == []
    assert asked == len(addresses(app)) * len(STRANGERS) > 250


@pytest.mark.parametrize("name", ["key", "session"])
def test_whoever_has_a_key_gets_in_and_pages_of_other_sites_do_not(app: FastAPI, tmp_path: Path, name: str) -> None:
    headers = credentials(app, tmp_path)[name]
    client = TestClient(app, base_url="http://127.0.0.1:8000", follow_redirects=False, raise_server_exceptions=False)
    for method, path in addresses(app):
        client.cookies.clear()
        if (method, path) not in (("POST", "/logout"), ("GET", "/metrics"), ("HEAD", "/metrics"), *PROVIDER):
            assert client.request(method, path, headers=headers).status_code not in (401, 403), (method, path)
        if method not in ("GET", "HEAD", "OPTIONS"):
            foreign = client.request(method, path, headers={**headers, "sec-fetch-site": "cross-site"})
            assert foreign.status_code == 403, (method, path)


def test_every_route_of_the_interface_is_in_its_document(app: FastAPI) -> None:
    """What the table above asks is the document: a route that is not in it would not be asked."""
    pages = {"/", "/login", "/logout", "/ui/", "/ui/measures", "/ui/review", "/ui/videos/{video_id}", "/ui/static"}
    pages |= {path for _, path in PROVIDER}
    pages |= {"/ui/training", "/ui/training/{run}"}
    described = set(app.openapi()["paths"])
    found: set[str] = set()
    for route in app.routes:
        inner = getattr(route, "original_router", None)
        found |= {one.path for one in inner.routes} if inner is not None else {route.path}  # type: ignore[attr-defined]
    assert found <= described | pages | {"/v1/openapi.json"}
