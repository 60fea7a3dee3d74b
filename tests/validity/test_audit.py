"""Audits from plan to corrected numbers, through every format of tasks; and every misuse."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from validity_studies import TRUE_NEAR_S, answer_csv, child_store, is_near

from visionllm_interaction.errors import ConsentMissing, InputDataError, UsageError
from visionllm_interaction.interop.formats.elan import eaf_bytes, read_eaf
from visionllm_interaction.interop.tiers import Interval, Tier, Timeline
from visionllm_interaction.store.data_protection.register import record_consent
from visionllm_interaction.store.reader import erase_video
from visionllm_interaction.validity.agreement.coefficients import AgreementValue, Kappa
from visionllm_interaction.validity.audit.folder import read_audit
from visionllm_interaction.validity.audit.label_import import import_labels
from visionllm_interaction.validity.audit.measure_correction import correct
from visionllm_interaction.validity.audit.plan import extend_audit, plan_audit
from visionllm_interaction.validity.audit.sampling import detector_classes, draw, expected_spread, strata_of
from visionllm_interaction.validity.audit.status import audit_status
from visionllm_interaction.validity.audit.tasks import export_tasks, image_name, unit_of_image


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return child_store(tmp_path_factory.mktemp("stores") / "store")


@pytest.fixture
def own_store(store: Path, tmp_path: Path) -> Path:
    """A copy, for tests that change it."""
    return Path(shutil.copytree(store, tmp_path / "store"))


def _plan(store: Path, out: Path, **options: object) -> Path:
    settings = {"subject": "child", "object": "caregiver", "labels": 120, **options}
    plan_audit("near_duration", store, out, **settings)  # type: ignore[arg-type]
    return out


def _answered(store: Path, tmp_path: Path, **options: object) -> Path:
    audit = _plan(store, tmp_path / "audit", **options)
    export_tasks(audit, tmp_path / "tasks", format="csv")
    import_labels(audit, answer_csv(tmp_path / "tasks" / "tasks.csv", tmp_path / "done.csv"), coder="ann")
    return audit


def test_a_plan_is_a_probability_sample_within_every_child(store: Path, tmp_path: Path) -> None:
    audit = read_audit(_plan(store, tmp_path / "audit"))
    chance, drawn = audit.column("inclusion_probability").astype(float), audit.column("order") >= 0
    assert (chance > 0).all()
    for stratum in set(audit.column("stratum")):
        inside = audit.column("stratum") == stratum
        assert chance[inside][0] == pytest.approx(drawn[inside].mean())
        assert drawn[inside].sum() >= min(2, inside.sum())
    assert set(audit.column("child")[drawn]) == {"C1", "C2"}
    assert sorted(audit.column("order")[drawn]) == list(range(int(drawn.sum())))


def test_no_label_is_a_class_of_its_own(store: Path, tmp_path: Path) -> None:
    audit = read_audit(_plan(store, tmp_path / "audit"))
    assert "no label" in set(audit.column("class_"))  # the caregiver is gone from 9.8 s on
    assert np.isnan(audit.column("predicted_share").astype(float)).sum() == 8


def test_from_plan_to_corrected_seconds(store: Path, tmp_path: Path) -> None:
    found = correct("near_duration", _answered(store, tmp_path, labels=200))
    truth = sum(end - begin for begin, end in TRUE_NEAR_S.values())
    [row] = found.estimates
    assert found.unit == "s"
    assert row.naive.value == pytest.approx(truth - 4 * 0.5 + 4 * 0.2, abs=0.11)
    assert row.corrected.interval.low is not None
    assert row.corrected.interval.high is not None
    assert row.corrected.interval.low <= truth <= row.corrected.interval.high
    assert any("no label" in note for note in found.notes)
    assert {row.naive.kind, row.audit_only.kind, row.corrected.kind} == {"as detected", "audit only", "corrected"}


def test_groups_and_ages_come_from_the_store(store: Path, tmp_path: Path) -> None:
    audit = _answered(store, tmp_path, labels=200)
    by_group = correct("near_duration", audit, by="group")
    assert [e.name for e in by_group.estimates] == ["group=old", "group=young", "group: young − old"]
    assert by_group.unit == "s per min"
    assert correct("near_duration", audit, by="age_months").unit == "s per min per 1 of age_months"
    with pytest.raises(UsageError, match="height") as caught:
        correct("near_duration", audit, by="height")
    assert "videos set" in (caught.value.fix or "")


def test_an_audit_grows_and_stays_one_sample(store: Path, tmp_path: Path) -> None:
    audit = _answered(store, tmp_path, labels=60)
    before = set(read_audit(audit).column("unit_id")[read_audit(audit).tasks()])
    extend_audit(audit, labels=180)
    after = read_audit(audit)
    assert before < set(after.column("unit_id")[after.tasks()])
    assert after.design.rounds == 2
    assert len(after.labels) == len(before)


def test_tasks_are_handed_out_with_consent_only(own_store: Path, tmp_path: Path) -> None:
    audit = _plan(own_store, tmp_path / "audit")
    record_consent(own_store, "child", "C1", "withdrawn", who="Kari")
    with pytest.raises(ConsentMissing, match="child C1"):
        export_tasks(audit, tmp_path / "tasks", format="csv")
    assert not (tmp_path / "tasks").exists()


@pytest.mark.parametrize("format_", ["csv", "elan"])
def test_tasks_do_not_show_what_the_detector_says(store: Path, tmp_path: Path, format_: str) -> None:
    audit = _plan(store, tmp_path / "audit")
    found = export_tasks(audit, tmp_path / "tasks", format=format_)
    for file in found.files:
        text = file.read_text(encoding="utf-8")
        assert "yes, unsure" not in text
        assert "no label" not in text
        assert "predicted" not in text


def test_elan_brings_answers_of_frames(store: Path, tmp_path: Path) -> None:
    audit = _plan(store, tmp_path / "audit")
    done = []
    for file in export_tasks(audit, tmp_path / "tasks", format="elan").files:
        timeline = read_eaf(file)
        [tier] = timeline.tiers
        answers = ("no", "yes")
        filled = tuple(
            Interval(i.begin_s, i.end_s, answers[is_near(file.stem, round(i.begin_s, 1))]) for i in tier.intervals
        )
        file.write_bytes(eaf_bytes(Timeline((Tier(tier.name, filled),), timeline.media, timeline.duration_s)))
        done.append(file)
    found = import_labels(audit, *done, coder="ann")
    assert found.labelled == found.tasks
    assert correct("near_duration", audit).audited == found.tasks


def test_label_studio_and_cvat_answers_come_back(store: Path, tmp_path: Path) -> None:
    audit = _plan(store, tmp_path / "audit", labels=40)
    folder = read_audit(audit)
    units = [str(unit) for unit in folder.column("unit_id")[folder.tasks()]]
    tasks = [
        {"data": {"unit_id": u}, "annotations": [{"result": [{"type": "choices", "value": {"choices": ["yes"]}}]}]}
        for u in units
    ]
    (tmp_path / "ls.json").write_text(json.dumps(tasks), encoding="utf-8")
    images = "".join(f'<image name="sub/{image_name(u)}"><tag label="no"/></image>' for u in units)
    (tmp_path / "cvat.xml").write_text(f"<annotations>{images}</annotations>", encoding="utf-8")
    assert import_labels(audit, tmp_path / "ls.json", coder="ann").labelled == len(units)
    assert import_labels(audit, tmp_path / "cvat.xml", coder="bo").labelled == len(units)
    people = audit_status(audit).people
    assert isinstance(people, Kappa)
    assert people.observed.value == 0.0
    assert unit_of_image(image_name("a__b:f0000012")) == "a__b:f0000012"


def _clip_answers(audit: Path, out: Path) -> Path:
    folder = read_audit(audit)
    rows = folder.tasks()
    names = ("unit_id", "video_id", "begin_s", "end_s")
    with out.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["unit_id", "answer", "seconds", "bouts"])
        for unit, video, begin, end in zip(*(folder.column(n)[rows].tolist() for n in names), strict=True):
            a, b = TRUE_NEAR_S[video]
            writer.writerow([unit, "", max(min(b, end) - max(a, begin), 0), int(begin <= a < end)])
    return out


def test_bouts_are_corrected_by_clips(store: Path, tmp_path: Path) -> None:
    plan = plan_audit(
        "bout_count",
        store,
        tmp_path / "clips",
        subject="child",
        object="caregiver",
        predicate="near",
        clip_s=2,
        labels=16,
        seed=3,
    )
    assert plan.unit == "clip"
    import_labels(tmp_path / "clips", _clip_answers(tmp_path / "clips", tmp_path / "done.csv"), coder="ann")
    found = correct("bout_count", tmp_path / "clips")
    [row] = found.estimates
    assert row.naive.value == pytest.approx(7.0)  # one of the false bouts is within 0.5 s of a true one
    assert row.corrected.interval.low is not None
    assert row.corrected.interval.high is not None
    assert row.corrected.interval.low < 4 < row.corrected.interval.high


def test_elan_clips_bring_seconds_and_bouts(store: Path, tmp_path: Path) -> None:
    audit = tmp_path / "clips"
    plan_audit("bout_count", store, audit, subject="child", object="caregiver", predicate="near", clip_s=2, labels=12)
    files = export_tasks(audit, tmp_path / "tasks", format="elan").files
    for file in files:
        timeline = read_eaf(file)
        clips = next(tier for tier in timeline.tiers if tier.name == "coded")
        state = Tier("child near caregiver", (Interval(*TRUE_NEAR_S[file.stem], ""),))
        file.write_bytes(eaf_bytes(Timeline((clips, state), timeline.media, timeline.duration_s)))
    found = import_labels(audit, *files, coder="ann")
    assert found.labelled == found.tasks
    folder = read_audit(audit)
    values = {label.unit_id: label for label in folder.labels}
    for row in folder.tasks():
        unit, video = str(folder.column("unit_id")[row]), str(folder.column("video_id")[row])
        begin, end = (float(folder.column(name)[row]) for name in ("begin_s", "end_s"))
        assert values[unit].count == (begin <= TRUE_NEAR_S[video][0] < end)


class TestMisuse:
    def test_bouts_from_frames(self, store: Path, tmp_path: Path) -> None:
        audit = _answered(store, tmp_path)
        with pytest.raises(UsageError, match="no single frame shows where a bout begins") as caught:
            correct("bout_count", audit)
        assert "--clip-s" in (caught.value.fix or "")

    def test_measures_that_no_sample_corrects(self, store: Path, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match="no unbiased correction") as caught:
            plan_audit("longest_bout", store, tmp_path / "x", subject="child")
        assert "agree" in (caught.value.fix or "")

    def test_units_that_somebody_chose(self, store: Path, tmp_path: Path) -> None:
        audit = _plan(store, tmp_path / "audit", labels=40)
        folder = read_audit(audit)
        other = folder.column("unit_id")[np.flatnonzero(folder.column("order") < 0)[0]]
        (tmp_path / "more.csv").write_text(f"unit_id,answer\n{other},yes\n", encoding="utf-8")
        with pytest.raises(InputDataError, match="somebody chose"):
            import_labels(audit, tmp_path / "more.csv", coder="ann")

    def test_skipped_tasks(self, store: Path, tmp_path: Path) -> None:
        audit = _answered(store, tmp_path)
        labels = audit / "labels.csv"
        unit = str(read_audit(audit).column("unit_id")[read_audit(audit).tasks()[3]])
        kept = [line for line in labels.read_text(encoding="utf-8").splitlines() if not line.startswith(unit)]
        labels.write_text("\n".join(kept) + "\n", encoding="utf-8")
        with pytest.raises(InputDataError, match="skipped"):
            correct("near_duration", audit)
        assert audit_status(audit).next_tasks == (unit,)

    def test_too_often_cannot_tell(self, store: Path, tmp_path: Path) -> None:
        audit = _plan(store, tmp_path / "audit")
        folder = read_audit(audit)
        rows = [
            f"{unit},{'cannot tell' if n % 4 == 0 else 'no'}"
            for n, unit in enumerate(folder.column("unit_id")[folder.tasks()])
        ]
        (tmp_path / "done.csv").write_text("\n".join(["unit_id,answer", *rows]) + "\n", encoding="utf-8")
        import_labels(audit, tmp_path / "done.csv", coder="ann")
        with pytest.raises(InputDataError, match="nobody could tell"):
            correct("near_duration", audit)

    def test_answers_nobody_knows_and_a_plan_over_another(self, store: Path, tmp_path: Path) -> None:
        audit = _plan(store, tmp_path / "audit", labels=40)
        unit = read_audit(audit).column("unit_id")[read_audit(audit).tasks()[0]]
        (tmp_path / "bad.csv").write_text(f"unit_id,answer\n{unit},perhaps\n", encoding="utf-8")
        with pytest.raises(InputDataError, match="answer is not known"):
            import_labels(audit, tmp_path / "bad.csv", coder="ann")
        with pytest.raises(UsageError, match="holds an audit already"):
            _plan(store, tmp_path / "audit")

    def test_an_audit_of_another_state(self, store: Path, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match="not about 'in_contact'"):
            correct("contact_duration", _answered(store, tmp_path))

    def test_names_that_are_not_there(self, store: Path, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match="not in the store"):
            plan_audit("visible_share", store, tmp_path / "x", subject="dog")

    def test_children_in_general_without_known_children(self, own_store: Path, tmp_path: Path) -> None:
        for video_id in ("v1", "v2", "v3", "v4"):
            (own_store / "videos" / video_id / "covariates.json").unlink()
        audit = _answered(own_store, tmp_path)
        with pytest.raises(InputDataError, match="Which child") as caught:
            correct("near_duration", audit, target="children")
        assert "videos set" in (caught.value.fix or "")

    def test_clips_as_images(self, store: Path, tmp_path: Path) -> None:
        plan_audit("bout_rate", store, tmp_path / "c", subject="child", object="caregiver", predicate="near", clip_s=5)
        with pytest.raises(UsageError, match="no single image"):
            export_tasks(tmp_path / "c", tmp_path / "tasks", format="cvat")


def test_a_second_coder_labels_a_share(store: Path, tmp_path: Path) -> None:
    audit = _answered(store, tmp_path, twice_share=0.5)
    export_tasks(audit, tmp_path / "second", format="csv", twice_only=True)
    done = answer_csv(tmp_path / "second" / "tasks.csv", tmp_path / "second.csv")
    found = import_labels(audit, done, coder="bo")
    assert 0.25 * found.tasks < found.labelled < 0.75 * found.tasks
    people = audit_status(audit).people
    assert isinstance(people, Kappa)
    assert people.kappa.value == pytest.approx(1.0)


def test_one_coder_has_no_agreement_and_says_why(store: Path, tmp_path: Path) -> None:
    people = audit_status(_answered(store, tmp_path)).people
    assert isinstance(people, AgreementValue)
    assert "--twice-only" in (people.reason or "")


def test_covariates_survive_analysis_and_go_with_the_video(own_store: Path) -> None:
    from scenes_builders import frame_table, record

    from visionllm_interaction.core.detection_table import DetectionTable
    from visionllm_interaction.store.covariates import read_covariates
    from visionllm_interaction.store.reader import publish_video

    publish_video(
        own_store,
        record("v1"),
        frames=frame_table(),
        detections=DetectionTable.empty(),
        tracks=[],
        relations=[],
        events=[],
    )
    kept = read_covariates(own_store, "v1")
    assert kept is not None
    assert kept.child == "C1"
    erase_video(own_store, "v1")
    assert read_covariates(own_store, "v1") is None


def test_rare_strata_and_fixed_sizes_are_kept() -> None:
    rng = np.random.default_rng(0)
    predicted = np.concatenate([np.ones(500), np.zeros(4500), np.full(50, np.nan)])
    classes = detector_classes(predicted, np.zeros(5050, np.bool_))
    stratum = strata_of(np.repeat(["a", "b"], 2525), classes)
    spread = expected_spread(stratum, classes, np.full(5050, np.nan))
    sample = draw(stratum, classes, random=rng.random(5050), labels=300, spread=spread)
    assert abs(int(sample.drawn.sum()) - 300) <= len(sample.sizes)
    assert sample.drawn[classes == "no label"].sum() >= 20
    small = draw(stratum, classes, random=rng.random(5050), half_width=0.02, spread=spread)
    large = draw(stratum, classes, random=rng.random(5050), half_width=0.05, spread=spread)
    assert small.drawn.sum() > large.drawn.sum()
    assert small.expected_half_width <= 0.02
