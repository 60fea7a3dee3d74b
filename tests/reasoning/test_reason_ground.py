"""Phrases → regions, against an oracle over truth.json; looking at images, against an endpoint that checks them."""

from __future__ import annotations

import base64
import io
import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import toyroom_truth
from PIL import Image
from scripted import Scripted, scripted

from visionllm_bench.made_videos import publish_truth
from visionllm_bench.toyroom import ToyRoomConfig, make_toyroom
from visionllm_interaction.cli import app
from visionllm_interaction.cli.output import run_app
from visionllm_interaction.errors import ConfigError, UsageError
from visionllm_interaction.reasoning import EndpointConfig, ReasonConfig
from visionllm_interaction.reasoning.config import VisionConfig
from visionllm_interaction.reasoning.grounding.api import ask_about_phrase, ground_phrase
from visionllm_interaction.reasoning.grounding.phrases import Grounding, ground
from visionllm_interaction.reasoning.grounding.vision import VisionAnswer
from visionllm_interaction.reasoning.language.vocabulary import Vocabulary
from visionllm_interaction.store.reader import open_store

Thing = dict[str, Any]
PEOPLE = ("child", "caregiver")


def _middle(thing: Thing) -> tuple[float, float]:
    x1, y1, x2, y2 = thing["box_xyxy"]
    return (x1 + x2) / 2, (y1 + y2) / 2


def _area(thing: Thing) -> float:
    x1, y1, x2, y2 = thing["box_xyxy"]
    return float((x2 - x1) * (y2 - y1))


def _apart(a: Thing, b: Thing) -> tuple[float, float]:
    ax1, ay1, ax2, ay2 = a["box_xyxy"]
    bx1, by1, bx2, by2 = b["box_xyxy"]
    dx, dy = max(bx1 - ax2, ax1 - bx2, 0), max(by1 - ay2, ay1 - by2, 0)
    (px, py), (qx, qy) = _middle(a), _middle(b)
    return (dx * dx + dy * dy) ** 0.5, ((px - qx) ** 2 + (py - qy) ** 2) ** 0.5


Oracle = Callable[[list[Thing], list[Thing], set[tuple[str, int, int]]], list[int]]


def _ids(things: list[Thing]) -> list[int]:
    return sorted(thing["track_id"] for thing in things)


def _held(things: list[Thing], others: list[Thing], related: set[tuple[str, int, int]]) -> list[int]:
    return _ids([t for t in things if any(("holding", o["track_id"], t["track_id"]) in related for o in others)])


FORMS: dict[str, Oracle] = {
    "the {a}": lambda a, b, r: _ids(a),
    "the leftmost {a}": lambda a, b, r: _ids([min(a, key=lambda t: _middle(t)[0])] if a else []),
    "the rightmost {a}": lambda a, b, r: _ids([max(a, key=lambda t: _middle(t)[0])] if a else []),
    "the largest {a}": lambda a, b, r: _ids([max(a, key=_area)] if a else []),
    "the smallest {a}": lambda a, b, r: _ids([min(a, key=_area)] if a else []),
    "the {a} nearest to the {b}": lambda a, b, r: _ids(
        [min(a, key=lambda t: min(_apart(t, o) for o in b))] if a and b else []
    ),
    "the {a} to the left of the {b}": lambda a, b, r: _ids(
        [t for t in a if any(_middle(t)[0] < _middle(o)[0] for o in b)]
    ),
    "the {a} held by the {b}": _held,
    "the {a} below the {b}": lambda a, b, r: _ids([t for t in a if any(_middle(t)[1] > _middle(o)[1] for o in b)]),
}
NAMES = ("ball", "block", "book", "car", "cup", "teddy bear", "toy")


