#!/usr/bin/env bash
# PyAV 18.1.0 (FFmpeg 8.1): `frame.time` of H.264 in AVI is one frame late, although the file has no B-frames.
#
# PyAV opens every input with FFmpeg's flag "generate missing time stamps" (genpts). AVI has no presentation times, and
# for H.264 FFmpeg then takes the decoding time of the next packet. Sound read from the same file is not shifted, so
# image and sound seem 1/fps apart (0.1 s at 10 fps). The decoding time (`frame.dts`) is right, and it is what ffmpeg
# shows without that flag (4.2, 5.1, 7.0 and 9.0 were compared), as do mpv 0.35 and VLC 3.0.
#
# Output seen: frame.time 0.1 0.2 0.3 | by dts 0.0 0.1 0.2
#
# Installs the package into a temporary folder; exits 0 while it behaves so.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" -q install --disable-pip-version-check av==18.1.0 numpy
"$folder/venv/bin/python" - "$folder/v.avi" <<'PYTHON'
import sys

import av
import numpy as np

path = sys.argv[1]
with av.open(path, "w") as container:
    stream = container.add_stream("libx264", rate=10)
    stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
    stream.codec_context.max_b_frames = 0
    for n in range(10):
        image = np.full((48, 64, 3), 20 * n, np.uint8)
        container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
    container.mux(stream.encode(None))

with av.open(path) as container:
    time_base = container.streams.video[0].time_base
    frames = [(frame.time, float(frame.dts * time_base)) for frame in container.decode(video=0)]
by_pts, by_dts = ([round(frame[n], 3) for frame in frames[:3]] for n in (0, 1))
print("frame.time", *by_pts, "| by dts", *by_dts)
sys.exit(not (by_pts == [0.1, 0.2, 0.3] and by_dts == [0.0, 0.1, 0.2]))
PYTHON
