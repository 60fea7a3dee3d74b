#!/usr/bin/env bash
# praatio 6.2.2: quotation marks in a point's label come out doubled, but only from Praat's long text format.
#
# In TextGrid files a quotation mark inside a label is written twice. praatio undoes that for intervals in both text
# formats and for points in the short one; for points in the long one, which is Praat's default, it does not. Saved again,
# the marks are doubled once more, and Praat then shows them. Labels of points so differ from those of intervals in one
# and the same file. tgt 1.5 and pympi-ling 1.71 read all four places right.
#
# Expected: say "hi" in all four places.
# Seen: long: interval say "hi", point say ""hi"" | short: interval say "hi", point say "hi" | long, saved again, in Praat: say ""hi""
#
# Installs the packages (Praat itself is praat-parselmouth) into a temporary folder; exits 0 while it behaves so.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" -q install --disable-pip-version-check praatio==6.2.2 praat-parselmouth==0.4.7
"$folder/venv/bin/python" - "$folder" <<'PYTHON'
import sys
from pathlib import Path

import parselmouth
from parselmouth.praat import call
from praatio import textgrid

folder, label = Path(sys.argv[1]), 'say "hi"'
grid = call("Create TextGrid", 0.0, 2.0, "child moment", "moment")
call(grid, "Set interval text", 1, 1, label)
call(grid, "Insert point", 2, 1.0, label)
call(grid, "Save as text file", str(folder / "long.TextGrid"))
call(grid, "Save as short text file", str(folder / "short.TextGrid"))

seen = {}
for name in ("long", "short"):
    read = textgrid.openTextgrid(str(folder / f"{name}.TextGrid"), includeEmptyIntervals=True)
    seen[name] = [read.getTier(tier).entries[0].label for tier in ("child", "moment")]
    read.save(str(folder / f"{name}-again.TextGrid"), "long_textgrid", includeBlankSpaces=True)
again = call(parselmouth.read(str(folder / "long-again.TextGrid")), "Get label of point", 2, 1)
for name, (interval, point) in seen.items():
    print(f"{name}: interval {interval}, point {point}", end=" | ")
print("long, saved again, in Praat:", again)
wrong = 'say ""hi""'
sys.exit(not (seen == {"long": [label, wrong], "short": [label, label]} and again == wrong))
PYTHON
