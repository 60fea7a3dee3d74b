"""Out of a store and into one: every format, what is imported, scene graphs, and text for a prompt."""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import jsonschema
import pytest
import structlog
from exchange_store import make_store

from visionllm_interaction.cli import app
from visionllm_interaction.cli.output import run_app
from visionllm_interaction.errors import InputDataError, UsageError
from visionllm_interaction.interop.formats.boris import read_boris
from visionllm_interaction.interop.import_codes import import_codes
from visionllm_interaction.interop.registry import ENDINGS, export, read_timelines
from visionllm_interaction.measures.api import Query, run_query
from visionllm_interaction.store.reader import open_store
from visionllm_interaction.store.scene_graph import (
    CHARACTERS_PER_TOKEN,
    SceneGraph,
    TimelineDocument,
    brief,
    scene_graph,
    timeline_document,
)

SCHEMAS = Path(__file__).parents[2] / "docs" / "schemas"
TEXT_FORMATS = ("eaf", "boris", "datavyu", "textgrid", "csv", "parquet")


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return make_store(tmp_path / "store")


@pytest.mark.parametrize("format_", TEXT_FORMATS)
def test_every_format_holds_every_stretch(store: Path, tmp_path: Path, format_: str) -> None:
    result = export(store, tmp_path / "out", format=format_)
    [file] = result.files
    path = file.path
    assert path.name == f"a{ENDINGS[format_]}" and path.stat().st_size == file.bytes
    [timeline] = read_timelines(path).values()
    # Two tracks in view (one of them twice), three bouts, two events.
    assert timeline.count() == 3 + 3 + 2
    labels = {(tier.name.split(": ")[-1], i.label) for tier in timeline.tiers for i in tier.intervals}
    assert {("child 1 holding", "cup 2"), ("picks_up", "child 1, cup 2"), ("cup 2 in view", "cup")} <= labels


def test_boris_knows_points_from_states(store: Path, tmp_path: Path) -> None:
    export(store, tmp_path, format="boris")
    project = json.loads((tmp_path / "a.boris").read_text())
    kinds = {b["code"]: b["type"] for b in project["behaviors_conf"].values()}
    assert (kinds["picks_up"], kinds["child 1 near"]) == ("Point event", "State event")
    assert read_boris(tmp_path / "a.boris")["a"].media == "/videos/a.mp4"


def test_coco_has_every_looked_at_frame_and_every_seen_box(store: Path, tmp_path: Path) -> None:
    export(store, tmp_path, format="coco")
    content = json.loads((tmp_path / "a.coco.json").read_text())
    assert len(content["images"]) == 98 and len(content["annotations"]) == 106
    names = {c["id"]: c["name"] for c in content["categories"]}
    first = content["annotations"][0]
    assert names[first["category_id"]] == "child" and first["bbox"] == [0.0, 0.0, 10.0, 10.0]
    assert first["attributes"] == {"track_id": 1, "confidence": 0.9}
    assert {a["image_id"] for a in content["annotations"]} <= {image["id"] for image in content["images"]}


def test_exports_are_refused_with_the_known_formats(store: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="textgrid"):
        export(store, tmp_path, format="docx")
    with pytest.raises(InputDataError, match="not there as it was analysed"):
        export(store, tmp_path, format="mp4")


def test_rerun_recordings_or_how_to_get_them(store: Path, tmp_path: Path) -> None:
    if find_spec("rerun") is None:
        with pytest.raises(UsageError, match=r"visionllm-interaction\[rerun\]"):
            export(store, tmp_path, format="rrd")
        return
    [file] = export(store, tmp_path, format="rrd").files
    assert file.path.read_bytes()[:3] == b"RRF" and file.bytes > 1000


def test_what_is_imported_can_be_measured(store: Path, tmp_path: Path) -> None:
    coded = tmp_path / "coded.csv"
    coded.write_text(
        "tier,participant,label,begin_s,end_s\n"
        "gaze,child,cup,1.0,2.5\n"
        "words,child,ba,3.0,3.5\nwords,caregiver,a cup!,3.75,4.5\n"
        "named,caregiver,cup,4.0,4.5\n"
    )
    kinds = {"words": "speech", "named": "naming"}
    result = import_codes(coded, store, video_id="a", kinds=kinds)
    assert (result.codes, result.tiers["gaze"].kind) == (4, "gaze")
    with open_store(store) as opened:
        [lag] = run_query(opened, Query("turn_lag", "child", "caregiver"))
        [looks] = run_query(opened, Query("longest_bout", "child", "cup", predicate="looks_at"))
        [size] = run_query(opened, Query("size_at_naming", "cup"))
    assert lag.value == pytest.approx(0.25) and looks.value == pytest.approx(1.5)
    # In view from 2 to 5 s of the 6 s around the naming at 4.0 s (3.2 to 7 s was looked at, and 1 to 3).
    assert size.value == pytest.approx(100 / (640 * 480) * 2.8 / 5.8, abs=1e-9)
    with pytest.raises(UsageError, match="'gaze'"):
        import_codes(coded, store, video_id="a", kinds={"gase": "gaze"})
    with pytest.raises(UsageError, match="speech"):
        import_codes(coded, store, video_id="a", kinds={"gaze": "smell"})


