"""Choose the run to continue: the one in which the most requested stages are up to date."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from visionllm_interaction.artifacts.algorithm_versions import feature_release
from visionllm_interaction.artifacts.runs import list_runs
from visionllm_interaction.artifacts.staleness import DigestCache, Recipe, files_stale, is_built, settings_stale
from visionllm_interaction.utils.atomic_files import PARTIAL_PREFIX, remove_partials, write_file
from visionllm_interaction.utils.hashing import sha256_value

BUILDING_NAME = ".building.json"
"""Records the settings of a stage that keeps its workspace while it is being built in a run."""


@dataclass(frozen=True, slots=True)
class ResumableRun:
    """A run, and how many of the requested stages are up to date in it.

    Attributes:
        run: the run folder.
        fresh: number of requested stages, counted from the first, that are up to date.
        reason: why the next stage is stale; ``None`` if it has not been built yet.
        resumable: whether the next stage can be built in this folder.
    """

    run: Path
    fresh: int
    reason: str | None
    resumable: bool


def choose_run(artifacts_dir: Path, recipes: Sequence[Recipe]) -> ResumableRun | None:
    """The best run to continue.

    Args:
        artifacts_dir: the folder of all runs.
        recipes: the requested stages, in order.

    Returns:
        The run with the most stages up to date; among equals a resumable one, then the newest. ``None`` without runs.
    """
    digests = DigestCache()
    # Reading manifests is cheap and hashing is not: runs made with other settings are ruled out first.
    bounds = [(_same_settings_count(run, recipes), run.name, run) for run in list_runs(artifacts_dir)]
    best: ResumableRun | None = None
    for most, _, run in sorted(bounds, reverse=True):
        if best and (best.fresh > most or (best.fresh == most and best.resumable)):
            break
        candidate = assess(run, recipes, digests)
        if best is None or (candidate.fresh, candidate.resumable) > (best.fresh, best.resumable):
            best = candidate
    return best


def _same_settings_count(run: Path, recipes: Sequence[Recipe]) -> int:
    """How many stages could be up to date at most, judged by their manifests alone."""
    count = 0
    for recipe in recipes:
        if not is_built(run, recipe) or settings_stale(run, recipe):
            break
        count += 1
    return count


def assess(run: Path, recipes: Sequence[Recipe], digests: DigestCache) -> ResumableRun:
    """How many stages of ``recipes`` are up to date in ``run``; hashes their files."""
    for count, recipe in enumerate(recipes):
        if not is_built(run, recipe):
            return ResumableRun(run, count, None, resumable=_workspace_fits(run, recipes, count))
        reason = settings_stale(run, recipe) or files_stale(run, recipe, digests)
        if reason:
            return ResumableRun(run, count, f"{recipe.stage}: {reason}", resumable=False)
    return ResumableRun(run, len(recipes), None, resumable=True)


def _workspace_fits(run: Path, recipes: Sequence[Recipe], count: int) -> bool:
    """Whether the unfinished next stage that a killed process left behind has the same settings."""
    note = run / BUILDING_NAME
    if not recipes[count].keeps_workspace or not workspace_of(run, recipes[count]).exists():
        return True
    try:
        return bool(json.loads(note.read_text(encoding="utf-8")).get(recipes[count].stage) == _key(recipes, count))
    except (OSError, ValueError, AttributeError):
        return False


def prepare_build(run: Path, recipes: Sequence[Recipe], count: int) -> None:
    """Remove what killed processes left in ``run``. Call it with the lock of the run held.

    Args:
        run: the run folder.
        recipes: the requested stages, in order.
        count: position of the stage that is built next; a workspace that it continues is kept.
    """
    recipe = recipes[count]
    remove_partials(run, keep=workspace_of(run, recipe) if recipe.keeps_workspace else None)
    if recipe.keeps_workspace:
        _note_building(run, recipes, count)


def _note_building(run: Path, recipes: Sequence[Recipe], count: int) -> None:
    write_file(run / BUILDING_NAME, json.dumps({recipes[count].stage: _key(recipes, count)}).encode())


def _key(recipes: Sequence[Recipe], count: int) -> str:
    # The stages before it are up to date in this run, so only its own recipe can differ.
    recipe = recipes[count]
    libraries = {name: feature_release(version) for name, version in recipe.libraries.items()}
    return sha256_value([recipe.stage, dict(recipe.config), recipe.algorithm_version, libraries])


def workspace_of(run: Path, recipe: Recipe) -> Path:
    """The folder in which a stage that can resume is built (see ``publish_folder(workspace=…)``)."""
    return run / f"{PARTIAL_PREFIX}{recipe.manifest.parent.name}"
