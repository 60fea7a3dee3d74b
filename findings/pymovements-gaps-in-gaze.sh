#!/usr/bin/env bash
# pymovements 0.28.0: ivt counts five seconds without a single sample as one long fixation; idt refuses the same recording.
#
# Eye trackers worn by children lose the eye; many write no rows then, so that the time stamps jump. The velocity-based
# detection joins the samples before and after the jump to one fixation, whose duration includes the time in which
# nothing was measured. With rows of NaN in place of the missing ones it makes two fixations of them, and the
# dispersion-based detection says that the interval between time stamps must be constant. The durations, moreover, are
# from the first sample to the last: 100 samples of a millisecond are 99 ms.
#
# Expected: rows missing: the same two fixations as with rows of NaN, or a refusal as from idt.
# Seen: rows missing: 5199 ms | rows of NaN: 99 ms, 99 ms | rows missing, idt: refused
#
# Installs the package into a temporary folder; exits 0 while it behaves so.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" -q install --disable-pip-version-check pymovements==0.28.0
"$folder/venv/bin/python" - <<'PYTHON'
import sys

import numpy as np
from pymovements.events import idt, ivt

every = np.arange(5200)
seen = (every < 100) | (every >= 5100)
still = np.zeros((seen.sum(), 2))
with_nan = np.where(seen[:, None], 0.0, np.nan) * np.ones((1, 2))


def durations(times: np.ndarray, velocities: np.ndarray) -> list[int]:
    return ivt(velocities=velocities, timesteps=times, minimum_duration=50, velocity_threshold=20).frame[
        "duration"
    ].to_list()


missing, nan = durations(every[seen], still), durations(every, with_nan)
try:
    idt(positions=still, timesteps=every[seen], minimum_duration=50, dispersion_threshold=1.0)
    refused = False
except ValueError:
    refused = True
print(f"rows missing: {missing} ms | rows of NaN: {nan} ms | rows missing, idt: {'refused' if refused else 'accepted'}")
sys.exit(missing != [5199] or nan != [99, 99] or not refused)
PYTHON
