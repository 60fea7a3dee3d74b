"""Which run is continued, told apart without building anything."""

from __future__ import annotations

from pathlib import Path

import pytest

from visionllm_interaction.artifacts.manifest import Manifest, utc_now
from visionllm_interaction.artifacts.resumable_run import assess, choose_run, prepare_build, workspace_of
from visionllm_interaction.artifacts.runs import create_run
from visionllm_interaction.artifacts.staleness import DigestCache, Recipe
from visionllm_interaction.utils.atomic_files import publish_folder


def recipes(lr: float = 1.0, name: str = "a") -> list[Recipe]:
    return [
        Recipe("ingest", {"name": name}, 1),
        Recipe("train", {"lr": lr}, 1, keeps_workspace=True),
    ]


def build(run: Path, recipe: Recipe) -> None:
    with publish_folder(run / recipe.manifest.parent) as partial:
        manifest = Manifest(
            stage=recipe.stage, created_at=utc_now(), duration_s=0, code_version="c",
            algorithm_version=recipe.algorithm_version, config=dict(recipe.config), inputs=(), outputs=(),
        )  # fmt: skip
        manifest.save(partial / recipe.manifest.name)


def test_no_runs(tmp_path: Path) -> None:
    assert choose_run(tmp_path / "none", recipes()) is None
    (tmp_path / "mlruns").mkdir()
    (tmp_path / ".partial-run-1").mkdir()
    assert choose_run(tmp_path, recipes()) is None


def test_furthest_then_resumable_then_newest(tmp_path: Path) -> None:
    done, other, begun, newest = (create_run(tmp_path) for _ in range(4))
    for run, name in ((done, "a"), (other, "b"), (begun, "a")):
        build(run, recipes(name=name)[0])
    build(done, recipes()[1])
    expected = {
        "all stages are there": (recipes(), (done, 2, True)),
        "the run that only lacks the last stage": (recipes(lr=2.0), (begun, 1, True)),
        "a name of an older run": (recipes(name="b"), (other, 1, True)),
        "nothing fits, so an empty run is used": (recipes(name="c"), (newest, 0, True)),
    }
    for case, (wanted, (run, fresh, resumable)) in expected.items():
        best = choose_run(tmp_path, wanted)
        assert best is not None and (best.run, best.fresh, best.resumable) == (run, fresh, resumable), case


@pytest.mark.parametrize(("lr", "fits"), [(1.0, True), (2.0, False)])
def test_a_workspace_is_continued_only_with_the_same_settings(tmp_path: Path, lr: float, fits: bool) -> None:
    run = create_run(tmp_path)
    build(run, recipes()[0])
    prepare_build(run, recipes(), 1)
    workspace_of(run, recipes()[1]).mkdir()
    assert assess(run, recipes(lr), DigestCache()).resumable is fits
    prepare_build(run, recipes(), 1)
    assert workspace_of(run, recipes()[1]).is_dir(), "resuming keeps it"


def test_a_workspace_nobody_can_vouch_for_is_not_continued(tmp_path: Path) -> None:
    run = create_run(tmp_path)
    build(run, recipes()[0])
    workspace_of(run, recipes()[1]).mkdir()
    assert not assess(run, recipes(), DigestCache()).resumable
