#!/usr/bin/env bash
# pylangacq 0.23.0 (rustling 0.9.0): the ELAN documents that it makes of CHAT transcripts with times are no XML.
#
# CHAT puts the times of an utterance between two control characters (U+0015). `to_elan_files` and `to_elan_strs` copy
# the line with its times and those characters into ANNOTATION_VALUE. XML 1.0 cannot hold U+0015, not even escaped, so
# no XML reader can open the file, ELAN's included. Transcripts without times have nothing that could be converted, so this
# meets every one that has. The conversions to Praat and to subtitles by the same package leave the times out.
#
# Expected: an ELAN document with one annotation, "the ball .", from 1000 to 2000 ms.
# Seen: parsed: no; value 'the ball . \x151000_2000\x15' | TextGrid: the ball . | subtitle: the ball .
#
# Installs the package into a temporary folder; exits 0 while it behaves so.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" -q install --disable-pip-version-check pylangacq==0.23.0 rustling==0.9.0
"$folder/venv/bin/python" - "$folder" <<'PYTHON'
import re
import sys
from pathlib import Path
from xml.etree import ElementTree

import pylangacq

folder = Path(sys.argv[1])
(folder / "made.cha").write_text(
    "@UTF8\n@Begin\n@Languages:\teng\n@Participants:\tCHI Target_Child\n@ID:\teng|x|CHI|2;06.||||Target_Child|||\n"
    "@Media:\tmade, audio\n*CHI:\tthe ball . \x151000_2000\x15\n@End\n",
    encoding="utf-8",
)
transcript = pylangacq.read_chat(str(folder / "made.cha"))
transcript.to_elan_files(str(folder / "elan"))
document = next((folder / "elan").glob("*.eaf")).read_text(encoding="utf-8")
try:
    ElementTree.fromstring(document)
    parsed = True
except ElementTree.ParseError:
    parsed = False
value = re.search("<ANNOTATION_VALUE>(.*?)</ANNOTATION_VALUE>", document)[1]
grid = re.search('text = "(.+)"', transcript.to_textgrid_strs()[0])[1]
subtitle = transcript.to_srt_strs()[0].splitlines()[2]
print(f"parsed: {'yes' if parsed else 'no'}; value {value!r} | TextGrid: {grid} | subtitle: {subtitle}")
sys.exit(
    not (not parsed and value == "the ball . \x151000_2000\x15" and grid == "the ball ." and subtitle == "the ball .")
)
PYTHON
