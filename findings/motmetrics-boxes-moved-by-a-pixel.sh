#!/usr/bin/env bash
# motmetrics 1.4.0: boxes read from text of MOT Challenge are one pixel further left and up than the file says.
#
# `motmetrics.io.loadtxt` takes 1 from the left and the top of every box, since the challenge counts pixels from 1. So it
# does for all files of this form, also where a tracker wrote pixels counted from 0, as most do. Boxes that are read
# so, and compared with boxes in memory or of another reader, are off by a pixel: a box of 10 pixels has an intersection
# over union of 0.68 with itself. Where both sides are read by it, nothing changes.
#
# Expected: left 100, top 50, as in the file.
# Seen: file: 100 50 10 10 | read: 99 49 10 10 | intersection over union: 0.68
#
# Installs the packages into a temporary folder; exits 0 while it behaves so.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" -q install --disable-pip-version-check motmetrics==1.4.0 numpy==1.26.4 pandas==3.0.6
"$folder/venv/bin/python" -W ignore - "$folder" <<'PYTHON'
import sys
from pathlib import Path

import motmetrics
import numpy as np

path = Path(sys.argv[1]) / "track.txt"
path.write_text("1,1,100,50,10,10,0.9,-1,-1,-1\n")
written = np.array([[100.0, 50, 10, 10]])
read = motmetrics.io.loadtxt(path, fmt="mot15-2D")[["X", "Y", "Width", "Height"]].to_numpy(float)
overlap = 1 - motmetrics.distances.iou_matrix(written, read, max_iou=1.0)[0, 0]
shown = [" ".join(f"{value:.0f}" for value in box[0]) for box in (written, read)]
print(f"file: {shown[0]} | read: {shown[1]} | intersection over union: {overlap:.2f}")
sys.exit(not (read.tolist() == [[99.0, 49.0, 10.0, 10.0]] and round(overlap, 2) == 0.68))
PYTHON
