"""Log-in through an identity provider: who gets in with which rights, and what is refused."""

from __future__ import annotations

import base64
import hmac
import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from chromium import chromium, faults_of, open_page, page_server, until
from identity_provider import CLIENT_ID, SECRET, Provider, identity_provider, query_of
from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey
from running_service import free_port, wait_for
from starlette.testclient import TestClient

from visionllm_interaction.analysis import AnalysisConfig
from visionllm_interaction.errors import ServiceError, UsageError
from visionllm_interaction.reasoning.config import ReasonConfig
from visionllm_interaction.server.app import create_app
from visionllm_interaction.server.auth.api_keys import create_key
from visionllm_interaction.server.auth.oidc import CODES_AT_ONCE, Attempt, OidcClient, OidcRefusal, _Provider
from visionllm_interaction.server.auth.oidc_config import OidcConfig
from visionllm_interaction.server.auth.sessions import COOKIE
from visionllm_interaction.server.config import ServeConfig
from visionllm_interaction.server.intake.uploads import Uploads

pytestmark = [pytest.mark.filterwarnings("ignore::DeprecationWarning"), pytest.mark.timeout(300)]
ADDRESS = "http://127.0.0.1:8000"
GROUPS: dict[str, Any] = {
    "lab-admins": {"role": "admin"},
    "coders": {"role": "analyst", "projects": ["dyads"]},
    "guests": {"role": "viewer"},
}
ISSUER = "https://login.example.org/lab"


@pytest.fixture
def provider() -> Iterator[Provider]:
    with identity_provider() as running:
        yield running


