"""Choose the run to continue: the one in which most of the wanted stages are up to date."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from visionllm_interaction.artifacts.runs import list_runs
from visionllm_interaction.artifacts.staleness import Digests, Recipe, files_stale, is_built, settings_stale
from visionllm_interaction.artifacts.versions import feature_release
from visionllm_interaction.utils.atomic_files import PARTIAL_PREFIX, remove_partials, write_file
from visionllm_interaction.utils.hashing import sha256_value

BUILDING_NAME = ".building.json"
"""Says with which settings a stage that keeps its workspace is being built in a run."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A run, and how far it goes.

    ``fresh``: how many of the wanted stages, from the first, are up to date. ``reason``: why the next one is
    stale, ``None`` if it is just not there yet. ``resumable``: the next stage can be built in this very folder.
    """

    run: Path
    fresh: int
    reason: str | None
    resumable: bool


def choose_run(artifacts_dir: Path, recipes: Sequence[Recipe]) -> Candidate | None:
    """The best run to continue: most stages up to date, then resumable, then newest; ``None`` if there is none."""
    digests = Digests()
    # Reading manifests is cheap and hashing is not: runs made with other settings are ruled out first.
    hopes = [(_hope(run, recipes), run.name, run) for run in list_runs(artifacts_dir)]
    best: Candidate | None = None
    for hope, _, run in sorted(hopes, reverse=True):
        if best and (best.fresh > hope or (best.fresh == hope and best.resumable)):
            break
        candidate = assess(run, recipes, digests)
        if best is None or (candidate.fresh, candidate.resumable) > (best.fresh, best.resumable):
            best = candidate
    return best


def _hope(run: Path, recipes: Sequence[Recipe]) -> int:
    count = 0
    for recipe in recipes:
        if not is_built(run, recipe) or settings_stale(run, recipe):
            break
        count += 1
    return count


def assess(run: Path, recipes: Sequence[Recipe], digests: Digests) -> Candidate:
    """How far ``run`` goes with ``recipes``."""
    for count, recipe in enumerate(recipes):
        if not is_built(run, recipe):
            return Candidate(run, count, None, resumable=_workspace_fits(run, recipes, count))
        reason = settings_stale(run, recipe) or files_stale(run, recipe, digests)
        if reason:
            return Candidate(run, count, f"{recipe.stage}: {reason}", resumable=False)
    return Candidate(run, len(recipes), None, resumable=True)


def _workspace_fits(run: Path, recipes: Sequence[Recipe], count: int) -> bool:
    """Whether what a killed process left of the next stage was being built with the same settings."""
    note = run / BUILDING_NAME
    if not recipes[count].keeps_workspace or not workspace_of(run, recipes[count]).exists():
        return True
    try:
        return bool(json.loads(note.read_text(encoding="utf-8")).get(recipes[count].stage) == _key(recipes, count))
    except (OSError, ValueError, AttributeError):
        return False


def prepare_build(run: Path, recipes: Sequence[Recipe], count: int) -> None:
    """Clear away what killed processes left in ``run``, except a workspace that stage number ``count`` continues.

    Call it with the lock of the run held.
    """
    recipe = recipes[count]
    remove_partials(run, keep=workspace_of(run, recipe) if recipe.keeps_workspace else None)
    if recipe.keeps_workspace:
        _note_building(run, recipes, count)


def _note_building(run: Path, recipes: Sequence[Recipe], count: int) -> None:
    write_file(run / BUILDING_NAME, json.dumps({recipes[count].stage: _key(recipes, count)}).encode())


def _key(recipes: Sequence[Recipe], count: int) -> str:
    # The stages before it are up to date in this run, so its own recipe is all that can differ.
    recipe = recipes[count]
    libraries = {name: feature_release(version) for name, version in recipe.libraries.items()}
    return sha256_value([recipe.stage, dict(recipe.config), recipe.algorithm_version, libraries])


def workspace_of(run: Path, recipe: Recipe) -> Path:
    """The folder in which a stage that can resume is built (see ``publish_folder(workspace=…)``)."""
    return run / f"{PARTIAL_PREFIX}{recipe.manifest.parent.name}"
