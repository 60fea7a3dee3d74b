#!/usr/bin/env bash
# pylangacq 0.23.0: an utterance of a CHAT transcript with several media bullets has the time of the first one only.
#
# CHAT allows a bullet behind each part of an utterance that was linked by itself. The utterance then lasts from the
# first bullet's begin to the last one's end. `time_marks` is that of the first part: speech seems shorter, and the gap
# before the answer longer, than they were (1.3 s instead of 0.75 s here), which turn-taking measures rest on. Nothing
# is said.
#
# Output seen: MOT 1500-1700 of 1500-2250, gap before the answer 1.3 s of 0.75 s
#
# Installs the package into a temporary folder; exits 0 while it behaves so.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" -q install --disable-pip-version-check pylangacq==0.23.0
"$folder/venv/bin/python" - "$folder/a.cha" <<'PYTHON'
import sys

import pylangacq

BULLET = "\x15{}_{}\x15"
lines = [
    "@UTF8",
    "@Begin",
    "@Languages:\teng",
    "@Participants:\tCHI Target_Child, MOT Mother",
    "@ID:\teng|lab|CHI|1;06.|||||Target_Child|||",
    "@ID:\teng|lab|MOT|||||Mother|||",
    "@Media:\ta, video",
    f"*MOT:\tlook {BULLET.format(1500, 1700)} a ball . {BULLET.format(1700, 2250)}",
    f"*CHI:\tyes . {BULLET.format(3000, 4000)}",
    "@End",
]
with open(sys.argv[1], "w", encoding="utf-8") as file:
    file.write("\n".join(lines) + "\n")
mother, child = pylangacq.read_chat(sys.argv[1]).utterances()
begin_ms, end_ms = mother.time_marks
gap_s = (child.time_marks[0] - end_ms) / 1000
print(f"MOT {begin_ms}-{end_ms} of 1500-2250, gap before the answer {gap_s:g} s of 0.75 s")
sys.exit(not (mother.time_marks == (1500, 1700) and child.time_marks == (3000, 4000)))
PYTHON
