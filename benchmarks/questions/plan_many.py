"""Plan many questions that people asked about real videos, by rules: crashes, plans, and the kinds of refusals.

    python benchmarks/questions/plan_many.py val.csv

The list is a CSV with the column ``question`` (NExT-QA's ``val.csv``). Nothing is computed: there is no store, and the
vocabulary is that of a detector of COCO's categories with the roles of a dyad.
"""

from __future__ import annotations

import argparse
import csv
import json
import re
import time
from collections import Counter
from pathlib import Path

from visionllm_interaction.reasoning.language.vocabulary import Vocabulary
from visionllm_interaction.reasoning.planning.rule_planner import plan_by_rules

NAMES = (
    "person",
    "child",
    "caregiver",
    "bicycle",
    "car",
    "motorcycle",
    "airplane",
    "bus",
    "train",
    "truck",
    "boat",
    "bench",
    "bird",
    "cat",
    "dog",
    "horse",
    "sheep",
    "cow",
    "elephant",
    "bear",
    "zebra",
    "giraffe",
    "backpack",
    "umbrella",
    "handbag",
    "tie",
    "suitcase",
    "frisbee",
    "skis",
    "snowboard",
    "kite",
    "skateboard",
    "surfboard",
    "bottle",
    "cup",
    "fork",
    "knife",
    "spoon",
    "bowl",
    "banana",
    "apple",
    "sandwich",
    "orange",
    "broccoli",
    "carrot",
    "pizza",
    "donut",
    "cake",
    "chair",
    "couch",
    "bed",
    "toilet",
    "tv",
    "laptop",
    "mouse",
    "remote",
    "keyboard",
    "microwave",
    "oven",
    "toaster",
    "sink",
    "refrigerator",
    "book",
    "clock",
    "vase",
    "scissors",
    "toothbrush",
    "ball",
)

KINDS = (
    ("feelings", r"^feelings"),
    ("reasons and intentions", r"^reasons"),
    ("sound and speech", r"^sound"),
    ("gaze", r"^gaze"),
    ("naming", r"^naming"),
    ("sizes, speeds, looks", r"^sizes"),
    ("judgements", r"^judgements"),
    ("narrower than the store's names", r"the store knows \w+ and not"),
    ("a name that is not in the store", r"is not in the store"),
    ("a condition that is not understood", r"^the condition"),
    ("a word that is not understood", r"word[s]? .* not understood"),
    ("words known, question not", r"its words are known"),
)


def main() -> None:
    """Plan every question and print the counts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("questions", type=Path)
    parser.add_argument("--show", type=int, default=0, help="print so many plans and refusals of each kind")
    given = parser.parse_args()
    vocabulary = Vocabulary.build(NAMES, ["clip_0", "clip_1"])
    with given.questions.open(encoding="utf-8", newline="") as file:
        questions = [row["question"] for row in csv.DictReader(file)]
    counts: Counter[str] = Counter()
    shown: Counter[str] = Counter()
    begin = time.perf_counter()
    for question in questions:
        try:
            plan = plan_by_rules(question, vocabulary)
        except Exception as error:  # noqa: BLE001  (crashes are counted)
            kind, detail = "crash", repr(error)
        else:
            reason = plan.unanswerable or ""
            kind = next((k for k, p in KINDS if re.search(p, reason)), "other") if reason else "planned"
            detail = reason or str([e.expression for e in plan.expressions] or [s.measure for s in plan.steps])
        counts[kind] += 1
        if shown[kind] < given.show:
            shown[kind] += 1
            print(f"{kind}: {question}\n    {detail}")
    print(
        json.dumps({"questions": len(questions), "seconds": round(time.perf_counter() - begin, 1), **counts}, indent=1)
    )


if __name__ == "__main__":
    main()
