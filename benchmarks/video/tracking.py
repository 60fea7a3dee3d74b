"""HOTA and IDF1 on ToyRoom videos from a simulated detector: the slow test's scores, with their figures.

    python benchmarks/video/tracking.py

Four seeds each of the room view and of the ego view with jerks; 15 % of the true boxes dropped, 5 % false ones added,
edges shaken by 2 % of the size. The ego view is also tracked without motion compensation, at 25 frames a second and at
the 8.3 at which long recordings are analysed. Then the blur, with a fifth of the faces
missed. Figures go to ``benchmarks/results/tracking.json``.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "tests" / "video"))

from test_blur import toyroom_shares
from test_toyroom_tracking import SAMPLED_FPS, camera_errors_px, make, scores

RESULTS = Path(__file__).parents[1] / "results" / "tracking.json"


def main() -> None:
    with tempfile.TemporaryDirectory() as temporary:
        room = make(Path(temporary) / "room", "room")
        ego = make(Path(temporary) / "ego", "ego")
        found = {
            "room": scores(room),
            "ego 25 fps": scores(ego, compensate=True),
            "ego 25 fps without motion compensation": scores(ego),
            "ego 8.3 fps": scores(ego, fps=SAMPLED_FPS, compensate=True),
            "ego 8.3 fps without motion compensation": scores(ego, fps=SAMPLED_FPS),
        }
        errors = camera_errors_px(ego)
        shares = toyroom_shares(Path(temporary))
    figures: dict[str, dict[str, float]] = {
        name: {"HOTA": round(hota, 4), "IDF1": round(idf1, 4)} for name, (hota, idf1) in found.items()
    }
    figures["camera error per step in px, by percentile"] = {
        str(q): round(errors[min(len(errors) - 1, round(q / 100 * (len(errors) - 1)))], 2) for q in (50, 90, 95, 99)
    }
    figures["blur: share of faces that show, a fifth of them missed"] = {k: round(v, 4) for k, v in shares.items()}
    RESULTS.write_text(json.dumps(figures, indent=1) + "\n")
    print(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
