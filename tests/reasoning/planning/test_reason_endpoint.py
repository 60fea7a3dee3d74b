"""The llm planner against real local HTTP servers that answer well, badly, late or not at all."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Literal

import pytest

from visionllm_interaction.errors import ConfigError, LLMUnreachable, UsageError
from visionllm_interaction.reasoning import Answer, EndpointConfig, ReasonConfig, ask, ask_async
from visionllm_interaction.reasoning.language.vocabulary import Vocabulary
from visionllm_interaction.reasoning.planning.rule_planner import is_unread, plan_by_rules

QUESTION = "For how long does the footage afford a sight of the ball?"
"""A question that only a language model reads; the first test says so when the rules learn to."""


def draft(measure: str = "visible_duration", subject: str = "ball", **parts: Any) -> str:
    """What a model writes."""
    empty = {"predicate": "none", "object": "none", "begin_s": None, "end_s": None}
    return json.dumps({"measure": measure, "subject": subject, **empty, **parts})


@dataclass
class Reply:
    """One scripted reply: the model's text in a proper completion, or a raw body."""

    text: str | None = None
    status: int = 200
    raw: bytes | None = None
    delay_s: float = 0.0
    finish: str = "stop"
    cut: bool = False

    def body(self) -> bytes:
        if self.raw is not None:
            return self.raw
        completion = {
            "id": "c",
            "object": "chat.completion",
            "created": 0,
            "model": "scripted",
            "choices": [
                {"index": 0, "finish_reason": self.finish, "message": {"role": "assistant", "content": self.text}}
            ],
            "usage": {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110},
        }
        return json.dumps(completion).encode()


@dataclass
class Endpoint:
    """A running scripted endpoint; the last reply is repeated, requests are kept."""

    url: str
    replies: list[Reply]
    requests: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)

    def next(self) -> Reply:
        return self.replies[min(len(self.requests), len(self.replies)) - 1]


