"""The annotated film: the times of the source, and boxes where the store has them."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from exchange_store import make_record
from PIL import Image

from visionllm_interaction.core.detection_table import DetectionTable
from visionllm_interaction.core.frame_table import FrameTable
from visionllm_interaction.core.tracks_relations_events import Track
from visionllm_interaction.errors import UsageError, VideoError
from visionllm_interaction.interop.registry import export
from visionllm_interaction.store.reader import publish_video
from visionllm_interaction.store.video_record import SourceFile
from visionllm_interaction.utils.hashing import sha256_file

TIMES_S = np.array([0.0, 0.04, 0.1, 0.2, 0.24, 0.5, 0.54, 0.58, 0.7, 0.9])


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A grey film of uneven frame times with one box in every other frame."""
    film = tmp_path / "grey.mp4"
    with av.open(str(film), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 160, 120, "yuv420p"
        stream.codec_context.time_base = Fraction(1, 1000)
        for time_s in TIMES_S:
            frame = av.VideoFrame.from_ndarray(np.full((120, 160, 3), 128, np.uint8), format="rgb24")
            frame.pts, frame.time_base = round(time_s * 1000), Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    source = SourceFile(path=str(film), name=film.name, sha256=sha256_file(film), bytes=film.stat().st_size)
    seen = np.arange(0, len(TIMES_S), 2)
    publish_video(
        tmp_path / "store",
        make_record().model_copy(update={"source": source, "width": 160, "height": 120}),
        frames=FrameTable.from_times(np.arange(len(TIMES_S)), TIMES_S, processed=np.ones(len(TIMES_S), bool)),
        detections=DetectionTable(
            seen,
            TIMES_S[seen],
            np.array(["child"] * len(seen), dtype=object),
            np.full(len(seen), 0.9, np.float32),
            np.tile(np.array([40, 30, 120, 100], np.float32), (len(seen), 1)),
            np.full(len(seen), 1),
        ),
        tracks=[Track(1, "child", "child", 0.0, 1.0, len(seen), 0.9)],
        relations=[],
        events=[],
    )
    return tmp_path / "store"


def test_the_film_has_the_times_of_the_source_and_the_boxes_of_the_store(store: Path, tmp_path: Path) -> None:
    [file] = export(store, tmp_path / "out", format="mp4").files
    with av.open(file.path) as container:
        frames = list(container.decode(video=0))
        assert not container.streams.audio
    assert [frame.time for frame in frames] == pytest.approx(TIMES_S.tolist(), abs=2e-5)
    for index, frame in enumerate(frames):
        edge = frame.to_ndarray(format="rgb24")[99, 80].astype(int)
        coloured = bool(np.ptp(edge) > 40)
        assert coloured == (index % 2 == 0), (index, edge)
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["a.mp4"]


def test_pictures_for_correcting_labels_are_those_that_the_annotations_name(store: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    export(store, out, format="coco", images=True, every_s=0.2)
    content = json.loads((out / "a.coco.json").read_text())
    assert [image["timestamp_s"] for image in content["images"]] == [0.0, 0.2, 0.5, 0.7, 0.9]
    assert sorted(p.name for p in (out / "a").iterdir()) == [Path(i["file_name"]).name for i in content["images"]]
    for image in content["images"]:
        with Image.open(out / image["file_name"]) as picture:
            assert picture.size == (image["width"], image["height"]) == (160, 120)
    assert {a["image_id"] for a in content["annotations"]} == {1, 9}
    with pytest.raises(UsageError, match="coco"):
        export(store, out, format="eaf", images=True)


def test_no_film_of_another_video(store: Path, tmp_path: Path) -> None:
    with (tmp_path / "grey.mp4").open("ab") as stream:
        stream.write(b"\0")
    with pytest.raises(VideoError, match="The annotated video cannot be made"):
        export(store, tmp_path / "out", format="mp4")


def test_no_images_of_a_video_that_is_gone(store: Path, tmp_path: Path) -> None:
    (tmp_path / "grey.mp4").rename(tmp_path / "moved.mp4")
    with pytest.raises(VideoError, match="The images of frames cannot be made") as refused:
        export(store, tmp_path / "out", format="coco", images=True)
    assert refused.value.found == "no file"
    assert "new place" in (refused.value.fix or "")
    assert list((tmp_path / "out").iterdir()) == []
