#!/usr/bin/env bash
# Pillow 13.0.0: the samples of a PGM file are not those that stand in it; they are stretched to 8 or 16 bits.
#
# A PGM file says its largest value (maxval). Cameras and depth sensors write 12 bits (4095), or millimetres up to 1000.
# Pillow multiplies each sample by 255 / maxval, or by 65535 / maxval above 255, and says so nowhere in the image: 100
# becomes 1600, and 500 mm become 32768. A TIFF or PNG with the same samples keeps them. Samples of a PGM read with
# Pillow are thus neither raw values nor distances; whoever needs these has to undo it with the maxval in the header.
#
# Output seen: 4095: 0 16 1600 65535 | 1000: 0 66 32768 65535 | 65535: 0 1 100 65535 | TIFF: 0 1 100 4095
#
# Installs the package into a temporary folder; exits 0 while it behaves so.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" -q install --disable-pip-version-check pillow==13.0.0 numpy
"$folder/venv/bin/python" - "$folder" <<'PYTHON'
import sys
from pathlib import Path

import numpy as np
from PIL import Image

folder = Path(sys.argv[1])
seen = {}
for maxval, samples in ((4095, [0, 1, 100, 4095]), (1000, [0, 1, 500, 1000]), (65535, [0, 1, 100, 65535])):
    header = f"P5\n{len(samples)} 1\n{maxval}\n".encode()
    (folder / "a.pgm").write_bytes(header + np.array(samples, ">u2").tobytes())
    seen[str(maxval)] = np.asarray(Image.open(folder / "a.pgm")).ravel().tolist()
Image.fromarray(np.array([[0, 1, 100, 4095]], np.uint16)).save(folder / "a.tif")
seen["TIFF"] = np.asarray(Image.open(folder / "a.tif")).ravel().tolist()
print(" | ".join(f"{name}: {' '.join(map(str, values))}" for name, values in seen.items()))
expected = {
    "4095": [0, 16, 1600, 65535],
    "1000": [0, 66, 32768, 65535],
    "65535": [0, 1, 100, 65535],
    "TIFF": [0, 1, 100, 4095],
}
sys.exit(seen != expected)
PYTHON
