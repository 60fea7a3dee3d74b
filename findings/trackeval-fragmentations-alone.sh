#!/usr/bin/env bash
# TrackEval 1.3.0 and motmetrics 1.4.0: fragmentations and "mostly tracked" differ on one and the same input.
#
# A person is tracked, lost for two images and found again under the same number: one fragmentation. TrackEval leaves an
# image in which the tracker has no box at all before it notes that the person was lost, so that it counts none; with
# somebody else tracked throughout it counts the first person's. The track of a child who plays alone so seems whole,
# unless the tracker has a false box meanwhile. And of a person found in exactly 80 % of the images motmetrics says
# mostly tracked, TrackEval not. Both agree on MOTA, identity switches and IDF1 here.
#
# Expected: 1 fragmentation of the person, alone or not, by both; the same people mostly tracked.
# Seen (fragmentations, mostly tracked): alone: TrackEval 0 0, motmetrics 1 1 | with a bystander: TrackEval 1 1, motmetrics 1 2
#
# Installs the packages into a temporary folder; exits 0 while it behaves so.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" -q install --disable-pip-version-check trackeval==1.3.0 motmetrics==1.4.0 numpy==2.4.6 pandas==2.3.3
"$folder/venv/bin/python" - <<'PYTHON'
import sys

import motmetrics
import numpy as np
from trackeval.metrics import CLEAR

FRAMES = range(10)
LOST = (4, 5)


def by_trackeval(people: int) -> tuple[int, int]:
    found = [[n for n in range(people) if n > 0 or frame not in LOST] for frame in FRAMES]
    counts = CLEAR({"PRINT_CONFIG": False}).eval_sequence(
        {
            "gt_ids": [np.arange(people) for _ in FRAMES],
            "tracker_ids": [np.array(ids, dtype=int) for ids in found],
            "similarity_scores": [np.eye(people)[:, ids] for ids in found],
            "num_timesteps": len(FRAMES),
            "num_gt_ids": people,
            "num_tracker_ids": people,
            "num_gt_dets": people * len(FRAMES),
            "num_tracker_dets": sum(map(len, found)),
        }
    )
    return int(counts["Frag"]), int(counts["MT"])


def by_motmetrics(people: int) -> tuple[int, int]:
    accumulator = motmetrics.MOTAccumulator()
    for frame in FRAMES:
        found = [n for n in range(people) if n > 0 or frame not in LOST]
        distances = np.where(np.eye(people)[:, found] == 1, 0.0, np.nan)
        accumulator.update(list(range(people)), found, distances, frameid=frame)
    names = ["num_fragmentations", "mostly_tracked"]
    row = motmetrics.metrics.create().compute(accumulator, metrics=names).iloc[0]
    return int(row[names[0]]), int(row[names[1]])


seen = {name: (by_trackeval(people), by_motmetrics(people)) for name, people in (("alone", 1), ("with a bystander", 2))}
for name, (first, second) in seen.items():
    print("%s: TrackEval %d %d, motmetrics %d %d" % (name, *first, *second), end=" | " if name == "alone" else "\n")
sys.exit(not (seen == {"alone": ((0, 0), (1, 1)), "with a bystander": ((1, 1), (1, 2))}))
PYTHON
