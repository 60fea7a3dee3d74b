"""The names Python users import, what they return, and what importing them costs."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from statistics import median

import pandas as pd
import pytest
from api_store import VIDEO, make_api_store

import visionllm_interaction as v

NAMES = [
    "AnalysisResult",
    "Answer",
    "Claim",
    "Detections",
    "Detector",
    "Evaluation",
    "ExportResult",
    "ImportResult",
    "MeasuresTable",
    "PipelineResult",
    "QueryResult",
    "QueryRow",
    "Store",
    "VideoResult",
    "VideoTable",
    "VideoView",
    "VisionLLMError",
    "__version__",
    "analyze",
    "ask",
    "ask_async",
    "evaluate",
    "export",
    "import_codes",
    "load_detector",
    "measures",
    "open_store",
    "query",
    "run_pipeline",
]


@pytest.fixture(scope="module")
def store_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_api_store(tmp_path_factory.mktemp("api") / "store")


def test_the_names_are_these_and_each_loads() -> None:
    assert sorted(v.__all__) == NAMES
    assert set(dir(v)) == set(NAMES)
    for name in NAMES:
        assert getattr(v, name) is not None
    with pytest.raises(AttributeError, match="open_stores"):
        v.open_stores  # noqa: B018


def test_importing_loads_neither_torch_nor_arrow_and_costs_little() -> None:
    code = "import sys, visionllm_interaction as v; sorted(v.__all__); print(len(sys.modules))"
    heavy = "print([m for m in ('torch', 'pyarrow', 'numpy', 'pydantic', 'structlog') if m in sys.modules])"
    loaded = subprocess.run([sys.executable, "-c", f"{code}; {heavy}"], capture_output=True, text=True, check=True)
    assert loaded.stdout.splitlines()[1] == "[]"

    def seconds(source: str) -> float:
        begin = time.perf_counter()
        subprocess.run([sys.executable, "-c", source], stdout=subprocess.DEVNULL, check=True)
        return time.perf_counter() - begin

    pairs = [(seconds("pass"), seconds(code)) for _ in range(5)]
    assert median(ours for _, ours in pairs) <= 3 * median(bare for bare, _ in pairs)


def test_a_store_works_without_with_and_gives_typed_rows(store_path: Path) -> None:
    store = v.open_store(str(store_path))
    video = store[VIDEO]
    assert list(store) == [VIDEO] and VIDEO in store and len(store) == 1
    assert {track.role for track in video.tracks} == {"child", "caregiver", None}
    assert video.relations[0].predicate == "near" and video.relations[0].duration_s == pytest.approx(0.6)
    assert video.events[0].track_ids == (1, 2)
    assert [row.processed for row in video.frames][:3] == [True, True, True]
    assert video.detections[-1].x1 < video.detections[-1].x2
    assert [track.track_id for track in video.tracks[1:]] == [2, 3]
    assert video.tracks.to_pandas()["category"].tolist() == ["child", "adult", "ball"]
    assert video.tracks.to_arrow().num_rows == 3
    store.close()
    with pytest.raises(v.VisionLLMError, match="nope"):
        v.open_store(store_path)["nope"]


def test_what_a_person_looks_at_shows_well_and_escaped(store_path: Path) -> None:
    with v.open_store(store_path) as store:
        assert VIDEO in store._repr_html_() and "1 video" in repr(store)
        assert "fr&lt;ont&gt;.mp4" in store._repr_html_()
        assert repr(store[VIDEO].tracks).startswith("<3 tracks>")
        assert "<table>" in store[VIDEO].tracks._repr_html_()
    answer = v.ask("How long were the child and the caregiver near each other?", str(store_path), planner="rules")
    assert answer.status == "answered" and answer.claims[0].value == pytest.approx(0.6)
    assert "0.6" in str(answer) and "answered" in repr(answer) and "near_duration" in answer._repr_html_()
    assert len(answer.to_pandas()) == len(answer.evidence) > 0


def test_measures_is_a_function_and_a_package(store_path: Path) -> None:
    from visionllm_interaction.measures.catalogue import MEASURES

    table = v.measures(str(store_path))
    frame = table.to_pandas()
    assert set(frame["measure"]) <= set(MEASURES)
    near = frame.query("measure == 'near_duration' and subject == 'caregiver' and object == 'child'")
    assert near["value"].tolist() == pytest.approx([0.6])
    assert "measures of 1 videos" in repr(table) and "<table>" in table._repr_html_()
    with v.open_store(store_path) as store:
        # Not to the last digit: the order in which a database adds up numbers differs from run to run.
        pd.testing.assert_frame_equal(v.measures(store).to_pandas(), frame, rtol=1e-9)


def test_a_table_of_measures_is_written_as_csv_or_parquet(store_path: Path, tmp_path: Path) -> None:
    table = v.measures(store_path)
    assert table.write(str(tmp_path / "m.csv")).read_text().startswith('"video_id"')
    with pytest.raises(v.VisionLLMError, match=r"\.parquet"):
        table.write(tmp_path / "m.xlsx")


def test_codes_come_in_and_go_out(store_path: Path, tmp_path: Path) -> None:
    coded = tmp_path / "coded.csv"
    coded.write_text("tier,participant,label,begin_s,end_s\nspeech,child,ba,0.1,0.3\n")
    imported = v.import_codes(str(coded), str(store_path), video_id=VIDEO)
    assert imported.codes == 1 and imported.tiers["speech"].kind == "speech"
    exported = v.export(str(store_path), str(tmp_path / "out"), format="eaf")
    assert [file.path.suffix for file in exported.files] == [".eaf"]


def test_tracks_as_xarray_have_the_layout_of_movement(store_path: Path) -> None:
    with v.open_store(store_path) as store:
        data = store.to_xarray()
    assert data.position.dims == ("time", "space", "individuals")
    assert data.individuals.values.tolist() == ["child_1", "caregiver_2", "ball_3"]
    assert data.attrs["ds_type"] == "bboxes" and data.attrs["time_unit"] == "seconds"
    first = data.sel(individuals="child_1").isel(time=0)
    assert first.position.values.tolist() == [60.0, 90.0] and first["shape"].values.tolist() == [20.0, 60.0]
    assert bool(data.position.sel(individuals="ball_3").isnull()[0].all())
    assert data.processed.values.tolist() == [True] * 9 + [False]