def measure(folder: Path, *, count: int) -> tuple[int, list[Any]]:
    """How many of ``count`` phrases are grounded exactly as the truth says, and the others."""
    path, truths = toyroom_truth.make_store(folder)
    rng = random.Random(11)
    right = 0
    wrong = []
    with open_store(path) as store:
        vocabulary = Vocabulary.build(store.names(), store.video_ids())
        for n in range(count):
            truth = rng.choice(truths)
            begin, end, objects = rng.choice(truth.frames)
            at = (begin + end) / 2
            form = list(FORMS)[n % len(FORMS)]
            name, person = rng.choice(NAMES), rng.choice(PEOPLE)
            expected = _expected(truth, form, name, person, objects, at)
            phrase = form.format(a=name, b=person)
            found = ground(phrase, store, vocabulary, at_s=at, video_id=truth.video_id)
            got = sorted(region.track_id for region in found.regions)
            right += got == expected
            if got != expected:
                wrong.append((phrase, got, expected))
    return right, wrong


@pytest.mark.slow
def test_two_hundred_phrases_on_toyroom(tmp_path: Path) -> None:
    right, wrong = measure(tmp_path, count=200)
    assert right >= 196, wrong


def _expected(
    truth: toyroom_truth.Truth, form: str, name: str, person: str, objects: list[Thing], at: float
) -> list[int]:
    things = [o for o in objects if (o["category"] == name if name != "toy" else o["category"] not in PEOPLE)]
    others = [o for o in objects if o["category"] == person]
    related = {
        (r["predicate"], r["subject_track_id"], r["object_track_id"])
        for r in truth.content["relations"]
        if r["begin_s"] <= at < r["end_s"]
    }
    return FORMS[form](things, others, related)


class Film:
    """One short ToyRoom video, its store and its images read by other means."""

    def __init__(self, folder: Path) -> None:
        config = ToyRoomConfig(video_width=320, video_height=240, video_seconds=8.0, fps=5.0)
        made = make_toyroom(folder / "toyroom", images=0, videos=1, seed=3, config=config)
        self.path = made.videos[0].path
        content = json.loads(made.videos[0].truth.read_text(encoding="utf-8"))
        self.truth = toyroom_truth.Truth(self.path.stem, content)
        publish_truth(folder / "store", self.path.stem, content, events=False)
        self.store = folder / "store"
        record = self.store / "videos" / self.path.stem / "video.json"
        text = json.loads(record.read_text(encoding="utf-8"))
        text["source"]["path"] = str(self.path)
        record.write_text(json.dumps(text), encoding="utf-8")

    def picture(self, index: int) -> np.ndarray:
        with av.open(str(self.path)) as container:
            for number, frame in enumerate(container.decode(video=0)):
                if number == index:
                    return frame.to_ndarray(format="rgb24")
        raise AssertionError(index)


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Film:
    return Film(tmp_path_factory.mktemp("film"))


@pytest.fixture
def vision() -> Iterator[Scripted]:
    with scripted(lambda body: json.dumps({"answer": "yes"})) as endpoint:
        yield endpoint


def _config(endpoint: Scripted, **look: Any) -> ReasonConfig:
    vision = EndpointConfig(base_url=endpoint.url, model="seer", timeout_s=20.0)
    return ReasonConfig(look=VisionConfig.model_validate({"enabled": True, "blur": "none", "endpoint": vision, **look}))


def _pictures(body: dict[str, Any]) -> list[np.ndarray]:
    parts = [part for part in body["messages"][-1]["content"] if part["type"] == "image_url"]
    uris = [part["image_url"]["url"].partition("base64,")[2] for part in parts]
    return [np.asarray(Image.open(io.BytesIO(base64.b64decode(uri))).convert("RGB")) for uri in uris]


def _look(film: Film, endpoint: Scripted, **settings: Any) -> tuple[VisionAnswer, Grounding]:
    config = _config(endpoint, **settings)
    found = ground_phrase("the toys", film.store, at_s=2.05, config=config)
    assert found.regions
    answer = ask_about_phrase("Is mark 1 on the floor?", "the toys", film.store, at_s=2.05, config=config)
    return answer, found