@pytest.fixture(autouse=True, scope="module")
def secret_file(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where the secret for the provider lies."""
    path = tmp_path_factory.mktemp("secrets") / "provider"
    path.write_text(SECRET + "\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TEST_PROVIDER_SECRET", str(path))
        yield path


def oidc_of(issuer: str, **more: Any) -> OidcConfig:
    settings = {"issuer": issuer, "client_id": CLIENT_ID, "address": ADDRESS, "groups": GROUPS}
    secret = {"client_secret_file": os.environ["TEST_PROVIDER_SECRET"]}
    return OidcConfig.model_validate({**settings, **secret, **more})


def service_of(folder: Path, oidc: OidcConfig, **settings: Any) -> TestClient:
    config = ServeConfig(data_dir=folder / "service", oidc=oidc, **settings)
    Uploads(config.uploads_dir, config.incoming_dir).prepare()
    app = create_app(config, analysis=AnalysisConfig(), reason=ReasonConfig(planner="rules"))
    return TestClient(app, base_url=ADDRESS, follow_redirects=False)


def log_in(client: TestClient, provider: Provider, sub: str, **more: Any) -> httpx.Response:
    """Go to the provider and come back."""
    begun = client.get("/login/oidc")
    assert begun.status_code == 303, begun.text
    back = provider.answer_of(begun.headers["location"], sub, **more)
    assert back.startswith(f"{ADDRESS}/login/oidc/callback?")
    return client.get(back.removeprefix(ADDRESS))


@pytest.mark.parametrize(
    ("sub", "name", "role", "projects"),
    [
        ("u-1", "anna", "admin", None),
        ("u-2", "bo", "analyst", ["dyads"]),  # the highest role, and only its projects
        ("u-3", "u-3", "viewer", None),  # a group as a text; without a name
    ],
)
def test_groups_give_rights(
    tmp_path: Path, provider: Provider, sub: str, name: str, role: str, projects: list[str] | None
) -> None:
    client = service_of(tmp_path, oidc_of(provider.issuer))
    assert 'href="/login/oidc"' in client.get("/login").text
    answer = log_in(client, provider, sub)
    assert answer.status_code == 200 and 'content="0; url=/ui/"' in answer.text
    session = next(one for one in answer.headers.get_list("set-cookie") if one.startswith(COOKIE)).lower()
    assert "httponly" in session and "samesite=strict" in session
    me = client.get("/v1/me").json()
    assert (me["name"], me["role"], me["projects"]) == (name, role, projects)
    assert client.get("/v1/audit").status_code == (200 if role == "admin" else 403)


def test_what_is_asked_of_the_provider(tmp_path: Path, provider: Provider) -> None:
    client = service_of(tmp_path, oidc_of(provider.issuer, scopes=["openid", "email"]))
    first, second = (query_of(client.get("/login/oidc").headers["location"]) for _ in range(2))
    assert first["response_type"] == "code" and first["scope"] == "openid email"
    assert first["redirect_uri"] == f"{ADDRESS}/login/oidc/callback"
    assert all(first[name] != second[name] for name in ("state", "nonce", "code_challenge"))
    log_in(client, provider, "u-1")
    [form] = provider.token_requests
    name, password = base64.b64decode(form["authorization"].removeprefix("Basic ")).decode().split(":")
    assert (name, password) == (CLIENT_ID, "a+secret%3A+with+%2B+and+%25"), "form-encoded, as RFC 6749 asks"
    assert "client_secret" not in form and form["grant_type"] == "authorization_code"


def test_without_a_secret_the_client_names_itself_and_proves_itself_by_pkce(tmp_path: Path, provider: Provider) -> None:
    client = service_of(tmp_path, oidc_of(provider.issuer, client_secret_file=None))
    log_in(client, provider, "u-1")  # which this provider refuses: it knows clients with a secret only
    [form] = provider.token_requests
    assert form["client_id"] == CLIENT_ID and form["authorization"] == "" and len(form["code_verifier"]) >= 43


def test_the_audit_log_has_the_person_and_log_out_ends_the_session(tmp_path: Path, provider: Provider) -> None:
    client = service_of(tmp_path, oidc_of(provider.issuer))
    log_in(client, provider, "u-1")
    [row] = client.get("/v1/audit").json()["rows"]
    assert (row["action"], row["who"], row["route"]) == ("log in", "anna", "GET /login/oidc/callback")
    cookie = {"cookie": f"{COOKIE}={client.cookies[COOKIE]}"}
    out = client.post("/logout")
    assert "still logged in" in out.text and 'href="/login/oidc/end"' in out.text
    client.cookies.clear()
    assert client.get("/v1/me", headers=cookie).status_code == 401, "a copy of the cookie opens nothing"
    there = client.get("/login/oidc/end").headers["location"]
    assert there.startswith(f"{provider.issuer}/oauth2/end_session?")
    assert query_of(there) == {"client_id": CLIENT_ID, "post_logout_redirect_uri": f"{ADDRESS}/login"}


@pytest.mark.parametrize("sub", ["u-4", "u-5"])
def test_whoever_is_in_no_group_is_not_let_in(tmp_path: Path, provider: Provider, sub: str) -> None:
    client = service_of(tmp_path, oidc_of(provider.issuer))
    answer = log_in(client, provider, sub)
    assert answer.status_code == 403 and "no rights" in answer.text
    assert COOKIE not in client.cookies and client.get("/v1/me").status_code == 401


def test_rights_that_the_settings_take_away_end_sessions(tmp_path: Path, provider: Provider) -> None:
    client = service_of(tmp_path, oidc_of(provider.issuer))
    log_in(client, provider, "u-2")
    cookie = {"cookie": f"{COOKIE}={client.cookies[COOKIE]}"}
    fewer = {"coders": {"role": "viewer", "projects": ["clinic"]}}
    lesser = service_of(tmp_path, oidc_of(provider.issuer, groups=fewer))
    assert lesser.get("/v1/me", headers=cookie).json()["projects"] == ["clinic"]
    none = service_of(tmp_path, oidc_of(provider.issuer, groups={"lab-admins": {"role": "admin"}}))
    assert none.get("/v1/me", headers=cookie).status_code == 401
    create_key(tmp_path / "service" / "keys.yaml", name="key", role="admin")
    off = service_of(tmp_path, OidcConfig())
    assert off.get("/v1/me", headers=cookie).status_code == 401


def test_an_answer_to_another_question_is_refused(tmp_path: Path, provider: Provider) -> None:
    client, other = (service_of(tmp_path, oidc_of(provider.issuer)) for _ in range(2))
    back = provider.answer_of(other.get("/login/oidc").headers["location"], "u-1").removeprefix(ADDRESS)
    assert client.get(back).status_code == 403, "a browser that asked nothing"
    client.get("/login/oidc")
    assert client.get(back).status_code == 403, "the state of another browser"
    assert provider.token_requests == [], "its code was not even spent"
    mine = provider.answer_of(client.get("/login/oidc").headers["location"], "u-1").removeprefix(ADDRESS)
    forged = {"cookie": "visionllm_login=" + client.cookies["visionllm_login"][:-3] + "abc"}
    client.cookies.clear()
    assert client.get(mine, headers=forged).status_code == 403


def test_a_code_is_spent_once(tmp_path: Path, provider: Provider) -> None:
    client = service_of(tmp_path, oidc_of(provider.issuer))
    back = provider.answer_of(client.get("/login/oidc").headers["location"], "u-1").removeprefix(ADDRESS)
    kept = {"cookie": f"visionllm_login={client.cookies['visionllm_login']}"}
    assert client.get(back).status_code == 200
    assert client.get(back).status_code == 403, "the cookie of the attempt is gone"
    client.cookies.clear()
    assert client.get(back, headers=kept).status_code == 403, "and the provider refuses the code"


def test_the_code_of_another_attempt_is_refused_by_pkce(tmp_path: Path, provider: Provider) -> None:
    client = service_of(tmp_path, oidc_of(provider.issuer))
    stolen = query_of(provider.answer_of(client.get("/login/oidc").headers["location"], "u-1"))["code"]
    mine = query_of(provider.answer_of(client.get("/login/oidc").headers["location"], "u-2"))
    answer = client.get("/login/oidc/callback", params={**mine, "code": stolen})
    assert answer.status_code == 403, "its ID token has the nonce of the other attempt"
    assert COOKIE not in client.cookies


def test_who_declines_and_what_goes_wrong_there_is_told(tmp_path: Path, provider: Provider) -> None:
    client = service_of(tmp_path, oidc_of(provider.issuer))
    state = query_of(client.get("/login/oidc").headers["location"])["state"]
    answer = client.get("/login/oidc/callback", params={"state": state, "error": "access_denied<script>"})
    assert answer.status_code == 403 and "The provider refused" in answer.text and "<script>a" not in answer.text
    client.get("/login/oidc")
    state = query_of(client.get("/login/oidc").headers["location"])["state"]
    mixed = {"state": state, "code": "x", "iss": "https://evil.example"}
    assert client.get("/login/oidc/callback", params=mixed).status_code == 403, "RFC 9207"
    away = service_of(tmp_path, oidc_of("http://127.0.0.1:9"))
    answer = away.get("/login/oidc")
    assert answer.status_code == 503 and "does not answer as one" in answer.text
    assert answer.headers["retry-after"] == "5"


def test_without_a_provider_there_is_no_such_address(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no API key"):
        service_of(tmp_path, OidcConfig())
    create_key(tmp_path / "service" / "keys.yaml", name="key", role="admin")
    client = service_of(tmp_path, OidcConfig())
    for path in ("/login/oidc", "/login/oidc/callback", "/login/oidc/end"):
        assert client.get(path).status_code == 401
    assert "oidc" not in client.get("/login").text
    assert client.post("/logout", headers={"x-api-key": "x"}).status_code == 401


@pytest.mark.parametrize(
    "change",
    [
        {"client_id": ""},
        {"address": None},
        {"groups": {}},
        {"algorithms": []},
        {"scopes": ["profile"]},
        {"issuer": "http://login.example.org"},
        {"address": "http://videos.example.org"},
        {"issuer": "https://login.example.org?x=1"},
        {"algorithms": ["HS256"]},
        {"algorithms": ["none"]},
        {"groups": {"lab": {"role": "owner"}}},
        {"groups": {"lab": {"role": "admin", "projects": ["../x"]}}},
        {"groups": {"lab": {}}},
    ],
)
def test_settings_that_would_let_in_too_many_are_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(change)).split("_")[0]):
        oidc_of(**{"issuer": ISSUER, **change})


KEY = RSAKey.generate_key(2048, {"kid": "one"})
OTHER_KEY = RSAKey.generate_key(2048, {"kid": "two"})


def client_with(keys: list[Any], issuer: str = ISSUER, **more: Any) -> tuple[OidcClient, list[str]]:
    """A client whose provider publishes these keys, and what it was asked for."""
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.path)
        if request.url.path.endswith("/jwks"):
            return httpx.Response(200, json={"keys": [one.as_dict(private=False) for one in keys]})
        if request.url.path.endswith("openid-configuration"):
            places = {f"{name}_endpoint": f"{ISSUER}/{name}" for name in ("authorization", "token")}
            return httpx.Response(200, json={"issuer": issuer, **places, "jwks_uri": f"{ISSUER}/jwks", **more})
        return httpx.Response(200, json={})

    return OidcClient(oidc_of(ISSUER), transport=httpx.MockTransport(answer)), asked


def good_claims() -> dict[str, Any]:
    now = int(time.time())
    return {"iss": ISSUER, "sub": "u-1", "aud": CLIENT_ID, "exp": now + 300, "iat": now, "nonce": "n"}


def token_of(
    change: Callable[[dict[str, Any]], Any] = lambda _: None, *, key: Any = KEY, header: dict[str, Any] | None = None
) -> str:
    claims = good_claims()
    change(claims)
    chosen = {"alg": "RS256", "kid": "one", **(header or {})}
    return jwt.encode(chosen, claims, key, algorithms=[chosen["alg"]])


def test_a_token_that_holds() -> None:
    client, asked = client_with([KEY])
    assert client.claims(token_of(), nonce="n")["sub"] == "u-1"
    assert client.claims(token_of(lambda c: c.update(aud=["x", CLIENT_ID], azp=CLIENT_ID)), nonce="n")
    assert client.claims(token_of(lambda c: c.update(exp=int(time.time()) - 30)), nonce="n"), "clocks differ a little"
    assert asked == ["/lab/.well-known/openid-configuration", "/lab/jwks"], "kept, not asked each time"


@pytest.mark.parametrize(
    ("change", "key", "header"),
    [
        (lambda c: c.update(iss="https://evil.example"), KEY, {}),
        (lambda c: c.update(iss=ISSUER + "/"), KEY, {}),
        (lambda c: c.pop("iss"), KEY, {}),
        (lambda c: c.update(aud="another"), KEY, {}),
        (lambda c: c.update(aud=[]), KEY, {}),
        (lambda c: c.pop("aud"), KEY, {}),
        (lambda c: c.update(aud=[CLIENT_ID, "another"]), KEY, {}),
        (lambda c: c.update(aud=[CLIENT_ID, "another"], azp="another"), KEY, {}),
        (lambda c: c.update(azp="another"), KEY, {}),
        (lambda c: c.update(exp=int(time.time()) - 120), KEY, {}),
        (lambda c: c.update(exp="tomorrow"), KEY, {}),
        (lambda c: c.pop("exp"), KEY, {}),
        (lambda c: c.update(iat=int(time.time()) + 600), KEY, {}),
        (lambda c: c.pop("iat"), KEY, {}),
        (lambda c: c.update(nbf=int(time.time()) + 600), KEY, {}),
        (lambda c: c.update(nonce="another"), KEY, {}),
        (lambda c: c.pop("nonce"), KEY, {}),
        (lambda c: c.pop("sub"), KEY, {}),
        (lambda c: c.update(sub=""), KEY, {}),
        (lambda _: None, OTHER_KEY, {}),  # signed by another key under a known name
        (lambda _: None, OTHER_KEY, {"kid": "two"}),  # by a key that the provider does not publish
        (lambda _: None, KEY, {"alg": "RS512"}),  # by an algorithm that is not accepted
    ],
)
def test_a_token_that_does_not(change: Callable[[dict[str, Any]], Any], key: Any, header: dict[str, Any]) -> None:
    client, _ = client_with([KEY])
    with pytest.raises(OidcRefusal):
        client.claims(token_of(change, key=key, header=header), nonce="n")


def part_of(content: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(content).encode()).rstrip(b"=").decode()


def test_a_token_without_a_signature_or_signed_with_what_everybody_knows() -> None:
    client, _ = client_with([KEY])
    unsigned = f"{part_of({'alg': 'none'})}.{part_of(good_claims())}."
    begin = f"{part_of({'alg': 'HS256', 'kid': 'one'})}.{part_of(good_claims())}"
    by_public_key = hmac.new(KEY.as_pem(private=False), begin.encode(), "sha256").digest()
    signature = base64.urlsafe_b64encode(by_public_key).rstrip(b"=").decode()
    for text in (unsigned, f"{begin}.{signature}", "", "a.b.c", "nonsense", token_of()[:-4]):
        with pytest.raises(OidcRefusal):
            client.claims(text, nonce="n")


def test_new_keys_of_the_provider_are_asked_for_once() -> None:
    keys = [KEY]
    client, asked = client_with(keys)
    client.claims(token_of(), nonce="n")
    keys.append(OTHER_KEY)
    assert client.claims(token_of(key=OTHER_KEY, header={"kid": "two"}), nonce="n")
    assert asked.count("/lab/jwks") == 2
    with pytest.raises(OidcRefusal):
        client.claims(token_of(key=OTHER_KEY, header={"kid": "three"}), nonce="n")
    assert asked.count("/lab/jwks") == 3


def test_a_provider_that_is_another_or_sends_elsewhere_is_not_used() -> None:
    for client, _ in (
        client_with([KEY], issuer="https://evil.example"),
        client_with([KEY], token_endpoint="http://login.example.org/token"),
        client_with([KEY], authorization_endpoint="javascript:alert(1)"),
    ):
        with pytest.raises(ServiceError, match="does not answer as one"):
            client.authorization_url(Attempt.begin())
    client, _ = client_with([KEY])
    attempt = Attempt.begin()
    with pytest.raises(ServiceError, match="does not answer as one"):
        client.person(attempt, {"state": attempt.state, "code": "x"})  # its answer has no ID token


@pytest.mark.parametrize(
    "place", ["https://[::1/jwks", "https://x:y/", "https://" + "a" * 64 + ".invalid/", "https://"]
)
def test_an_address_that_is_none_is_the_fault_of_the_provider(place: str) -> None:
    about = {"issuer": ISSUER, **{f"{name}_endpoint": place for name in ("authorization", "token")}, "jwks_uri": place}
    client = OidcClient(oidc_of(ISSUER))  # over the network: these addresses are looked at before anything is sent
    client._json = lambda *_: _Provider.model_validate(about)  # type: ignore[method-assign, assignment]
    client._provider.get()
    del client._json
    attempt = Attempt.begin()
    for ask in (
        lambda: client.claims(token_of(), nonce="n"),
        lambda: client.person(attempt, {"state": attempt.state, "code": "x"}),
    ):
        with pytest.raises(ServiceError, match="does not answer as one"):
            ask()


@pytest.mark.parametrize(
    "bad",
    [
        {"kty": "EC", "crv": "BP-256", "x": "AA", "y": "AA", "kid": "one"},
        {"kty": "RSA", "kid": "three"},
        {"kty": "RSA", "n": "%%%", "e": "AQAB"},
        {"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"},
        {"kty": ["RSA"]},
        {"kty": "oct", "k": "c2VjcmV0"},
        {},
    ],
)
def test_a_key_that_cannot_be_read_spoils_no_other(bad: dict[str, Any]) -> None:
    class Published:
        def as_dict(self, *, private: bool) -> dict[str, Any]:
            return bad

    client, _ = client_with([Published(), KEY])
    assert client.claims(token_of(), nonce="n")["sub"] == "u-1"
    alone, _ = client_with([Published()])
    with pytest.raises(ServiceError, match="does not answer as one"):
        alone.claims(token_of(), nonce="n")


def test_a_token_that_names_no_key_holds_with_any_of_the_provider() -> None:
    curve = ECKey.generate_key("P-384", {"kid": "curve"})
    small = ECKey.generate_key("P-256", {"kid": "small"})
    of_encoding = RSAKey.import_key(OTHER_KEY.as_dict(private=True), {"kid": "other", "alg": "PS256"})
    client, asked = client_with([curve, of_encoding, small, KEY])
    for key, algorithm in ((KEY, "RS256"), (KEY, "PS256"), (small, "ES256")):
        assert (
            client.claims(jwt.encode({"alg": algorithm}, good_claims(), key, algorithms=[algorithm]), nonce="n")["sub"]
            == "u-1"
        )
    assert asked.count("/lab/jwks") == 1
    stranger = RSAKey.generate_key(2048)
    for algorithm, key in (("RS256", stranger), ("RS256", OTHER_KEY)):  # the second's key is for PS256 only
        with pytest.raises(OidcRefusal):
            client.claims(jwt.encode({"alg": algorithm}, good_claims(), key, algorithms=[algorithm]), nonce="n")
    with pytest.raises(OidcRefusal):
        client.claims(jwt.encode({"alg": "RS256"}, {**good_claims(), "aud": "another"}, KEY), nonce="n")


def test_new_keys_are_asked_for_where_tokens_name_none() -> None:
    keys = [KEY]
    client, _ = client_with(keys)
    client.claims(token_of(), nonce="n")
    keys[:] = [OTHER_KEY]
    assert client.claims(jwt.encode({"alg": "RS256"}, good_claims(), OTHER_KEY), nonce="n")


class _Hanging(httpx.BaseTransport):
    """A provider that does not answer from some request on, until it is let go.

    Args:
        from_path: end of the path of the first request that hangs.
    """

    def __init__(self, from_path: str) -> None:
        self.from_path = from_path
        self.go_on = threading.Event()
        self.asked: list[str] = []

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request.url.path)
        if request.url.path.endswith(self.from_path):
            assert self.go_on.wait(30)
            raise httpx.ReadTimeout("too slow")
        places = {f"{name}_endpoint": f"{ISSUER}/{name}" for name in ("authorization", "token")}
        return httpx.Response(200, json={"issuer": ISSUER, **places, "jwks_uri": f"{ISSUER}/jwks"})


def _in_threads(number: int, ask: Callable[[], object]) -> tuple[list[threading.Thread], list[str]]:
    found: list[str] = []

    def run() -> None:
        try:
            ask()
        except ServiceError as error:
            found.append(error.found or "")

    threads = [threading.Thread(target=run) for _ in range(number)]
    for one in threads:
        one.start()
    return threads, found


@pytest.mark.parametrize("ask", [OidcClient.end_session_url, lambda one: one.authorization_url(Attempt.begin())])
def test_a_provider_that_hangs_holds_one_thread_and_is_left_alone_for_a_while(
    monkeypatch: pytest.MonkeyPatch, ask: Callable[[OidcClient], object]
) -> None:
    hanging = _Hanging("openid-configuration")
    client = OidcClient(oidc_of(ISSUER), transport=hanging)
    threads, found = _in_threads(20, lambda: ask(client))
    wait_for(lambda: len(found) == 19, seconds=10)
    assert set(found) == {"it has not answered yet"} and len(hanging.asked) == 1
    hanging.go_on.set()
    for one in threads:
        one.join(10)
    assert "ReadTimeout" in found[-1]
    with pytest.raises(ServiceError) as error:
        ask(client)
    assert "ReadTimeout" in (error.value.found or "")
    assert len(hanging.asked) == 1, "what went wrong a moment ago is not tried again"
    hanging.from_path = "nothing"
    monkeypatch.setattr(client._provider, "_ask_again_at", 0.0)
    ask(client)
    assert len(hanging.asked) == 2, "and then it is"


def test_a_provider_that_hangs_at_codes_holds_few_threads() -> None:
    hanging = _Hanging("token")
    client = OidcClient(oidc_of(ISSUER), transport=hanging)
    client.end_session_url()
    attempt = Attempt.begin()
    threads, found = _in_threads(20, lambda: client.person(attempt, {"state": attempt.state, "code": "x"}))
    wait_for(lambda: len(found) == 20 - CODES_AT_ONCE, seconds=10)
    assert hanging.asked.count("/lab/token") == CODES_AT_ONCE
    hanging.go_on.set()
    for one in threads:
        one.join(10)
    assert len(found) == 20
    with pytest.raises(ServiceError, match="ReadTimeout"):
        client.person(attempt, {"state": attempt.state, "code": "x"})


def test_what_is_known_serves_while_it_is_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    hanging = _Hanging("nothing")
    client = OidcClient(oidc_of(ISSUER), transport=hanging)
    address = client.authorization_url(Attempt.begin())
    monkeypatch.setattr(client._provider, "_fresh_until", 0.0)
    hanging.from_path = "openid-configuration"
    threads, found = _in_threads(1, client.end_session_url)
    wait_for(lambda: len(hanging.asked) == 2, seconds=10)
    assert client.authorization_url(Attempt.begin()).split("?")[0] == address.split("?")[0]
    hanging.go_on.set()
    threads[0].join(10)
    assert "ReadTimeout" in found[0]


@pytest.mark.browser
def test_in_a_browser_from_log_in_to_log_out(tmp_path: Path, provider: Provider) -> None:
    port = free_port()
    oidc = oidc_of(provider.issuer, address=f"http://127.0.0.1:{port}")
    with (
        page_server(tmp_path, tmp_path / "store", port=port, insecure=False, oidc=oidc) as address,
        chromium() as browser,
    ):
        page = open_page(browser)
        page.goto(f"{address}/ui/videos/x")
        page.click("text=Log in with the account of your institution")
        until(page, "location.hostname === 'localhost'")
        page.click("button:has-text('u-1')")
        until(page, "location.pathname === '/ui/'")
        page.wait_for_selector("text=Log out")
        assert page.evaluate("fetch('/v1/me').then((one) => one.json())")["name"] == "anna"
        page.click("text=Log out")
        page.wait_for_selector("text=You are logged out here")
        page.click("text=Log out there, too")
        until(page, f"location.hostname !== '{urlsplit(address).hostname}' || location.pathname === '/login'")
        page.goto(f"{address}/ui/")
        page.wait_for_selector("text=Log in with the account of your institution")
        assert faults_of(page) == []
