"""Versions of algorithms and libraries, and what a manifest without them says."""

from __future__ import annotations

import json
from pathlib import Path

from visionllm_interaction.artifacts.algorithm_versions import library_changes, library_versions
from visionllm_interaction.artifacts.manifest import Manifest, utc_now
from visionllm_interaction.artifacts.staleness import Recipe, changed_keys, settings_stale
from visionllm_interaction.utils.hashing import sha256_bytes


def manifest(**more: object) -> Manifest:
    content = {"stage": "train", "created_at": utc_now(), "duration_s": 0, "code_version": "c", "config": {"lr": 1.0}}
    return Manifest.model_validate({**content, "inputs": (), "outputs": (), **more})


def stale(run: Path, made: Manifest, *, version: int = 1, **libraries: str) -> str | None:
    recipe = Recipe("train", {"lr": 1.0}, version, libraries)
    made.save(run / recipe.manifest)
    return settings_stale(run, recipe)


def test_builds_of_one_release_are_one_version() -> None:
    before = {"torch": "2.14.0+cpu", "openvino": "2026.0.0"}
    assert library_changes(before, {"torch": "2.14.0+cu130"}) == []
    assert library_changes(before, {"torch": "2.15.0", "openvino": "2026.1.0"}) == [
        "openvino 2026.0.0 → 2026.1.0",
        "torch 2.14.0 → 2.15.0",
    ]
    assert library_changes(before, {"torch": "2.14.1"}) == ["torch 2.14.0 → 2.14.1"]
    assert library_changes(before, {"torch": "2.14.1"}, bug_fixes_count=False) == []
    assert library_changes(before, {"scipy": "1.0"}) == []


def test_versions_are_those_installed() -> None:
    found = library_versions(["numpy", "opencv", "no-such-library"])
    assert found.keys() == {"numpy", "opencv"} and all("+" not in version for version in found.values())


def test_a_manifest_of_another_algorithm_or_library_is_stale(tmp_path: Path) -> None:
    made = manifest(algorithm_version=1, libraries={"torch": "2.14.0"})
    assert stale(tmp_path, made, torch="2.14.2") is None
    assert stale(tmp_path, made, torch="2.15.0") == "torch 2.14.0 → 2.15.0"
    assert stale(tmp_path, made, version=2) == "its algorithm changed: version 1 → 2"


def test_a_manifest_from_before_counts_as_the_first_version(tmp_path: Path) -> None:
    made = manifest()
    assert stale(tmp_path, made, torch="2.15.0") is None
    assert stale(tmp_path, made, version=2) == "its algorithm changed: version 1 → 2"
    text = (tmp_path / "model_trainer/training_report.yaml").read_text()
    assert "algorithm_version" not in text and "libraries" not in text
    noted = manifest(environment={"torch": "2.14.0+cu130", "device": "cuda", "threads": 2})
    assert stale(tmp_path, noted, torch="2.15.0") == "torch 2.14.0 → 2.15.0"
    assert stale(tmp_path, noted, torch="2.14.0") is None


def test_the_digest_of_an_older_manifest_is_still_its_digest() -> None:
    made = manifest()
    content = {key: value for key, value in made.model_dump(mode="json").items() if key != "content_sha256"}
    older = {key: value for key, value in content.items() if key not in ("algorithm_version", "libraries")}
    assert made.content_digest() == sha256_bytes(json.dumps(older, sort_keys=True, separators=(",", ":")).encode())
    assert manifest(algorithm_version=1).content_digest() != made.content_digest()


def test_a_setting_that_came_later_counts_as_its_default() -> None:
    now, defaults = {"a": {"b": 1, "new": 5}, "section": {"x": 1}}, {"a": {"b": 0, "new": 5}, "section": {"x": 1}}
    assert changed_keys({"a": {"b": 1}}, now, defaults=defaults) == []
    assert changed_keys({"a": {"b": 2}}, now, defaults=defaults) == ["a.b"]
    assert changed_keys({"a": {"b": 1}}, {"a": {"b": 1, "new": 6}, "section": {"x": 2}}, defaults=defaults) == [
        "a.new",
        "section.x",
    ]
    assert changed_keys({"a": {"b": 1, "gone": 1}}, now, defaults=defaults) == ["a.gone"]
