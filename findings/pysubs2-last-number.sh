#!/usr/bin/env bash
# pysubs2 1.8.1: of the last subtitle of an SRT file the last line is lost if it is a number.
#
# The numbers of subtitles are taken away as "the digits at the end of the text before". The last subtitle is followed
# by none, so that digits which were said are taken for it: of a child who counts "now" / "7" only "now" is left. All
# other subtitles, and the same text with a point behind it, are right. srt 3.5.3 and pysrt 1.1.2 keep the line.
#
# Output seen: pysubs2: I have/3 | now -- srt: I have/3 | now/7
#
# Installs the packages into a temporary folder; exits 0 while it behaves so.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" -q install --disable-pip-version-check pysubs2==1.8.1 srt==3.5.3
"$folder/venv/bin/python" - <<'PYTHON'
import sys

import pysubs2
import srt

TEXT = """1
00:00:03,000 --> 00:00:04,000
I have
3

2
00:00:05,000 --> 00:00:06,000
now
7
"""
by_pysubs2 = [event.text.replace("\\N", "/") for event in pysubs2.SSAFile.from_string(TEXT)]
by_srt = [subtitle.content.replace("\n", "/") for subtitle in srt.parse(TEXT)]
print(f"pysubs2: {' | '.join(by_pysubs2)} -- srt: {' | '.join(by_srt)}")
sys.exit(not (by_pysubs2 == ["I have/3", "now"] and by_srt == ["I have/3", "now/7"]))
PYTHON