@pytest.mark.parametrize("left", [0, 1])
def test_a_file_imported_again_replaces_what_it_brought_also_by_less(store: Path, tmp_path: Path, left: int) -> None:
    header, lines = "tier,participant,label,begin_s,end_s", ["own,child,x,1,2", "own,child,y,3,4"]
    coded, other = tmp_path / "coded.csv", tmp_path / "other.csv"
    for path in (coded, other):
        path.write_text("\n".join([header, *lines]) + "\n")
        import_codes(path, store, video_id="a")
    coded.write_text("\n".join([header, *lines[:left]]) + "\n")
    assert import_codes(coded, store, video_id="a").codes == left
    with open_store(store) as opened:
        sources = [code.source for code in opened.codes("a") if code.tier == "own"]
    assert (sources.count("coded.csv"), sources.count("other.csv")) == (left, 2)


FULL_AND_EMPTIED = {
    "look.srt": ("1\n00:00:01,000 --> 00:00:02,000\nball\n", ("", "\ufeff\n")),
    "look.vtt": ("WEBVTT\n\n00:01.000 --> 00:02.000\nball\n", ("WEBVTT\n\n", "")),
    "look.csv": ("tier,participant,label,begin_s,end_s\nx,child,ball,1,2\n", ("", "tier,begin_s,end_s\n")),
    "look.rttm": ("SPEAKER look 1 1.0 1.0 <NA> <NA> KCHI <NA> <NA>\n", ("",)),
}


@pytest.mark.parametrize("name", FULL_AND_EMPTIED)
def test_a_file_emptied_to_the_last_byte_replaces_what_it_brought(store: Path, tmp_path: Path, name: str) -> None:
    full, emptied = FULL_AND_EMPTIED[name]
    file = tmp_path / name
    for text in emptied:
        file.write_text(full, encoding="utf-8")
        assert import_codes(file, store, video_id="a").codes == 1
        file.write_text(text, encoding="utf-8")
        assert import_codes(file, store, video_id="a").codes == 0
        with open_store(store) as opened:
            assert name not in {code.source for code in opened.codes("a")}


def test_a_file_with_several_observations_needs_a_choice(store: Path, tmp_path: Path) -> None:
    content = {
        "behaviors_conf": {},
        "observations": {"one": {"events": []}, "two": {"events": [[1.0, "", "x", "", ""]]}},
    }
    (tmp_path / "p.boris").write_text(json.dumps(content))
    with pytest.raises(UsageError, match="--observation"):
        import_codes(tmp_path / "p.boris", store, video_id="a")
    assert import_codes(tmp_path / "p.boris", store, video_id="a", observation="two").codes == 1


@pytest.fixture
def own_logging() -> Iterator[None]:
    """Commands point the log at standard error, which here is gone after the test."""
    yield
    structlog.reset_defaults()


@pytest.mark.usefixtures("own_logging")
def test_commands(store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["export", "--store", str(store), "--format", "eaf", "--out", str(tmp_path / "out"), "--json"]
    assert run_app(app, arguments) == 0
    path = json.loads(capsys.readouterr().out)["files"][0]["path"]
    arguments = ["import", path, "--store", str(store), "--video", "a", "--kind", "child 1 near=gaze", "--json"]
    assert run_app(app, arguments) == 0
    assert json.loads(capsys.readouterr().out)["tiers"]["child 1 near"] == {
        "kind": "gaze",
        "participant": "child",
        "codes": 1,
    }
    assert run_app(app, ["export", "--store", str(store), "--format", "docx", "--out", str(tmp_path)]) == 2
    assert run_app(app, ["import", path, "--store", str(store), "--video", "zz"]) == 3
    assert run_app(app, ["migrate", "--store", str(store)]) == 0


def test_scene_graphs_and_timelines_follow_their_published_schemas(store: Path) -> None:
    with open_store(store) as opened:
        graph, timeline = scene_graph(opened, "a", 35), timeline_document(opened, "a")
        assert not scene_graph(opened, "a", 30).processed
        with pytest.raises(UsageError, match="0 to 99"):
            scene_graph(opened, "a", 100)
    for document, name in ((graph, "scene-graph"), (timeline, "timeline")):
        schema = json.loads((SCHEMAS / f"{name}.schema.json").read_text())
        jsonschema.validate(json.loads(document.model_dump_json()), schema)
    assert [(node.track_id, node.role) for node in graph.nodes] == [(1, "child"), (2, None)]
    assert {(e.subject_track_id, e.predicate, e.object_track_id) for e in graph.edges} == {
        (1, "near", 2),
        (1, "holding", 2),
    }
    assert timeline.processed_s == pytest.approx(9.8)


@pytest.mark.parametrize(("model", "name"), [(SceneGraph, "scene-graph"), (TimelineDocument, "timeline")])
def test_published_schemas_are_those_of_the_code(model: type[SceneGraph], name: str) -> None:
    assert json.loads((SCHEMAS / f"{name}.schema.json").read_text()) == model.model_json_schema(mode="serialization")


def test_text_for_a_prompt_keeps_to_its_budget(store: Path) -> None:
    with open_store(store) as opened:
        timeline = timeline_document(opened, "a")
    whole = brief(timeline, max_tokens=10_000)
    assert whole.splitlines()[0] == "video a: 10.0 s, looked at 9.8 s"
    assert "2.5-5.0 child#1 holding cup#2" in whole and "left out" not in whole
    for budget in range(1, 200):
        text = brief(timeline, max_tokens=budget)
        assert len(text) <= budget * CHARACTERS_PER_TOKEN
        kept = [line for line in text.splitlines() if "left out" not in line]
        assert kept == whole.splitlines()[: len(kept)]
        if text and len(kept) < len(whole.splitlines()) and "left out" in text:
            assert f"({len(whole.splitlines()) - len(kept)} lines left out)" in text
