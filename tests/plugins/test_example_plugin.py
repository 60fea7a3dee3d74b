"""The example package's four plug-ins, through the public functions and through the commands."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from plugin_store import FRAMES, STEP_PX, STEP_S, WIDTH

import visionllm_interaction as v
from visionllm_interaction.artifacts.raw_file_index import read_index
from visionllm_interaction.datasets.ingestion.config import IngestConfig
from visionllm_interaction.datasets.ingestion.stage import run as ingest
from visionllm_interaction.datasets.ingestion.stage import sources_changed
from visionllm_interaction.errors import AnnotationError, CheckpointError, InputDataError, UsageError
from visionllm_interaction.interop.registry import read_timelines
from visionllm_interaction.measures.api import Query, run_query

LABELS = "0.1\t0.4\tSpeech of child: ball\n0.5\t0.5\tnote\n"


def images_with_a_lamp(n: int) -> NDArray[np.uint8]:
    """Dark images in which a white square of 16 pixels moves 2 pixels per image, from x = 8."""
    images = np.full((n, 48, 64, 3), 20, np.uint8)
    for number, image in enumerate(images):
        image[16:32, 8 + 2 * number : 24 + 2 * number] = 255
    return images


def spot_file(path: Path, *, threshold: object = 128) -> Path:
    path.write_text(json.dumps({"category": "lamp", "threshold": threshold}))
    return path


def boxes_csv(root: Path) -> Path:
    """Two images with a box each, and a row about an image that is not there."""
    (root / "images").mkdir(parents=True)
    for name in ("a.png", "b.png"):
        Image.new("RGB", (64, 48)).save(root / "images" / name)
    rows = ("image,label,x,y,width,height", "a.png,cup,1,2,10,12.5", "b.png,ball,3,4,5,6", "c.png,ball,0,0,1,1")
    (root / "boxes.csv").write_text("\n".join(rows) + "\n")
    return root


def clip(path: Path) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=10)
        stream.height, stream.width, stream.pix_fmt, stream.options = 48, 64, "yuv420p", {"crf": "1"}
        for number, image in enumerate(images_with_a_lamp(10)):
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, 10)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def test_a_measure_is_queried_with_its_evidence(example: Path, store: Path) -> None:
    with v.open_store(store) as opened:
        blind, ego, room = run_query(opened, Query("path_length", "ball"))
        part = run_query(opened, Query("path_length", "ball", video_id="room", begin_s=0.2, end_s=0.6))[0]
        still = run_query(opened, Query("path_length", "child", video_id="room"))[0]
    assert room.value == pytest.approx((FRAMES - 1) * STEP_PX / WIDTH) and room.unit == "widths"
    assert (room.track_ids, room.frames, room.settings) == ((2,), (0, 8), "plug-in visionllm-example-plugin 0.1.0")
    assert (room.begin_s, room.end_s) == (0.0, pytest.approx((FRAMES - 1) * STEP_S))
    assert part.value == pytest.approx(3 * STEP_PX / WIDTH) and (part.begin_s, part.end_s) == (0.2, 0.5)
    assert still.value == 0.0 and still.track_ids == (1,)
    assert (ego.value, ego.missing) == (None, "the camera moves with the child")
    # The plug-in found nothing; that nobody looked is known without it.
    assert (blind.value, blind.missing) == (None, "the detector does not look for 'ball'")


def test_a_query_that_does_not_fit_a_plug_ins_measure_is_refused(example: Path, store: Path) -> None:
    with v.open_store(store) as opened:
        with pytest.raises(UsageError, match="about one"):
            run_query(opened, Query("path_length", "ball", "child"))
        with pytest.raises(UsageError, match="path_length"):
            run_query(opened, Query("path_lenght", "ball"))


def test_a_measure_stands_in_the_table_beside_the_others(example: Path, store: Path) -> None:
    rows = v.measures(store).to_arrow().to_pylist()
    mine = {(row["video_id"], row["subject"]): row for row in rows if row["measure"] == "path_length"}
    assert set(mine) == {(video, name) for video in ("room", "ego", "blind") for name in ("child", "ball")}
    assert mine["room", "ball"]["value"] == pytest.approx(0.45)
    assert mine["ego", "ball"]["missing"] == "the camera moves with the child"
    binned = v.measures(store, bin_s=0.5).to_arrow().to_pylist()
    halves = [
        row["value"]
        for row in binned
        if (row["measure"], row["video_id"], row["subject"]) == ("path_length", "room", "ball")
    ]
    assert halves == pytest.approx([0.2, 0.2])  # the step from one bin to the next is in neither
    assert {row["measure"] for row in rows} > {"visible_duration", "path_length"}


def test_a_coding_format_is_read_and_written(example: Path, store: Path, tmp_path: Path) -> None:
    coded = tmp_path / "visit.labels.txt"
    coded.write_text(LABELS)
    [(observation, timeline)] = read_timelines(coded).items()
    assert observation == "visit" and [tier.name for tier in timeline.tiers] == ["Speech of child", "labels"]
    result = v.import_codes(coded, store, video_id="room", participants={"Speech of child": "child"})
    assert result.codes == 2 and result.tiers["Speech of child"].kind == "speech"
    [file] = v.export(store, tmp_path / "out", format="audacity", video_id="room").files
    assert file.path.name == "room.labels.txt"
    [back] = read_timelines(file.path).values()
    spoken = [tier for tier in back.tiers if "Speech" in tier.name]
    assert [(i.begin_s, i.end_s) for i in spoken[0].intervals] == [(0.1, 0.4)]


def test_a_fault_in_a_coded_file_names_the_line(example: Path, tmp_path: Path) -> None:
    coded = tmp_path / "visit.labels.txt"
    coded.write_text("0.1\t0.4\tok\n0.1 0.4 spaces\n")
    with pytest.raises(InputDataError, match=r"visit\.labels\.txt:2"):
        read_timelines(coded)
    with pytest.raises(UsageError, match=r"\.labels\.txt"):
        read_timelines(tmp_path / "visit.docx")


def test_an_annotation_format_becomes_a_data_set(example: Path, tmp_path: Path) -> None:
    config = IngestConfig(root=boxes_csv(tmp_path / "shop"), work_dir=tmp_path / "work", limits={"min_free_gb": 0.0})
    manifest = ingest(config, out=tmp_path / "run/data_ingestion")
    assert manifest.source is not None and manifest.source.format == "boxes_csv"
    assert sum(manifest.source.left_out.values()) == 1
    assert manifest.libraries == {"visionllm-example-plugin": "0.1.0"}
    assert manifest.annotations.train is not None
    content = json.loads(Path(manifest.annotations.train).read_text())
    names = {category["id"]: category["name"] for category in content["categories"]}
    boxes = {names[one["category_id"]]: one["bbox"] for one in content["annotations"]}
    assert boxes == {"cup": [1, 2, 10, 12.5], "ball": [3, 4, 5, 6]}


def test_the_annotation_file_itself_can_be_given(example: Path, tmp_path: Path) -> None:
    root = boxes_csv(tmp_path / "shop") / "boxes.csv"
    manifest = ingest(
        IngestConfig(root=root, work_dir=tmp_path / "work", limits={"min_free_gb": 0.0}), out=tmp_path / "run/ingest"
    )
    assert manifest.source is not None and (manifest.source.kind, manifest.source.format) == ("file", "boxes_csv")


def test_another_version_of_the_plug_in_reads_the_source_again(example: Path, tmp_path: Path) -> None:
    config = IngestConfig(root=boxes_csv(tmp_path / "shop"), work_dir=tmp_path / "work", limits={"min_free_gb": 0.0})
    manifest = ingest(config, out=tmp_path / "run/data_ingestion")
    index = read_index(manifest.index if Path(manifest.index).is_absolute() else tmp_path / "run" / manifest.index)
    assert sources_changed(manifest, index) is None
    older = manifest.model_copy(update={"libraries": {"visionllm-example-plugin": "0.0.9"}})
    assert sources_changed(older, index) == "what reads the source changed: visionllm-example-plugin 0.0.9 → 0.1.0"


def test_a_broken_annotation_file_names_the_plug_in(example: Path, tmp_path: Path) -> None:
    root = boxes_csv(tmp_path / "shop")
    (root / "boxes.csv").write_text("image,label,x,y,width,height\na.png,cup,one,2,3,4\n")
    config = IngestConfig(root=root, work_dir=tmp_path / "work", limits={"min_free_gb": 0.0})
    with pytest.raises(AnnotationError, match="boxes_csv of visionllm-example-plugin"):
        ingest(config, out=tmp_path / "run/data_ingestion")


def test_a_detector_is_loaded_by_its_file(example: Path, tmp_path: Path) -> None:
    detector = v.load_detector(spot_file(tmp_path / "lamp.spot.json"))
    assert (detector.name, detector.categories.items[0].name) == ("bright_spot", "lamp")
    first, last = detector.detect(list(images_with_a_lamp(2)))
    assert first.boxes_xyxy.tolist() == [[8, 16, 24, 32]] and last.boxes_xyxy.tolist() == [[10, 16, 26, 32]]
    with pytest.raises(CheckpointError, match="could not convert"):
        v.load_detector(spot_file(tmp_path / "odd.spot.json", threshold="bright"))


def test_names_mean_the_same_tracks_as_in_built_in_measures(store: Path) -> None:
    with v.open_store(store) as opened:
        for name in ("child", "ball", "person", "thing"):
            [seen] = run_query(opened, Query("visible_duration", name, video_id="room"))
            assert tuple(track.track_id for track in opened["room"].tracks_named(name)) == seen.track_ids != ()
        assert opened["room"].tracks_named("cup") == ()


COMMANDS = """
import io, json, sys
from contextlib import redirect_stdout
from visionllm_interaction.cli.application import app
from visionllm_interaction.cli.output import run_app

