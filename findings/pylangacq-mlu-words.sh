#!/usr/bin/env bash
# pylangacq 0.23.0 (rustling 0.9.0): the mean length of utterance *in words* depends on the morphology line.
#
# Where an utterance of a CHAT transcript has no %mor line, `mluw` counts its full stop as a word; with the line it does
# not. An utterance without any word (`xxx .`, a laugh) counts as one word long. %mor is a tier that taggers add later:
# the untagged transcript gives higher values than the tagged one, by up to one word an utterance. The field's measure
# counts no punctuation, and leaves out utterances that cannot be understood (`xxx`).
#
# Expected: 2 and 2 ("the ball ."), and 3 for "the ball rolls ." beside "xxx ." and a laugh.
# Seen: tagged 2, untagged 3 | with two utterances without words 1.66667
#
# Installs the package into a temporary folder; exits 0 while it behaves so.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" -q install --disable-pip-version-check pylangacq==0.23.0 rustling==0.9.0
"$folder/venv/bin/python" - <<'PYTHON'
import sys

import pylangacq

HEADER = """@UTF8
@Begin
@Languages:\teng
@Participants:\tCHI Target_Child
@ID:\teng|made|CHI|2;06.||||Target_Child|||
"""


def mlu_words(*lines: str) -> float:
    transcript = HEADER + "\n".join(lines) + "\n@End\n"
    return round(pylangacq.CHAT.from_strs([transcript]).mluw()[0], 5)


tagged = mlu_words("*CHI:\tthe ball .", "%mor:\tdet|the noun|ball .")
untagged = mlu_words("*CHI:\tthe ball .")
wordless = mlu_words(
    "*CHI:\tthe ball rolls .", "%mor:\tdet|the noun|ball verb|roll-Pres .", "*CHI:\txxx .", "*CHI:\t&=laughs ."
)
print("tagged %g, untagged %g | with two utterances without words %g" % (tagged, untagged, wordless))
sys.exit(not ((tagged, untagged, wordless) == (2, 3, 1.66667)))
PYTHON
