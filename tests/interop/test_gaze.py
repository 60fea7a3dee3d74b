"""Gaze of eye trackers: every format gives the same samples, and bouts of looking are those of the truth."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from gaze_scenes import (
    CANARIES,
    DEGREE_PX,
    HEIGHT,
    WIDTH,
    Scene,
    make_gaze_store,
    make_scene,
    write_cloud,
    write_core,
    write_core_export,
    write_glassestools,
    write_neon,
    write_tobii,
)

from visionllm_interaction.cli import app
from visionllm_interaction.cli.output import run_app
from visionllm_interaction.errors import InputDataError, UsageError
from visionllm_interaction.interop.gaze.import_gaze import import_gaze, is_gaze, read_gaze
from visionllm_interaction.interop.gaze.looks import AWAY, LOST, FrameBoxes, looks_of, targets_of
from visionllm_interaction.interop.sync.sync_recordings import sync_by_hand
from visionllm_interaction.measures.api import Query, run_query
from visionllm_interaction.store.reader import open_store
from visionllm_interaction.store.recordings.clocks import Clock

WRITERS = (write_neon, write_cloud, write_core, write_core_export, write_tobii, write_glassestools)
NAMES = {1: "cup", 2: "ball", 3: "caregiver"}


@pytest.mark.parametrize("write", WRITERS)
def test_every_tracker_gives_the_same_samples(tmp_path: Path, write: Callable[[Path, Scene], Path]) -> None:
    scene = make_scene(4.0, seed=1)
    gaze = read_gaze(write(tmp_path / "recording", scene), width=WIDTH, height=HEIGHT)
    assert len(gaze.t) == len(scene.t)
    np.testing.assert_allclose(gaze.t, scene.t, atol=1e-6)
    np.testing.assert_array_equal(gaze.valid, scene.valid)
    np.testing.assert_allclose(gaze.x[scene.valid] * WIDTH, scene.xy[scene.valid, 0], atol=1e-3)
    np.testing.assert_allclose(gaze.y[scene.valid] * HEIGHT, scene.xy[scene.valid, 1], atol=1e-3)


@pytest.mark.parametrize("write", WRITERS)
def test_nothing_that_identifies_somebody_enters_the_store(
    tmp_path: Path, write: Callable[[Path, Scene], Path]
) -> None:
    scene = make_scene(2.0, seed=2)
    store = make_gaze_store(tmp_path / "store", scene)
    import_gaze(write(tmp_path / CANARIES[4], scene), store, video_id="head")
    content = b"".join(path.read_bytes() for path in store.rglob("*") if path.is_file())
    assert not [canary for canary in CANARIES if canary.encode() in content]


def _truth(scene: Scene) -> list[tuple[int, float, float]]:
    return [look for look in scene.looks if look[0] > 0]


def _f1(found: list[tuple[int, float, float]], truth: list[tuple[int, float, float]]) -> float:
    """Bouts match one to one if their target is the same and their begins are within 0.1 s."""
    left = list(found)
    hits = 0
    for target, begin, _ in truth:
        match = next((one for one in left if one[0] == target and abs(one[1] - begin) <= 0.1), None)
        if match is not None:
            left.remove(match)
            hits += 1
    return 2 * hits / (len(found) + len(truth))


def test_looks_with_noise_and_losses_are_those_of_the_truth(tmp_path: Path) -> None:
    scene = make_scene(120.0, seed=3, noise_deg=1.0, loss=0.2)
    store = make_gaze_store(tmp_path / "store", scene)
    result = import_gaze(write_neon(tmp_path / "neon", scene), store, video_id="head")
    assert result.lost / result.samples == pytest.approx(0.2, abs=0.01)
    with open_store(store) as opened:
        codes = opened.codes("head")
    ids = {name: track for track, name in NAMES.items()}
    found = [(ids[code.label], code.begin_s, code.end_s) for code in codes if code.kind == "gaze"]
    assert _f1(found, _truth(scene)) >= 0.95
    truth_s = sum(end - begin for _, begin, end in _truth(scene))
    assert sum(end - begin for _, begin, end in found) == pytest.approx(truth_s, rel=0.03)


def test_lost_is_not_away(tmp_path: Path) -> None:
    scene = make_scene(20.0, seed=4, loss=0.0)
    gone = (scene.t >= 5) & (scene.t < 12)
    scene = Scene(scene.seconds, scene.looks, scene.t, scene.xy, scene.valid & ~gone)
    store = make_gaze_store(tmp_path / "store", scene)
    import_gaze(write_tobii(tmp_path / "tobii", scene), store, video_id="head")
    query = Query("bout_count", "child", predicate="looks_at", begin_s=6, end_s=11)
    with open_store(store) as opened:
        [lost] = run_query(opened, query)
        [rate] = run_query(opened, Query("bout_rate", "child", predicate="looks_at"))
        [count] = run_query(opened, Query("bout_count", "child", predicate="looks_at"))
    assert lost.value is None and lost.missing == "this time was not coded"
    assert rate.value == pytest.approx(60 * float(count.value or 0) / 13, rel=0.01)


def test_joint_attention_of_two_trackers(tmp_path: Path) -> None:
    # Two wearers of cameras with one view each; the second one's clock begins 7 s later and runs fast.
    first, second = make_scene(60.0, seed=5), make_scene(60.0, seed=6)
    store = make_gaze_store(tmp_path / "store", first)
    clock = Clock(0.0, 60.0)
    import_gaze(write_neon(tmp_path / "one", first), store, video_id="head", wearer="child")
    late = Scene(60.0, second.looks, clock.inverse(1.0) * 0 + second.t / (1 + 60e-6) - 7.0, second.xy, second.valid)
    kept = late.t >= 0
    late = Scene(60.0, second.looks, late.t[kept], late.xy[kept], late.valid[kept])
    import_gaze(
        write_glassestools(tmp_path / "two", late), store, video_id="head", wearer="adult", clock=Clock(7.0, 60.0)
    )
    with open_store(store) as opened:
        codes = [code for code in opened.codes("head") if code.kind == "gaze"]
    own = {
        who: [(c.label, c.begin_s, c.end_s) for c in codes if c.participant == who and c.end_s > 8]
        for who in ("child", "adult")
    }

    def joint(one: list[tuple[str, float, float]], two: list[tuple[str, float, float]]) -> list[tuple[float, float]]:
        both = ((max(a[1], b[1]), min(a[2], b[2])) for a in one for b in two if a[0] == b[0])
        return sorted((begin, end) for begin, end in both if end - begin > 0.3)

    truth = joint(*([(NAMES[k], b, e) for k, b, e in _truth(scene) if e > 8] for scene in (first, second)))
    found = joint(own["child"], own["adult"])
    near = [min(abs(begin - b) for b, _ in found) for begin, _ in truth if begin > 8.2]
    assert len(truth) > 3 and np.mean(np.array(near) <= 0.1) >= 0.9


def test_a_better_clock_derives_looks_again(tmp_path: Path) -> None:
    scene = make_scene(10.0, seed=7, loss=0.0, noise_deg=0.1)
    store = make_gaze_store(tmp_path / "store", scene)
    shifted = Scene(scene.seconds, scene.looks, scene.t + 1.0, scene.xy, scene.valid)
    import_gaze(write_neon(tmp_path / "neon", shifted), store, video_id="head")
    sync_by_hand(store, video_id="head", recording="Pupil Neon of child", clock=Clock(-1.0))
    ids = {name: track for track, name in NAMES.items()}
    with open_store(store) as opened:
        found = [(ids[c.label], c.begin_s, c.end_s) for c in opened.codes("head") if c.kind == "gaze"]
    assert _f1(found, _truth(scene)) == 1.0


def test_of_several_boxes_the_smallest_that_is_hit_counts() -> None:
    boxes = FrameBoxes(
        np.array([0.0]),
        np.zeros(3, np.int64),
        np.array([[0, 0, 100, 100], [40, 40, 60, 60], [110, 0, 130, 100]], np.float64),
        np.array([7, 8, 9]),
    )
    x = np.array([50.0, 10.0, 104.0, 108.0, 300.0, 50.0])
    y = np.full(6, 50.0)
    valid = np.array([True] * 5 + [False])
    found = targets_of(np.zeros(6), x, y, valid, boxes, tolerance_px=5)
    assert found.tolist() == [8, 7, 7, 9, AWAY, LOST]


def test_short_losses_are_bridged_and_long_ones_are_not() -> None:
    t = np.arange(400) / 100
    targets = np.full(400, 5)
    targets[100:115] = LOST
    targets[200:260] = LOST
    looks = looks_of(t, targets)
    assert [(look.begin_s, look.end_s) for look in looks] == [
        pytest.approx((0.0, 2.0), abs=0.011),
        pytest.approx((2.6, 4.0), abs=0.011),
    ]
    targets[100:115] = AWAY
    assert len(looks_of(t, targets)) == 3
    targets[100:108] = 6  # a flicker to another target, shorter than a look
    targets[108:115] = 5
    assert [look.track_id for look in looks_of(t, targets)] == [5, 5]


def test_a_loss_between_two_targets_is_shared() -> None:
    t = np.arange(200) / 100
    targets = np.where(t < 0.9, 5, 6)
    targets[90:110] = LOST
    first, second = looks_of(t, targets)
    assert first.end_s == second.begin_s == pytest.approx(1.0, abs=0.02)


def test_folders_of_no_tracker_and_damaged_ones(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match="no known eye tracker"):
        read_gaze(tmp_path / "empty", width=WIDTH, height=HEIGHT)
    scene = make_scene(1.0, seed=8)
    folder = write_core(tmp_path / "core", scene)
    data = (folder / "gaze.pldata").read_bytes()
    (folder / "gaze.pldata").write_bytes(data[:-5])
    with pytest.raises(InputDataError, match="cut off"):
        read_gaze(folder, width=WIDTH, height=HEIGHT)
    (folder / "world_timestamps.npy").unlink()
    with pytest.raises(InputDataError, match="world_timestamps"):
        read_gaze(folder, width=WIDTH, height=HEIGHT)
    tobii = write_tobii(tmp_path / "tobii", scene)
    (tobii / "gazedata.gz").write_bytes((tobii / "gazedata.gz").read_bytes()[:-40])
    with pytest.raises(InputDataError, match="gzip"):
        read_gaze(tobii, width=WIDTH, height=HEIGHT)


def test_a_table_of_coded_looks_may_be_called_gaze(tmp_path: Path) -> None:
    (tmp_path / "gaze.csv").write_text("tier,begin_s,end_s\n")
    assert not is_gaze(tmp_path / "gaze.csv")
    (tmp_path / "world_timestamps.csv").write_text("timestamp [ns]\n1\n")
    assert is_gaze(tmp_path / "gaze.csv")


def test_the_command_imports_a_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    scene = make_scene(5.0, seed=9)
    assert DEGREE_PX > 10
    store = make_gaze_store(tmp_path / "store", scene)
    folder = write_cloud(tmp_path / "cloud", scene)
    arguments = ["import", str(folder), "--store", str(store), "--video", "head", "--wearer", "child"]
    assert run_app(app, arguments) == 0
    said = capsys.readouterr().out
    assert "samples of Pupil Neon of child" in said and "looks" in said