results = []
for arguments in json.loads(sys.argv[1]):
    with redirect_stdout(io.StringIO()) as out:
        code = run_app(app, arguments)
    results.append([code, json.loads(out.getvalue())])
print(json.dumps(results))
"""


def test_every_kind_works_in_the_commands(example_site: Path, store: Path, tmp_path: Path) -> None:
    (tmp_path / "visit.labels.txt").write_text(LABELS)
    boxes_csv(tmp_path / "shop")
    clip(tmp_path / "lamp.mp4")
    spot_file(tmp_path / "lamp.spot.json")
    seen, out = str(tmp_path / "seen"), str(tmp_path / "table.csv")
    data = [f"data.root={tmp_path / 'shop'}", f"data.work_dir={tmp_path / 'work'}", "data.limits.min_free_gb=0"]
    data.append(f"artifacts_dir={tmp_path / 'artifacts'}")
    commands = [
        ["measures", "--store", str(store), "--out", out],
        ["import", "visit.labels.txt", "--store", str(store), "--video", "room"],
        ["export", "--store", str(store), "--format", "audacity", "--out", "exported"],
        ["ingest", *(text for item in data for text in ("-o", item))],
        ["analyze", "lamp.mp4", "--store", seen, "--detector", "lamp.spot.json"],
    ]
    environment = {**os.environ, "PYTHONPATH": str(example_site)}
    wanted = json.dumps([[*command, "--json"] for command in commands])
    done = subprocess.run(
        [sys.executable, "-c", COMMANDS, wanted], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    (measured, imported, exported, ingested, analyzed) = json.loads(done.stdout)
    assert [code for code, _ in (measured, imported, exported, ingested, analyzed)] == [0] * 5, done.stderr
    assert "path_length" in measured[1]["measures"] and ",path_length," in Path(out).read_text().replace('"', "")
    assert imported[1]["codes"] == 2
    assert (tmp_path / "exported/room.labels.txt").read_text().count("Speech of child: ball") == 1
    assert len(list((tmp_path / "work").rglob("instances_train2017.json"))) == 1
    with v.open_store(seen) as opened:
        [video_id] = opened.video_ids()
        [track] = opened.tracks(video_id)
        assert (track.category, track.n_detections) == ("lamp", 10)
        assert opened.record(video_id).versions["visionllm-example-plugin"] == "0.1.0"
