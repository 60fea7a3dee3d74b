"""Answers as streams of events: stages, sentences that are proven, the answer; and what is wrong with each status."""

from __future__ import annotations

import asyncio
import json
import threading
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from chromium import chromium, faults_of, open_page, page_server, until
from coded_videos import make_video
from fastapi import HTTPException
from scripted import last_text, scripted
from starlette.requests import ClientDisconnect
from starlette.testclient import TestClient

from visionllm_interaction.analysis import AnalysisConfig
from visionllm_interaction.client import AsyncClient, Client, ServiceProblem
from visionllm_interaction.client.event_lines import AnswerEvents
from visionllm_interaction.reasoning import EndpointConfig, ReasonConfig
from visionllm_interaction.reasoning.answers import Answer, AnswerStage, Claim
from visionllm_interaction.server.app import create_app
from visionllm_interaction.server.auth.api_keys import create_key, list_keys, revoke_key
from visionllm_interaction.server.config import ServeConfig, ServeLimits
from visionllm_interaction.server.http import event_streams

QUESTION = "How long is the child visible?"
RULES = ReasonConfig(planner="rules")


@pytest.fixture
def config(tmp_path: Path) -> ServeConfig:
    config = ServeConfig(data_dir=tmp_path / "service", page=False)
    make_video(config.store_dir, {"child": [(0, 5)], "caregiver": [(2, 4)]}, "visit")
    return config


def client_of(config: ServeConfig, reason: ReasonConfig = RULES, **more: Any) -> TestClient:
    app = create_app(config, analysis=AnalysisConfig(), reason=reason)
    return TestClient(app, base_url="http://127.0.0.1:8000", raise_server_exceptions=False, **more)


@pytest.fixture
def client(config: ServeConfig) -> Iterator[TestClient]:
    key = create_key(config.keys_path, name="anna", role="viewer")
    yield client_of(config, headers={"X-API-Key": key})


def events(text: str) -> list[tuple[str, Any]]:
    blocks = [block.split("\n") for block in text.split("\n\n") if block and not block.startswith(":")]
    return [(name.removeprefix("event: "), json.loads(data.removeprefix("data: "))) for name, data in blocks]


def test_stages_then_proven_sentences_then_the_answer_of_ask(client: TestClient) -> None:
    body = {"question": QUESTION, "video_id": "visit"}
    answer = client.post("/v1/ask/events", json=body)
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert "etag" not in answer.headers and answer.headers["cache-control"] == "private, no-store"
    told = events(answer.text)
    assert [name for name, _ in told] == ["stage", "stage", "stage", "claim", "answer"]
    assert [content["stage"] for name, content in told if name == "stage"] == ["planning", "evidence", "proof"]
    whole = client.post("/v1/ask", json=body).json()
    assert told[-1][1] == whole
    assert [content for name, content in told if name == "claim"] == whole["claims"]
    follow_up = events(client.post("/v1/ask/events", json={"question": "And the caregiver?", "after": [QUESTION]}).text)
    assert follow_up[-1][1]["status"] == "answered", follow_up[-1][1]["reason"]
    refused = events(client.post("/v1/ask/events", json={"question": "Is the child happy?"}).text)
    assert refused[-1][1]["status"] == "abstained" and "claim" not in {name for name, _ in refused}


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"question": " "}, 422, "VALIDATION"),
        ({"question": "\x1d"}, 422, "VALIDATION"),
        ({"question": "How long?", "after": ["\x1d"]}, 422, "VALIDATION"),
        ({"question": "x" * 501}, 422, "TOO-LONG"),
        ({"question": QUESTION, "planner": "llm"}, 409, "NO-ENDPOINT"),
    ],
)
def test_what_cannot_be_asked_has_its_status(client: TestClient, body: dict[str, Any], status: int, code: str) -> None:
    answer = client.post("/v1/ask/events", json=body)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.headers["content-type"] == "application/problem+json"


