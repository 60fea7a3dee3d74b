"""The limits of a turn, set on the command line, reach the table and the answer."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from visionllm_bench.made_videos import made_record
from visionllm_interaction.cli import main
from visionllm_interaction.core.detection_table import DetectionTable
from visionllm_interaction.core.frame_table import FrameTable
from visionllm_interaction.core.tracks_relations_events import Code, Track
from visionllm_interaction.store.writer import publish_video, write_codes


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """Child and caregiver in view for 10 s; the caregiver answers the child after 4 s."""
    index = np.arange(10)
    record = made_record(
        "v",
        duration_s=10.0,
        fps=1.0,
        categories=("child", "caregiver"),
        width=64,
        height=48,
        time_base="1/1",
        n_detections=20,
        n_tracks=2,
    )
    detections = DetectionTable(
        np.repeat(index, 2),
        np.repeat(index, 2).astype(float),
        np.array(["child", "caregiver"] * 10, dtype=object),
        np.full(20, 0.9, np.float32),
        np.tile(np.array([0, 0, 10, 10], np.float32), (20, 1)),
        np.array([1, 2] * 10),
    )
    publish_video(
        tmp_path / "store",
        record,
        frames=FrameTable.from_times(index, index.astype(float), processed=np.ones(10, dtype=bool)),
        detections=detections,
        tracks=[Track(n, who, who, 0.0, 10.0, 10, 0.9) for n, who in ((1, "child"), (2, "caregiver"))],
        relations=[],
        events=[],
    )
    said = [("child", 1.0, 2.0), ("caregiver", 6.0, 7.0)]
    codes = [Code(f"s{n}", "t", "speech", who, "", b, e, "x.eaf") for n, (who, b, e) in enumerate(said)]
    write_codes(tmp_path / "store", "v", codes)
    return tmp_path / "store"


def answer(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *arguments: str) -> dict[str, object]:
    monkeypatch.setattr("sys.argv", ["visionllm", *arguments, "--json"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code in (0, None)
    content: dict[str, object] = json.loads(capsys.readouterr().out)
    return content


@pytest.mark.parametrize(("settings", "count"), [([], 0), (["-o", "measures.turns.preset=lena"], 1)])
def test_settings_of_turns_reach_the_answer_and_its_replay(
    store: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    settings: list[str],
    count: int,
) -> None:
    monkeypatch.chdir(store.parent)
    question = "How many times did the caregiver answer the child?"
    found = answer(capsys, monkeypatch, "ask", question, "--store", str(store), *settings)
    assert found["claims"][0]["value"] == count  # type: ignore[index]
    assert found["evidence"][0]["settings"].startswith(f"max_gap_s={5 if count else 2}")  # type: ignore[index]
    # The plan says by which limits it was run, so a replay without the settings computes the same.
    (store.parent / "answer.json").write_text(json.dumps(found), encoding="utf-8")
    again = answer(capsys, monkeypatch, "replay", "answer.json", "--store", str(store))
    assert again["status"] == "holds"


def test_settings_of_turns_reach_the_table(
    store: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(store.parent)
    table = ["measures", "--store", str(store), "--out", "m.csv", "-o", "measures.turns.max_gap_s=4"]
    answer(capsys, monkeypatch, *table)
    rows = [line for line in (store.parent / "m.csv").read_text(encoding="utf-8").splitlines() if "turn_count" in line]
    assert len(rows) == 2 and all('"max_gap_s=4 max_overlap_s=1"' in row for row in rows)
