#!/usr/bin/env bash
# sleap-io 0.9.5 (imageio 2.38.1, imageio-ffmpeg 0.8.1): in a video of variable rate, frame n is another image with the
# reader that a plain installation uses than with OpenCV or PyAV.
#
# The reader "FFMPEG" is what comes with the package; its description calls it the most reliable. imageio has ffmpeg
# fill the file up to a constant rate: where the camera slows down, images are repeated. imageio counts the repeated
# ones, sleap-io takes the number of frames from the file, so that the last ones are never reached. Phones and video
# calls write such files. Labels and detections by frame number then belong to other images, without any warning.
#
# Expected: frame 12 shows image 12 and frame 19 image 19 (of 20) with each reader.
# Seen: images in the file 20 | FFMPEG (the default): 20 frames, 12 is image 10, 19 is image 13 | pyav: 20 frames, 12 is image 12, 19 is image 19 | imageio alone: 38 frames
#
# Installs the packages into a temporary folder; exits 0 while it behaves so.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" -q install --disable-pip-version-check \
  sleap-io==0.9.5 imageio==2.38.1 imageio-ffmpeg==0.8.1 av==18.1.0
"$folder/venv/bin/python" - "$folder/v.mp4" <<'PYTHON'
import sys
from fractions import Fraction

import av
import imageio.v3
import numpy as np
import sleap_io

path, unit = sys.argv[1], Fraction(1, 600)
times = [20 * n for n in range(10)] + [200 + 60 * n for n in range(10)]  # 10 images at 30 a second, then 10 at 10
with av.open(path, "w") as container:
    stream = container.add_stream("libx264", rate=30)
    stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
    stream.time_base = stream.codec_context.time_base = unit
    stream.codec_context.max_b_frames = 0
    for n, time in enumerate(times):
        frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 20 + 10 * n, np.uint8), format="rgb24")
        frame.pts, frame.time_base = time, unit
        container.mux(stream.encode(frame))
    container.mux(stream.encode(None))
with av.open(path) as container:
    in_file = sum(1 for _ in container.decode(video=0))


def number(image: np.ndarray) -> int:
    """Which image of the file it is, by its grey."""
    return round((float(image.mean()) - 20) / 10)


plain = sleap_io.load_video(path)
seen = {}
for reader in ("FFMPEG", "pyav"):
    video = sleap_io.load_video(path, plugin=reader)
    seen[reader] = (len(video), number(video[12]), number(video[19]))
alone = len(imageio.v3.imread(path, plugin="FFMPEG"))
print("images in the file", in_file, end="")
for reader, (frames, twelfth, last) in seen.items():
    default = " (the default)" if reader == plain.backend.plugin else ""
    print(f" | {reader}{default}: {frames} frames, 12 is image {twelfth}, 19 is image {last}", end="")
print(f" | imageio alone: {alone} frames")
wanted = {"FFMPEG": (20, 10, 13), "pyav": (20, 12, 19)}
sys.exit(not (in_file == 20 and seen == wanted and alone == 38 and plain.backend.plugin == "FFMPEG"))
PYTHON
