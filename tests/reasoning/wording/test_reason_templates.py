"""Templates fill sheets; replies are kept by digest."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
from scripted import scripted

from visionllm_interaction.cli import app
from visionllm_interaction.cli.output import run_app
from visionllm_interaction.errors import UsageError
from visionllm_interaction.reasoning import EndpointConfig, ReasonConfig, ask
from visionllm_interaction.reasoning.question_templates import BUILT_IN, FilledRow, FilledSheet, fill_template

MINE = """
name: mine
per: {per}
outputs:
  ball: How long was the ball visible?
  toys: Which toys did the child hold?
  mood: Was the child happy?
text: "{{video_id}}: ball {{ball}}, held {{toys}}, mood {{mood}}"
"""


def _template(folder: Path, per: str) -> str:
    path = folder / "mine.yaml"
    path.write_text(MINE.format(per=per), encoding="utf-8")
    return str(path)


def test_rows_per_video_and_what_cannot_be_told(two_videos: Path, tmp_path: Path) -> None:
    result = fill_template(_template(tmp_path, "video"), two_videos)
    first, second = result.rows
    assert first.outputs == {"ball": 10.0, "toys": "book, cup", "mood": None}
    assert first.text == "room_s7_000: ball 10 s, held book, cup, mood no value"
    assert second.outputs["ball"] == 2.0
    assert "feelings" in result.refused["mood"]
    assert len(result.sha256) == 64


def test_rows_per_window_and_per_bout(one_video: Path, tmp_path: Path) -> None:
    windows = fill_template(_template(tmp_path, "window\nwindow_s: 8"), one_video).rows
    assert [(row.begin_s, row.end_s, row.outputs["ball"]) for row in windows] == [
        (0.0, 8.0, 6.0),
        (8.0, 16.0, 4.0),
        (16.0, 20.0, 0.0),
    ]
    per = "bout\nbouts: {predicate: near, subject: child, object: caregiver}"
    bouts = fill_template(_template(tmp_path, per), one_video).rows
    assert [(row.begin_s, row.end_s, row.outputs["ball"]) for row in bouts] == [
        (6.0, 9.0, 3.0),
        (11.0, 12.0, 1.0),
    ]


@pytest.mark.parametrize("name", BUILT_IN)
def test_built_in_templates_fill_to_csv(
    two_videos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    out = tmp_path / "sheet.csv"
    assert run_app(app, ["ask", "--template", name, "--store", str(two_videos), "--out", str(out), "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    rows = list(csv.DictReader(io.StringIO(out.read_text(encoding="utf-8"))))
    assert len(rows) == len(result["rows"]) >= 2
    assert result["refused"] == {}


@pytest.mark.parametrize(
    "text",
    [
        "name: x",
        "name: x\noutputs: {a: How many balls are there?}\ntext: '{b}'",
        "name: x\nper: window\noutputs: {a: Q}",
        "name: '../x'\noutputs: {a: Q}",
        "- no mapping",
    ],
)
def test_bad_templates_are_refused(two_videos: Path, tmp_path: Path, text: str) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match="template cannot be used"):
        fill_template(str(path), two_videos)


def test_csv_runs_no_formula() -> None:
    row = FilledRow("=cmd()", 0.0, 1.0, {"a": "+1"}, units={"a": None}, reasons={}, text=None, claims={"a": ()})
    sheet = FilledSheet("mine", "0" * 64, "rules", refused={}, rows=(row,))
    assert sheet.to_csv().splitlines()[1] == "'=cmd(),0.0,1.0,'+1,"


def test_the_same_question_is_sent_once_where_replies_are_kept(one_video: Path, tmp_path: Path) -> None:
    reply = {
        "measure": "visible_duration",
        "subject": "ball",
        "predicate": "none",
        "object": "none",
        "begin_s": None,
        "end_s": None,
    }
    question = "For what length of time does one somehow get to see the ball?"
    with scripted(lambda body: json.dumps(reply)) as endpoint:
        kept = EndpointConfig(base_url=endpoint.url, model="m", cache_dir=tmp_path / "kept")
        first, second = (ask(question, one_video, config=ReasonConfig(endpoint=kept)) for _ in range(2))
        assert len(endpoint.requests) == 1
        assert (first.answer, first.claims) == (second.answer, second.claims)
        assert second.tokens == 0
        (file,) = (tmp_path / "kept").glob("*.json")
        file.write_text("damaged", encoding="utf-8")
        ask(question, one_video, config=ReasonConfig(endpoint=kept))
        ask(question, one_video, config=ReasonConfig(endpoint=kept.model_copy(update={"model": "other"})))
        assert len(endpoint.requests) == 3
