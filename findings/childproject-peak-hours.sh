#!/usr/bin/env bash
# ChildProject 0.4.6: the "peak" metrics of a recording look at its first hours only, however late the annotated time lies.
#
# `peak_voc_speaker`, `peak_wc_adu`, `peak_lena_CTC` … are the highest value of an hour. The number of hours is the
# *annotated* duration over one hour, but they are counted from the begin of the *recording*. Where two hours from the
# middle of a day were annotated, hours 0 and 1 are looked at, which nobody annotated, and the peak is 0; the rate per
# hour of the same segments is right. An annotated part of less than an hour has no peak at all.
#
# Expected: 40, the fuller of the two annotated hours, wherever they lie.
# Seen: annotated from 0:00: peak 40, per hour 25 | annotated from 5:00: peak 0, per hour 25
#
# Installs the package into a temporary folder; exits 0 while it behaves so.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
pip=("$folder/venv/bin/pip" -q install --disable-pip-version-check)
"${pip[@]}" pandas==2.3.3
"${pip[@]}" --no-deps childproject==0.4.6 # the metrics need no more than pandas
"$folder/venv/bin/python" - <<'PYTHON'
import sys

import pandas as pd
from ChildProject.pipelines.metricsFunctions import peak_voc_speaker, voc_speaker_ph

HOUR_MS = 3_600_000


def metrics(begin_hour: int) -> tuple[float, float]:
    """Two annotated hours: 10 vocalizations in the first, 40 in the second."""
    onsets = [begin_hour * HOUR_MS + n * 60_000 for n in range(10)]
    onsets += [(begin_hour + 1) * HOUR_MS + n * 60_000 for n in range(40)]
    segments = pd.DataFrame({"segment_onset": onsets, "speaker_type": "CHI"})
    segments["segment_offset"] = segments["segment_onset"] + 1000
    (_, peak), (_, rate) = (
        metric(segments.copy(), 2 * HOUR_MS, speaker="CHI") for metric in (peak_voc_speaker, voc_speaker_ph)
    )
    return float(peak), float(rate)


early, late = metrics(0), metrics(5)
print("from 0:00: peak %g, per hour %g | from 5:00: peak %g, per hour %g" % (*early, *late))
sys.exit(not (early == (40, 25) and late == (0, 25)))
PYTHON
