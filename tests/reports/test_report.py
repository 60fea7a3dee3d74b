"""The report: everything it was handed is in it, and it refers to nothing outside itself."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from visionllm_interaction.reports.report_data import (
    EvidenceFrame,
    ImagePair,
    LabelledBoxes,
    QuestionView,
    ReportData,
    ReportedVideo,
    StageRow,
)
from visionllm_interaction.reports.run_report import write_report

NAMES = ("child", "ball")
TIMELINE = {
    "tracks": [
        {"track_id": 1, "category": "child", "begin_s": 0.0, "end_s": 8.0},
        {"track_id": 2, "category": "ball", "begin_s": 1.0, "end_s": 9.0},
    ],
    "relations": [
        {"subject_track_id": 1, "predicate": "near", "object_track_id": 2, "begin_s": 2.0, "end_s": 6.0},
        {"subject_track_id": 1, "predicate": "holding", "object_track_id": 2, "begin_s": 3.0, "end_s": 5.0},
    ],
    "events": [{"kind": "picks_up", "track_ids": [1, 2], "begin_s": 3.0, "end_s": 3.0}],
}
ANSWER = {
    "status": "answered",
    "answer": "The ball was visible for 4.00 s.",
    "evidence": [
        {
            "id": "e1",
            "measure": "visible_duration",
            "value": 4.0,
            "unit": "s",
            "video_id": "v",
            "track_ids": [2],
            "begin_s": 1.0,
            "end_s": 9.0,
            "frames": [25, 225],
        }
    ],
}


def _data() -> ReportData:
    image = np.full((120, 160, 3), 128, np.uint8)
    boxes = LabelledBoxes(np.array([[20.0, 20.0, 60.0, 100.0]]), ("child",), ("child",))
    return ReportData(
        title="A <run> & its report",
        intro="Intro.",
        metrics={"AP": "0.701"},
        stages=(StageRow("ingest", "done", 1.25, (("data_ingestion/data_manifest.yaml", 1234, "ab" * 32),)),),
        images=(ImagePair("000001.jpg", image, boxes, LabelledBoxes.empty()),),
        epochs=({"epoch": 0, "train_loss": 2.0, "AP": 0.1, "AP50": 0.3}, {"epoch": 1, "train_loss": 1.0, "AP": 0.4}),
        videos=(ReportedVideo("v", TIMELINE),),
        questions=(
            QuestionView("How long?", ANSWER, (EvidenceFrame("frame 25", image, boxes),), "4.02", True),
            QuestionView("A dog?", {"status": "abstained", "reason": "no dog in the store"}),
        ),
        next_steps=(("visionllm ask …", "Ask."),),
    )


@pytest.fixture(scope="module")
def html(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = write_report(tmp_path_factory.mktemp("report") / "report.html", _data(), category_names=NAMES)
    return Path(path).read_text(encoding="utf-8")


def test_everything_handed_over_is_shown(html: str) -> None:
    for text in ("0.701", "1,234", "abababababab…", "The ball was visible for 4.00 s.", "frames 25–225", "no dog"):
        assert text in html
    assert html.count("data:image/jpeg;base64,") == 3  # truth, detections, one evidence frame
    assert html.count("<svg") == 2  # curves and one timeline


def test_text_is_escaped(html: str) -> None:
    assert "A &lt;run&gt; &amp; its report" in html
    assert "<run>" not in html


class _References(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.open_tags: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.open_tags.append(tag)
        self.found += [value or "" for name, value in attrs if name in ("src", "href", "xlink:href", "data")]


def test_nothing_outside_the_file_is_referred_to(html: str) -> None:
    parser = _References()
    parser.feed(html)
    outside = [ref for ref in parser.found if not ref.startswith(("data:", "#"))]
    assert outside == []
    assert "script" not in parser.open_tags
    assert re.findall(r"url\((?!#|data:)", html) == []
