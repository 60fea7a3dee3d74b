"""Manifests survive the way to disk and back, and show when they were edited."""

from __future__ import annotations

from pathlib import Path

import pytest

from visionllm_interaction.artifacts.manifest import FileRef, Manifest, published_ref, utc_now
from visionllm_interaction.artifacts.stage_manifests import TrainingReport
from visionllm_interaction.artifacts.staleness import DigestCache, Recipe, changed_keys, settings_stale
from visionllm_interaction.errors import InputDataError, ManifestError
from visionllm_interaction.utils.atomic_files import publish_folder
from visionllm_interaction.utils.hashing import sha256_file


def report(**more: object) -> TrainingReport:
    return TrainingReport(
        stage="train",
        created_at=utc_now(),
        duration_s=1.5,
        code_version="c",
        config={"train": {"lr": 1e-05, "sizes": (1, 2), "decay": 1e16}, "tracking": {"kind": "none"}},
        inputs=(),
        outputs=(FileRef(path="model_trainer/x.pt", sha256="0" * 64, bytes=1),),
        AP=0.5,
        **more,
    )


def test_round_trip_and_digest_by_base_class(tmp_path: Path) -> None:
    path = tmp_path / "r.yaml"
    made = report(metrics={"AP": 1 / 3}, curves={"epochs": [{"loss": 2e-7, "note": "“1e5”\n: x"}]})
    made.save(path)
    loaded = TrainingReport.load(path)
    assert loaded.metrics == made.metrics and loaded.curves == made.curves and loaded.AP == 0.5
    for kind in (Manifest, TrainingReport):
        again = kind.load(path)
        assert again.content_sha256 == again.content_digest()


def test_an_edited_manifest_shows(tmp_path: Path) -> None:
    path = tmp_path / "model_trainer/training_report.yaml"
    made = report()
    made.save(path)
    recipe = Recipe("train", made.model_dump(mode="json")["config"], 1)
    assert settings_stale(tmp_path, recipe) is None
    path.write_text(path.read_text().replace("AP: 0.5", "AP: 0.9"))
    assert settings_stale(tmp_path, recipe) == "its manifest was edited"


STALE = {
    "another value": ({"train": {"lr": 1}}, {"train": {"lr": 2}}, ["train.lr"]),
    "a key more": ({"a": 1}, {"a": 1, "b": 2}, ["b"]),
    "a key less": ({"a": 1, "b": {"c": 2}}, {"a": 1}, ["b"]),
    "a section for a value": ({"a": 1}, {"a": {"b": 1}}, ["a"]),
    "nothing": ({"a": {"b": [1, 2]}}, {"a": {"b": [1, 2]}}, []),
}


@pytest.mark.parametrize("name", STALE)
def test_changed_keys(name: str) -> None:
    before, now, expected = STALE[name]
    assert changed_keys(before, now) == expected


def test_indifferent_settings_do_not_make_a_stage_stale(tmp_path: Path) -> None:
    made = report()
    made.save(tmp_path / "model_trainer/training_report.yaml")
    config = made.model_dump(mode="json")["config"]
    other = {"train": {**config["train"], "lr": 2.0}, "tracking": {"kind": "mlflow"}}
    assert settings_stale(tmp_path, Recipe("train", other, 1)) == "settings changed: tracking.kind, train.lr"
    loose = Recipe("train", other, 1, indifferent=frozenset({"tracking", "train.lr"}))
    assert settings_stale(tmp_path, loose) is None


def test_published_references_point_at_the_final_place(tmp_path: Path) -> None:
    final = tmp_path / "run/model_trainer"
    with publish_folder(final) as partial:
        (partial / "a.pt").write_bytes(b"weights")
        ref = published_ref(partial / "a.pt", partial=partial, final=final)
    assert ref.path == "model_trainer/a.pt" and ref.resolve(tmp_path / "run").read_bytes() == b"weights"
    assert (ref.sha256, ref.bytes) == (sha256_file(final / "a.pt"), 7)


def test_nothing_is_published_when_the_block_fails_and_nothing_twice(tmp_path: Path) -> None:
    final = tmp_path / "run/stage"
    with pytest.raises(RuntimeError), publish_folder(final) as partial:
        (partial / "half").touch()
        raise RuntimeError
    assert list((tmp_path / "run").iterdir()) == []
    for n in range(2):
        try:
            with publish_folder(final) as partial:
                (partial / f"{n}").touch()
        except InputDataError:
            assert n == 1
    assert [path.name for path in final.iterdir()] == ["0"]


def test_unreadable_manifests_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "m.yaml"
    for content in (None, "a: [", "stage: x", "- 1"):
        if content is not None:
            path.write_text(content)
        with pytest.raises(ManifestError):
            Manifest.load(path)


def test_digests_notice_a_changed_file(tmp_path: Path) -> None:
    path, digests = tmp_path / "f", DigestCache()
    path.write_bytes(b"one")
    first = digests.of(path)
    path.write_bytes(b"three")
    assert digests.of(path) != first and digests.of(tmp_path / "none") is None