def test_right_frame_right_crops_and_marks_match_tracks(film: Film, vision: Scripted) -> None:
    answer, found = _look(film, vision)
    assert (answer.status, answer.answer) == ("answered", "yes")
    assert answer.marks == {n: region.track_id for n, region in enumerate(found.regions, start=1)}
    (evidence,) = answer.evidence
    assert (evidence.kind, evidence.frames) == ("visual", (found.frame_index, found.frame_index))
    begin, end, objects = film.truth.frames[found.frame_index]
    assert begin <= 2.05 < end
    boxes = {o["track_id"]: o["box_xyxy"] for o in objects}
    assert all(list(r.box_xyxy) == pytest.approx(boxes[r.track_id]) for r in found.regions)
    (body,) = vision.requests
    whole, *crops = _pictures(body)
    frame = film.picture(found.frame_index)
    assert whole.shape == frame.shape
    assert np.mean(np.all(whole == frame, axis=-1)) > 0.8  # the frame itself, but for the marks
    assert len(crops) == len(found.regions)
    for region, crop in zip(found.regions, crops, strict=True):
        assert _is_part_around(crop, frame, region.box_xyxy)
    assert body["response_format"]["json_schema"]["schema"]["properties"]["answer"]["enum"] == [
        "yes",
        "no",
        "can't tell",
    ]


def _is_part_around(crop: np.ndarray, frame: np.ndarray, box: tuple[float, ...]) -> bool:
    """Whether ``crop`` is a part of ``frame`` that holds ``box``, at most 15 % and a pixel wider on each side."""
    x1, y1, x2, y2 = box
    height, width = crop.shape[:2]
    for left in range(max(0, int(x1 - 0.15 * (x2 - x1)) - 1), int(x1) + 1):
        for top in range(max(0, int(y1 - 0.15 * (y2 - y1)) - 1), int(y1) + 1):
            part = frame[top : top + height, left : left + width]
            if part.shape == crop.shape and np.array_equal(part, crop):
                return left + width >= min(x2, frame.shape[1]) and top + height >= min(y2, frame.shape[0])
    return False


def test_people_are_blurred_when_policy_says_so(film: Film, vision: Scripted) -> None:
    answer, found = _look(film, vision, blur="people")
    assert answer.blurred
    whole = _pictures(vision.requests[0])[0].astype(float)
    frame = film.picture(found.frame_index).astype(float)
    people = [o["box_xyxy"] for o in film.truth.frames[found.frame_index][2] if o["category"] in PEOPLE]
    assert people
    for x1, y1, x2, y2 in people:
        before, after = (_detail(image[y1:y2, x1:x2]) for image in (frame, whole))
        assert after < 0.35 * before


def _detail(image: np.ndarray) -> float:
    """Mean difference between neighbouring pixels, its strongest tenth (marks) left out."""
    steps = np.abs(np.diff(image, axis=1)).mean(axis=-1).ravel()
    return float(np.sort(steps)[: int(0.9 * steps.size)].mean())


def test_nothing_is_sent_when_looking_is_off(film: Film, vision: Scripted) -> None:
    with pytest.raises(ConfigError, match="switched off"):
        ask_about_phrase("Is it red?", "the toys", film.store, at_s=2.05, config=_config(vision, enabled=False))
    with pytest.raises(UsageError, match="nothing to look at"):
        ask_about_phrase("Is it red?", "the giraffe", film.store, at_s=2.05, config=_config(vision))
    assert vision.requests == []


def test_a_model_that_cannot_tell_gives_no_evidence(film: Film) -> None:
    with scripted(lambda body: json.dumps({"answer": "can't tell"})) as endpoint:
        answer, _ = _look(film, endpoint)
    assert (answer.status, answer.answer, answer.evidence) == ("abstained", None, ())


def test_ground_from_the_command_line(film: Film, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["ground", "the toy nearest to the caregiver", "--at", "2.05", "--store", str(film.store), "--json"]
    assert run_app(app, command) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["status"] in ("grounded", "abstained")
    assert run_app(app, ["ground", "the toy", "--at", "99", "--store", str(film.store), "--json"]) == 2
    assert "No frame was processed" in capsys.readouterr().out
