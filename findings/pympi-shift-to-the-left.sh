#!/usr/bin/env bash
# pympi-ling 1.71: shifting an ELAN file to the left moves every annotation but the end of the one that is cut at zero.
#
# Coding is brought to another camera's clock by a shift. Eaf.shift_annotations says that annotations at the beginning
# may be squashed. One that begins before the new zero is set to begin there, but its end stays where it was before the
# shift, so that it is too long by the shift and runs into the next annotation of its tier. The annotations after it are
# moved as expected, and the call reports the old times of the squashed one, which look right.
#
# Expected: held 0-300, put down 500-1500
# Seen: held 0-800, put down 500-1500 | reported as squashed: 200-800
#
# Installs the package into a temporary folder; exits 0 while it behaves so.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" -q install --disable-pip-version-check pympi-ling==1.71
"$folder/venv/bin/python" - "$folder" <<'PYTHON'
import sys
from pathlib import Path

from pympi.Elan import Eaf

file = str(Path(sys.argv[1]) / "coding.eaf")
made = Eaf()
made.add_tier("child")
made.add_annotation("child", 200, 800, "held")
made.add_annotation("child", 1000, 2000, "put down")
made.to_file(file)

coding = Eaf(file)
squashed, removed = coding.shift_annotations(-500)
times = sorted((begin, end, value) for begin, end, value, *_ in coding.get_annotation_data_for_tier("child"))
print(", ".join(f"{value} {begin}-{end}" for begin, end, value in times), "| reported as squashed:", squashed)
sys.exit(
    times != [(0, 800, "held"), (500, 1500, "put down")] or squashed != [("child", 200, 800, "held")] or removed != []
)
PYTHON
