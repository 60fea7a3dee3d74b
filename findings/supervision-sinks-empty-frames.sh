#!/usr/bin/env bash
# supervision 0.31.2: a frame in which nothing was found leaves no trace in the files of `CSVSink` and `JSONSink`.
#
# Both are appended to frame by frame, with the frame's number or time as custom data. With empty detections they write
# nothing, not even the custom data. The file of a video in which a child is seen now and then is the same as that of a
# detector which ran on those few frames only, so that no share of the processed frames can be computed from it.
#
# Expected: a row, or an entry, for each of frames 0, 1 and 2, that of frame 1 without a box.
# Seen: CSV: 0 2 | JSON: 0 2
#
# Installs the package into a temporary folder; exits 0 while it behaves so.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" -q install --disable-pip-version-check supervision==0.31.2
"$folder/venv/bin/python" -W ignore - "$folder" <<'PYTHON'
import csv
import json
import sys
from pathlib import Path

import numpy as np
import supervision

folder = Path(sys.argv[1])
child = supervision.Detections(xyxy=np.array([[1.0, 2, 30, 40]]), confidence=np.array([0.9]), class_id=np.array([0]))
frames = [child, supervision.Detections.empty(), child]
for sink in (supervision.CSVSink(str(folder / "found.csv")), supervision.JSONSink(str(folder / "found.json"))):
    with sink:
        for number, found in enumerate(frames):
            sink.append(found, custom_data={"frame_index": number})
with (folder / "found.csv").open(newline="") as file:
    from_csv = [int(row["frame_index"]) for row in csv.DictReader(file)]
from_json = [entry["frame_index"] for entry in json.loads((folder / "found.json").read_text())]
print(f"CSV: {' '.join(map(str, from_csv))} | JSON: {' '.join(map(str, from_json))}")
sys.exit(not from_csv == from_json == [0, 2])
PYTHON