def _handler(endpoint: Endpoint, done: threading.Event) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers["Content-Length"])
            endpoint.requests.append({"path": self.path, **json.loads(self.rfile.read(length))})
            endpoint.headers.append({name.lower(): value for name, value in self.headers.items()})
            reply = endpoint.next()
            done.wait(reply.delay_s)
            body = reply.body()
            try:
                self.send_response(reply.status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body[: len(body) // 2] if reply.cut else body)
            except OSError:
                return
            if reply.cut:
                self.connection.shutdown(socket.SHUT_RDWR)

        def log_message(self, *args: object) -> None:
            return

    return Handler


@pytest.fixture
def serve() -> Iterator[Callable[..., Endpoint]]:
    servers: list[ThreadingHTTPServer] = []
    done = threading.Event()

    def start(*replies: Reply) -> Endpoint:
        endpoint = Endpoint("", list(replies))
        server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(endpoint, done))
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        endpoint.url = f"http://127.0.0.1:{server.server_address[1]}/v1"
        return endpoint

    yield start
    done.set()
    for server in servers:
        server.shutdown()
        server.server_close()


def put(question: str, store: Path, endpoint: Endpoint, **settings: Any) -> Answer:
    config = EndpointConfig.model_validate(
        {"base_url": endpoint.url, "model": "scripted", "timeout_s": 20.0, **settings}
    )
    return ask(question, store, config=ReasonConfig(endpoint=config), planner="llm")


@pytest.mark.parametrize("question", [QUESTION, f"{QUESTION[:-1]} in video room_s7_001?"])
def test_the_rules_do_not_read_the_question(vocabulary: Vocabulary, question: str) -> None:
    plan = plan_by_rules(question, vocabulary)
    assert is_unread(plan), f"choose another question for the tests of this file: the rules read this one as {plan}"


def test_good_plan_is_computed_by_code(serve: Callable[..., Endpoint], one_video: Path) -> None:
    endpoint = serve(Reply(draft()))
    answer = put(QUESTION, one_video, endpoint)
    assert (answer.status, answer.answer) == ("answered", "The ball was visible for 10 s.")
    assert (answer.planner, answer.model, answer.tokens) == ("llm", "scripted", 110)
    assert len(endpoint.requests) == 1


def test_what_the_model_is_sent(
    serve: Callable[..., Endpoint], two_videos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_KEY", "sesame")
    endpoint = serve(Reply(draft()))
    put(f"{QUESTION[:-1]} in video room_s7_001?", two_videos, endpoint, api_key_env="MY_KEY")
    (request,) = endpoint.requests
    assert request["path"] == "/v1/chat/completions"
    assert (request["temperature"], request["seed"], request["max_tokens"]) == (0.0, 7, 200)
    assert endpoint.headers[0]["authorization"] == "Bearer sesame"
    schema = request["response_format"]["json_schema"]["schema"]
    assert set(schema["properties"]["subject"]["enum"]) == {"ball", "none"}  # only what the question speaks of
    assert set(schema["properties"]["object"]["enum"]) == {"ball", "none"}
    assert "tools" not in request
    sent = json.dumps(request["messages"])
    assert "image" not in sent
    assert "room_s7" not in sent  # videos are found by code, so that a large store costs no more tokens


def test_the_key_is_not_taken_from_elsewhere(
    serve: Callable[..., Endpoint], one_video: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "secret-of-another-service")
    endpoint = serve(Reply(draft()))
    put(QUESTION, one_video, endpoint)
    assert "secret-of-another-service" not in json.dumps(endpoint.headers)


def test_limit_under_its_other_name(serve: Callable[..., Endpoint], one_video: Path) -> None:
    endpoint = serve(Reply(draft()))
    put(QUESTION, one_video, endpoint, max_completion_tokens=True)
    assert endpoint.requests[0]["max_completion_tokens"] == 200
    assert "max_tokens" not in endpoint.requests[0]


# a first reply that must be sent back
BAD: dict[str, str] = {
    "prose": "The ball was visible for 99 seconds.",
    "half of a JSON object": '{"measure": "visible_duration", "subj',
    "a name not in the store": draft(subject="dog"),
    "a measure not in the catalogue": draft(measure="happiness"),
    "an extra key with a value": draft(value=99.0),
    "a name the question does not speak of": draft(subject="cup"),
    "a pair without an object": draft(measure="near_duration"),
    "a pair of one thing": draft(measure="near_duration", object="ball"),
    "a count for a duration": draft(measure="instance_count"),
    "no subject": draft(subject="none"),
    "SQL for a name": draft(subject="ball'; DROP TABLE tracks; --"),
}


@pytest.mark.parametrize("kind", BAD)
def test_bad_reply_is_sent_back_and_the_next_one_taken(
    serve: Callable[..., Endpoint], one_video: Path, kind: str
) -> None:
    endpoint = serve(Reply(BAD[kind]), Reply(draft()))
    answer = put(QUESTION, one_video, endpoint)
    assert answer.answer == "The ball was visible for 10 s."
    assert len(endpoint.requests) == 2
    assert answer.usage.requests == 2
    assert answer.tokens == 220


@pytest.mark.parametrize("kind", BAD)
def test_always_bad_ends_in_a_refusal(serve: Callable[..., Endpoint], one_video: Path, kind: str) -> None:
    endpoint = serve(Reply(BAD[kind]))
    answer = put(QUESTION, one_video, endpoint, retries=1)
    assert (answer.status, answer.claims, answer.planner) == ("abstained", (), "llm")
    assert "model" in (answer.reason or "")
    assert "99" not in json.dumps(answer.to_json()["claims"])
    assert len(endpoint.requests) == 2
    assert answer.tokens == 220


# question, a plan its words forbid, a part of the objection
FORBIDDEN: tuple[tuple[str, str, str], ...] = (
    (
        "How long was the child near the caregiver and the ball?",
        draft("near_duration", "child", object="caregiver"),
        "speaks of 'ball', which the plan leaves out",
    ),
    ("How often was the ball visible?", draft("visible_duration"), "bout_count would"),
    ("When did one get sight of the ball?", draft("visible_duration"), "or last_seen would"),
    (
        "How long did the child touch the ball?",
        draft("near_duration", "child", object="ball"),
        "asks about in_contact, not about near",
    ),
    (
        "How long was the ball visible, roughly from the 5th to the 10th second?",
        draft("visible_duration"),
        "which the plan's window leaves out",
    ),
    ("From when on can one see the ball?", draft("last_seen"), "first_seen would"),
    ("When had the ball gone missing for good?", draft("first_seen"), "last_seen would"),
    ("When was the ball first gone somewhere?", draft("last_seen"), "does not answer"),
    ("When did the ball somehow come back?", draft("first_seen"), "single occurrences"),
    ("How many balls are there?", draft("bout_count", predicate="visible"), "instance_count would"),
    ("How long was the ball visible?", draft("longest_bout", predicate="visible"), "visible_duration would"),
    ("What is the longest time that one sees the ball?", draft("visible_duration"), "longest_bout would"),
    # a condition must not be lost, nor turned into another measure
    (
        "How long was the ball visible after the caregiver sang?",
        draft("co_presence_duration", object="caregiver"),
        "condition 'the caregiver sang'",
    ),
    (
        "How long was the ball visible when the caregiver was busy?",
        draft("co_presence_duration", object="caregiver"),
        "condition 'the caregiver was busy'",
    ),
    ("How long was the ball visible towards the end?", draft(end_s=10.0), "counted from its start"),
    ("How long was the ball seen somewhere in the second half?", draft(), "counted from its start"),
    ("How many balls were there at 12 seconds?", draft("instance_count", begin_s=12.0), "single moments"),
    (
        "How often was the ball somewhere visible for more than 2 s?",
        draft("bout_count", predicate="visible"),
        "thresholds",
    ),
    ("How long was the ball never visible?", draft("visible_duration"), "what did not happen"),
    ("Was the child happy about the ball?", draft("near_duration", "child", object="ball"), "feelings"),
)


@pytest.mark.parametrize(("question", "reply", "objection"), FORBIDDEN)
def test_plans_that_the_words_forbid_are_refused(
    serve: Callable[..., Endpoint], one_video: Path, question: str, reply: str, objection: str
) -> None:
    answer = put(question, one_video, serve(Reply(reply)), retries=0)
    assert answer.status == "abstained"
    # What the words forbid is mostly not in the schema any more; what is, is objected to.
    assert objection in (answer.reason or "") or "do not fit the schema" in (answer.reason or "")


def test_two_questions_in_one_are_two_requests(serve: Callable[..., Endpoint], one_video: Path) -> None:
    lengths = draft("holding_duration", "child", object="cup")
    times = draft("bout_count", predicate="holding", subject="child", object="cup")
    endpoint = serve(Reply(lengths), Reply(times))
    answer = put(
        "For how long did the child somehow grip the cup, and how many times did one see the child grip it?",
        one_video,
        endpoint,
    )
    assert answer.answer == "The child held the cup for 3.5 s. The child held the cup 2 times."
    assert (len(endpoint.requests), answer.tokens) == (2, 220)


def test_invented_window_is_not_used(serve: Callable[..., Endpoint], one_video: Path) -> None:
    answer = put(QUESTION, one_video, serve(Reply(draft(begin_s=3.0, end_s=4.0))))
    assert (answer.plan.steps[0].begin_s, answer.plan.steps[0].end_s) == (None, None)
    assert answer.claims[0].value == 10.0


def test_said_window_is_read_by_code(serve: Callable[..., Endpoint], one_video: Path) -> None:
    question = "All in all, for how long does one really get to see the ball somewhere between 0:05 and 0:10?"
    answer = put(question, one_video, serve(Reply(draft(begin_s=5.0, end_s=100.0))))
    assert (answer.plan.steps[0].begin_s, answer.plan.steps[0].end_s) == (5.0, 10.0)
    assert answer.claims[0].value == 4.0


@pytest.mark.parametrize(
    ("words", "begin_s", "end_s"),
    [
        ("within the opening ten seconds", None, 10.0),
        ("in the first minute", None, 60.0),
        ("after half a minute", 30.0, None),
        ("between five and twelve seconds", 5.0, 12.0),
    ],
)
def test_window_in_words_is_not_lost(
    serve: Callable[..., Endpoint], one_video: Path, words: str, begin_s: float | None, end_s: float | None
) -> None:
    answer = put(f"For how long does one get to see the ball somewhere {words}?", one_video, serve(Reply(draft())))
    assert (answer.plan.steps[0].begin_s, answer.plan.steps[0].end_s) == (begin_s, end_s)


def test_unanswerable_is_a_plan_too(serve: Callable[..., Endpoint], one_video: Path) -> None:
    answer = put("How long was the dog visible?", one_video, serve(Reply(draft("unanswerable", "none"))))
    assert answer.status == "abstained"
    assert "'dog' is not in the store" in (answer.reason or "")


def test_unknown_video_is_refused_without_asking(serve: Callable[..., Endpoint], one_video: Path) -> None:
    endpoint = serve(Reply(draft()))
    answer = put("How long was the ball visible in video room_s7_009?", one_video, endpoint)
    assert "no video 'room_s7_009'; did you mean room_s7_000?" in (answer.reason or "")
    assert endpoint.requests == []


def test_reply_cut_off_at_the_token_limit_is_refused(serve: Callable[..., Endpoint], one_video: Path) -> None:
    answer = put(QUESTION, one_video, serve(Reply('{"measure": "visible', finish="length")))
    assert answer.status == "abstained"
    assert "did not end within 200 tokens" in (answer.reason or "")


UNREACHABLE: dict[str, Reply] = {
    "500": Reply(status=500, raw=b'{"error": {"message": "boom"}}'),
    "503": Reply(status=503, raw=b"busy"),
    "429": Reply(status=429, raw=b'{"error": {"message": "slow down"}}'),
    "401": Reply(status=401, raw=b'{"error": {"message": "wrong key"}}'),
    "404": Reply(status=404, raw=b"<html>not found</html>"),
    "a web page": Reply(raw=b"<html><body>Welcome</body></html>"),
    "JSON of another kind": Reply(raw=b'{"hello": "world"}'),
    "nothing": Reply(raw=b""),
    "half a reply": Reply(draft(), cut=True),
}


@pytest.mark.parametrize("kind", UNREACHABLE)
def test_no_endpoint_is_exit_4_with_the_remedy(serve: Callable[..., Endpoint], one_video: Path, kind: str) -> None:
    endpoint = serve(UNREACHABLE[kind])
    with pytest.raises(LLMUnreachable) as caught:
        put(QUESTION, one_video, endpoint)
    error = caught.value
    assert (error.exit_code, error.code) == (4, "LLM-UNREACHABLE")
    assert endpoint.url in (error.where or "")
    assert "--planner rules" in (error.fix or "")
    if kind.isdigit():
        assert kind in (error.found or "")


# what goes wrong once, before the endpoint answers as it should
ONCE: dict[str, Reply] = {
    **{kind: UNREACHABLE[kind] for kind in ("500", "503", "429", "half a reply")},
    **{kind: Reply(BAD[kind]) for kind in ("prose", "half of a JSON object", "a measure not in the catalogue")},
}


@pytest.mark.parametrize("kind", ONCE)
def test_what_goes_wrong_once_ends_in_the_right_answer(
    serve: Callable[..., Endpoint], one_video: Path, kind: str
) -> None:
    endpoint = serve(ONCE[kind], Reply(draft()))
    answer = put(QUESTION, one_video, endpoint)
    assert (answer.status, answer.claims[0].value) == ("answered", 10.0)
    assert len(endpoint.requests) == 2


def _closed_port() -> str:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{free.getsockname()[1]}/v1"


def test_closed_port_is_exit_4(one_video: Path) -> None:
    with pytest.raises(LLMUnreachable, match="Connection error"):
        put(QUESTION, one_video, Endpoint(_closed_port(), []))


def test_slow_endpoint_ends_at_the_timeout(serve: Callable[..., Endpoint], one_video: Path) -> None:
    begin = time.monotonic()
    with pytest.raises(LLMUnreachable, match=r"within 1 s"):
        put(QUESTION, one_video, serve(Reply(draft(), delay_s=30.0)), timeout_s=1.0)
    assert time.monotonic() - begin < 10.0


def test_rules_stand_in_where_that_is_allowed(one_video: Path) -> None:
    endpoint = EndpointConfig(base_url=_closed_port(), model="m")
    config = ReasonConfig(endpoint=endpoint, on_unreachable="rules")
    answer = ask("How long was the ball visible?", one_video, config=config)
    assert (answer.planner, answer.model, answer.answer) == ("rules", None, "The ball was visible for 10 s.")


def in_a_cell(question: str, store: Path, config: ReasonConfig, planner: Literal["rules", "llm"]) -> Answer:
    """``ask`` as a notebook cell calls it: on the thread whose event loop is running."""

    async def cell() -> Answer:
        return ask(question, store, config=config, planner=planner)

    return asyncio.run(cell())


@pytest.mark.parametrize("wording", ["code", "llm"])
def test_ask_works_where_an_event_loop_is_running(
    serve: Callable[..., Endpoint], one_video: Path, wording: Literal["code", "llm"]
) -> None:
    endpoint = serve(Reply(draft()), Reply(json.dumps({"claims": []})))
    config = ReasonConfig(endpoint=EndpointConfig(base_url=endpoint.url, model="scripted"), wording=wording)
    answer = in_a_cell(QUESTION, one_video, config, "llm")
    assert (answer.status, answer.answer) == ("answered", "The ball was visible for 10 s.")
    assert len(endpoint.requests) == (1 if wording == "code" else 2)


def test_failures_keep_their_names_where_an_event_loop_is_running(one_video: Path) -> None:
    config = ReasonConfig(endpoint=EndpointConfig(base_url=_closed_port(), model="m"))
    with pytest.raises(LLMUnreachable, match="Connection error"):
        in_a_cell(QUESTION, one_video, config, "llm")
    allowed = config.model_copy(update={"on_unreachable": "rules"})
    assert in_a_cell("How long was the ball visible?", one_video, allowed, "llm").planner == "rules"


def test_ask_async_gives_the_same_answer_and_lets_other_tasks_run(
    serve: Callable[..., Endpoint], one_video: Path
) -> None:
    config = ReasonConfig(
        endpoint=EndpointConfig(base_url=serve(Reply(draft(), delay_s=0.3)).url, model="scripted"), planner="llm"
    )
    ticks: list[float] = []

    async def tick() -> None:
        while True:
            ticks.append(time.monotonic())
            await asyncio.sleep(0.01)

    async def both() -> Answer:
        ticking = asyncio.create_task(tick())
        answer = await ask_async(QUESTION, str(one_video), config=config)
        ticking.cancel()
        return answer

    assert asyncio.run(both()) == ask(QUESTION, one_video, config=config)
    assert len(ticks) > 10  # a blocked loop would tick once or twice


def test_cancelling_ask_async_ends_the_wait(serve: Callable[..., Endpoint], one_video: Path) -> None:
    config = ReasonConfig(
        endpoint=EndpointConfig(base_url=serve(Reply(draft(), delay_s=30.0)).url, model="m"), planner="llm"
    )

    async def impatient() -> None:
        await asyncio.wait_for(ask_async(QUESTION, one_video, config=config), timeout=0.5)

    begin = time.monotonic()
    with pytest.raises(TimeoutError):
        asyncio.run(impatient())
    assert time.monotonic() - begin < 10.0


def test_ask_async_by_rules_checks_as_ask_does(one_video: Path) -> None:
    question = "How long was the ball visible?"
    assert asyncio.run(ask_async(question, one_video)) == ask(question, one_video)
    with pytest.raises(UsageError, match="empty"):
        asyncio.run(ask_async("  ", one_video))
    with pytest.raises(ConfigError, match="endpoint"):
        asyncio.run(ask_async(question, one_video, planner="llm"))