def test_an_empty_store_and_too_many_streams_have_theirs(tmp_path: Path, config: ServeConfig) -> None:
    empty = ServeConfig(data_dir=tmp_path / "empty", page=False, insecure=True)
    answer = client_of(empty).post("/v1/ask/events", json={"question": QUESTION})
    assert (answer.status_code, answer.json()["code"]) == (409, "EMPTY-STORE")
    client = client_of(config.model_copy(update={"insecure": True, "limits": ServeLimits(max_event_streams=1)}))
    give_back = client.app.state.service.event_streams.take("somebody")  # type: ignore[attr-defined]
    full = client.post("/v1/ask/events", json={"question": QUESTION})
    give_back()
    assert (full.status_code, full.json()["code"], full.headers["retry-after"]) == (503, "STREAMS", "5")
    assert client.post("/v1/ask/events", json={"question": QUESTION}).status_code == 200


def test_a_fault_after_the_beginning_is_the_last_event(
    config: ServeConfig, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    reason = ReasonConfig(
        endpoint=EndpointConfig(base_url="http://127.0.0.1:9/v1", model="away", timeout_s=5), on_unreachable="fail"
    )
    config = config.model_copy(update={"insecure": True})
    client = client_of(config, reason)
    told = events(client.post("/v1/ask/events", json={"question": QUESTION, "planner": "llm"}).text)
    assert [name for name, _ in told] == ["stage", "problem"]
    assert told[-1][1]["status"] == 503 and told[-1][1]["instance"] == "/v1/ask/events"
    reader = AnswerEvents()
    assert reader.read("event: problem") is None
    with pytest.raises(ServiceProblem) as problem:
        reader.read(f"data: {json.dumps(told[-1][1])}")
    assert (problem.value.status, problem.value.message) == (503, told[-1][1]["detail"])
    monkeypatch.setattr("visionllm_interaction.reasoning.pipeline.compose_claims", _breaks)
    broken = events(client_of(config).post("/v1/ask/events", json={"question": QUESTION}).text)
    assert broken[-1][0] == "problem" and broken[-1][1]["code"] == "INTERNAL"
    assert "secret" not in json.dumps(broken) and "secret of the inside" in caplog.text


def test_a_fault_that_nobody_hears_any_more_is_in_the_log(
    config: ServeConfig, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    go_on = threading.Event()

    def breaks_late(*_: Any) -> Any:
        assert go_on.wait(30)
        raise RuntimeError("secret of the inside")

    monkeypatch.setattr("visionllm_interaction.reasoning.pipeline.compose_claims", breaks_late)
    app = client_of(config.model_copy(update={"insecure": True})).app
    asyncio.run(_ask_and_hang_up(app, after=go_on.set))
    assert caplog.text.count("RuntimeError: secret of the inside") == 1


async def _ask_and_hang_up(app: Any, *, after: Callable[[], None]) -> None:
    """Ask, hang up at the first event, and wait until the answer is made.

    Args:
        app: the application.
        after: called once the client is gone.
    """
    body = json.dumps({"question": QUESTION}).encode()
    sent: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    messages = [{"type": "http.request", "body": body}]
    gone = asyncio.Event()

    async def receive() -> dict[str, Any]:
        if not messages:
            await gone.wait()
        return messages.pop() if messages else {"type": "http.disconnect"}

    headers = [(b"host", b"127.0.0.1"), (b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    scope = {"type": "http", "method": "POST", "path": "/v1/ask/events", "query_string": b"", "headers": headers}
    asked = asyncio.create_task(app({**scope, "http_version": "1.1", "scheme": "http"}, receive, sent.put))
    while not (await sent.get()).get("body"):
        pass
    gone.set()
    await asyncio.wait_for(asked, 10)
    streams = app.state.service.event_streams
    assert streams.number == 1, "it is counted while it is being made"
    after()
    async with asyncio.timeout(10):
        while streams.number:
            await asyncio.sleep(0.02)
    await asyncio.sleep(0)


def test_streams_are_counted_when_they_are_asked_for() -> None:
    streams = event_streams.EventStreams(5, 3)
    both_ready, taken = threading.Barrier(20), []

    def ask(who: str) -> None:
        both_ready.wait()
        with suppress(HTTPException):
            taken.append((who, streams.take(who)))

    threads = [threading.Thread(target=ask, args=(f"key {n % 2}",)) for n in range(20)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert len(taken) == streams.number == 5, "those of one moment do not pass together"
    assert max(Counter(who for who, _ in taken).values()) == 3
    for _, give_back in taken:
        give_back()
        give_back()
    assert streams.number == 0 and not streams._open


def test_nobody_takes_the_streams_of_the_others(config: ServeConfig) -> None:
    limits = ServeLimits(max_event_streams=4, max_event_streams_per_key=2)
    keys = [create_key(config.keys_path, name=name, role="viewer") for name in ("anna", "bo")]
    [anna, _] = list_keys(config.keys_path)
    client = client_of(config.model_copy(update={"limits": limits}))
    streams = client.app.state.service.event_streams  # type: ignore[attr-defined]
    for _ in range(2):
        streams.take(anna.id)  # as those of answers that are made for nobody
    full, other = (
        client.post("/v1/ask/events", json={"question": QUESTION}, headers={"X-API-Key": key}) for key in keys
    )
    assert (full.status_code, full.json()["code"], full.headers["retry-after"]) == (503, "STREAMS", "5")
    assert other.status_code == 200
    assert streams.number == 2


def test_a_stream_that_is_never_read_is_given_back() -> None:
    """As an answer to HEAD, or one whose client is gone before its first event."""
    ended: list[bool] = []

    async def events() -> AsyncIterator[bytes]:
        yield b""

    async def fails(_: Any) -> None:
        raise OSError

    async def receive() -> dict[str, Any]:
        await asyncio.sleep(10)
        return {"type": "http.disconnect"}

    response = event_streams._EventResponse(events(), lambda: ended.append(True))
    with pytest.raises((OSError, ClientDisconnect)):
        asyncio.run(response({"type": "http", "asgi": {"spec_version": "2.4"}}, receive, fails))
    assert ended == [True]


def _breaks(*_: Any) -> Any:
    raise RuntimeError("secret of the inside")


def test_it_ends_when_the_key_is_revoked(config: ServeConfig) -> None:
    key = create_key(config.keys_path, name="anna", role="viewer")
    create_key(config.keys_path, name="boss", role="admin")

    def revoked(_: dict[str, Any]) -> str:
        if len(list_keys(config.keys_path)) == 2:  # it is asked several times
            revoke_key(config.keys_path, name="anna")
        return "{}"

    with scripted(revoked) as endpoint:
        reason = ReasonConfig(endpoint=EndpointConfig(base_url=endpoint.url, model="scripted"))
        client = client_of(config, reason, headers={"X-API-Key": key})
        answer = client.post("/v1/ask/events", json={"question": QUESTION, "planner": "llm"})
    assert {name for name, _ in events(answer.text)} == {"stage"}, "neither a sentence nor the answer"


def test_it_is_in_the_audit_log(config: ServeConfig, client: TestClient) -> None:
    client.post("/v1/ask/events", json={"question": QUESTION, "video_id": "visit"})
    boss = create_key(config.keys_path, name="boss", role="admin")
    rows = client_of(config).get("/v1/audit", headers={"X-API-Key": boss}).json()["rows"]
    assert [(row["action"], row["who"], row["video_id"]) for row in rows] == [("ask", "anna", "visit")]


def test_a_proxy_hears_that_the_model_still_thinks(config: ServeConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_streams, "SIGN_OF_LIFE_S", 0.05)
    go_on = threading.Event()
    threading.Timer(0.5, go_on.set).start()
    with scripted(lambda _: "{}" if go_on.wait(10) else "") as endpoint:
        reason = ReasonConfig(endpoint=EndpointConfig(base_url=endpoint.url, model="scripted"))
        client = client_of(config.model_copy(update={"insecure": True}), reason)
        text = client.post("/v1/ask/events", json={"question": QUESTION, "planner": "llm"}).text
    assert text.count(": still here\n\n") >= 3
    assert events(text)[-1][0] == "answer"


@pytest.mark.parametrize("mark", ["\x85", "\u2028", "\u2029", "\n", "\r"])
def test_no_mark_in_a_name_breaks_an_event_apart(config: ServeConfig, mark: str) -> None:
    client = client_of(config.model_copy(update={"insecure": True}))
    text = client.post("/v1/ask/events", json={"question": f"How long is the gr{mark}u visible?"}).text
    assert mark not in text.replace("\n", "") if mark != "\n" else True
    reader = AnswerEvents()
    found = [one for line in text.splitlines() if (one := reader.read(line)) is not None]
    assert isinstance(found[-1], Answer)


def test_the_client_follows_an_answer(tmp_path: Path) -> None:
    make_video(tmp_path / "store", {"child": [(0, 5)]}, "visit")
    with page_server(tmp_path, tmp_path / "store", reason=RULES) as address:
        with Client(address) as client:
            told = list(client.stream_answer(QUESTION, video_id="visit"))
            with pytest.raises(ServiceProblem, match="interface") as refused:
                list(client.stream_answer(" "))

        async def follow() -> list[AnswerStage | Claim | Answer]:
            async with AsyncClient(address) as client:
                return [one async for one in client.stream_answer(QUESTION, video_id="visit")]

        assert asyncio.run(follow()) == told
        with Client(address) as client:
            assert told[-1] == client.ask(QUESTION, video_id="visit")
    assert refused.value.status == 422
    assert [type(one) for one in told] == [AnswerStage, AnswerStage, AnswerStage, Claim, Answer]
    with Client("http://127.0.0.1:9") as nobody, pytest.raises(ServiceProblem, match="does not answer"):
        list(nobody.stream_answer(QUESTION))


def test_an_answer_that_is_cut_off_is_no_answer() -> None:
    import httpx

    def cut(_: httpx.Request) -> httpx.Response:
        return httpx.Response(200, text='event: stage\ndata: {"stage": "planning"}\n\n')

    with Client("http://test", transport=httpx.MockTransport(cut)) as client, pytest.raises(ServiceProblem) as problem:
        list(client.stream_answer(QUESTION))
    assert problem.value.problem_code == "CUT-OFF"


@pytest.mark.browser
@pytest.mark.timeout(300)
def test_the_page_shows_the_stages_and_the_proven_sentences_while_it_waits(tmp_path: Path) -> None:
    make_video(tmp_path / "store", {"child": [(0, 5)]}, "visit")
    go_on = threading.Event()

    def reworded(body: dict[str, Any]) -> str:
        assert go_on.wait(60)
        facts = json.loads(last_text(body))
        return json.dumps({"claims": [{**one, "text": f"Overall, {one['text']}"} for one in facts["claims"]]})

    with scripted(reworded) as endpoint:
        reason = ReasonConfig(
            planner="rules", wording="llm", endpoint=EndpointConfig(base_url=endpoint.url, model="slow model")
        )
        with page_server(tmp_path, tmp_path / "store", reason=reason) as address, chromium() as browser:
            for width in (1280, 400):
                go_on.clear()
                page = open_page(browser, width=width)
                page.goto(f"{address}/ui/")
                page.fill(".ask input", QUESTION)
                page.keyboard.press("Enter")
                page.wait_for_selector(".stages .doing:has-text('slow model')")
                done = page.eval_on_selector_all(".stages .done", "all => all.map((one) => one.textContent)")
                assert done == [
                    "Reading the question",
                    "Computing the values",
                    "Computing them again, to prove each sentence",
                ]
                sentence = page.inner_text(".proven")
                assert "visible for 5 s" in sentence and page.query_selector(".claim") is None
                assert page.evaluate("document.querySelector('.answers').ariaBusy") == "true"
                assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
                go_on.set()
                page.wait_for_selector(".claim .chip")
                assert page.inner_text(".claim-text").endswith(sentence)
                assert page.query_selector(".stages") is None
                until(page, "document.querySelector('.ask input').value === ''")
                assert faults_of(page) == []


@pytest.mark.browser
@pytest.mark.timeout(300)
def test_the_page_says_what_went_wrong_on_the_way(tmp_path: Path) -> None:
    make_video(tmp_path / "store", {"child": [(0, 5)]}, "visit")
    reason = ReasonConfig(
        planner="llm",
        on_unreachable="fail",
        endpoint=EndpointConfig(base_url="http://127.0.0.1:9/v1", model="away", timeout_s=5),
    )
    with page_server(tmp_path, tmp_path / "store", reason=reason) as address, chromium() as browser:
        page = open_page(browser)
        page.goto(f"{address}/ui/")
        page.fill(".ask input", QUESTION)
        page.keyboard.press("Enter")
        page.wait_for_selector(".turn .refused")
        assert page.input_value(".ask input") == QUESTION, "to be asked again"
        assert not page.is_disabled(".ask button.primary")
        assert faults_of(page) == []
