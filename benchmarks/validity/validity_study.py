"""A whole study of 12 ToyRoom children at two ages: store, audit, two coders, agreement, report.

    python benchmarks/validity/validity_study.py OUT

Videos were rendered and analysed by a trained detector (``validity_films.py``). The main coder's labels are the truth;
the second coder errs in 4 % of them, and codes 0.2 s late.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from validity_toyroom import CHILDREN, FPS, answer, load_films, publish_film

from visionllm_interaction.core.run_lengths import true_runs
from visionllm_interaction.interop.formats.elan import eaf_bytes
from visionllm_interaction.interop.tiers import Interval, Tier, Timeline
from visionllm_interaction.validity.audit.label_import import import_labels
from visionllm_interaction.validity.audit.plan import plan_audit
from visionllm_interaction.validity.audit.tasks import export_tasks
from visionllm_interaction.validity.report.write import write_study_report

STATE = "child near caregiver"


def main(out: Path) -> None:
    films = load_films()
    taken = sorted({film.child for film in films})[:CHILDREN]
    films = tuple(film for film in films if film.child in taken)
    for film in films:
        publish_film(out / "store", film)
    truths = {film.video_id: film.truth["near"] for film in films}
    plan_audit("near_duration", out / "store", out / "audit", subject="child", object="caregiver", half_width=0.03)
    for coder, errors, twice in (("ann", 0.0, False), ("bo", 0.04, True)):
        tasks = export_tasks(out / "audit", out / coder, format="csv", twice_only=twice).files[0]
        import_labels(out / "audit", _mistaken(answer(tasks, truths), errors), coder=coder)
    for coder, shift_s in (("coder1", 0.0), ("coder2", 0.2)):
        _code(out / coder, truths, shift_s)
    (out / "study.yaml").write_text(
        "title: Nearness of 12 children at two ages (ToyRoom)\nstore: store\nmeasures:\n"
        "  - {measure: near_duration, audit: audit, by: [group, age_months], target: children}\nagreement:\n"
        "  - {codings: [coder1, coder2], tolerance_s: 0.5}\n"
        f"  - {{codings: [coder1, store], tiers: {{near: {STATE}}}}}\n"
        "slices: [child, age_months, camera]\n",
        encoding="utf-8",
    )
    sys.stdout.write(f"{write_study_report(out / 'study.yaml', out / 'report').html}\n")


def _mistaken(done: Path, share: float) -> Path:
    """Turn a share of the answers round."""
    rng = np.random.default_rng(0)
    with done.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        if rng.random() < share:
            row["answer"] = "no" if row["answer"] == "yes" else "yes"
    with done.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    return done


def _code(folder: Path, truths: Mapping[str, NDArray[np.bool_]], shift_s: float) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, truth in truths.items():
        spans = [Interval(float(b) + shift_s, float(e) + shift_s, "near") for b, e in true_runs(truth) / FPS]
        timeline = Timeline((Tier("near", tuple(spans)),), f"{name}.mp4", len(truth) / FPS)
        (folder / f"{name}.eaf").write_bytes(eaf_bytes(timeline))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
