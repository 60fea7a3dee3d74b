"""Check accounts of ToyRoom videos against their truth: every statement true, how many events told, how many sentences.

python benchmarks/questions/describe_truth.py --folder /tmp/rooms --seeds 21 22 23 24 25
"""

from __future__ import annotations

import argparse
import json
import re
from pathlib import Path

from truth.room_truth import RoomTruth, total
from truth.rooms import make_rooms

from visionllm_interaction.reasoning import describe

_KINDS = {
    "picks_up": r"(?P<a>.+?) picked up (?P<b>.+)",
    "puts_down": r"(?P<a>.+?) put down (?P<b>.+)",
    "hands_over": r"(?P<a>.+?) handed (?P<c>.+?) to (?P<b>.+)",
    "enters": r"(?P<a>.+?) came in",
    "leaves": r"(?P<a>.+?) left",
}
_PLACE = re.compile(r"^In [\w.-]+, ")
_PART = re.compile(r"(?:^|, | and )(?P<said>[^()]+?) \((?P<value>[\d.]+) s\)")


def check(truth: RoomTruth, sentences: list[str]) -> tuple[int, int, int]:
    """False statements, events told, and events there are."""
    events = [(e["kind"], list(e["track_ids"]), float(e["begin_s"])) for e in truth.content["events"]]
    told: set[int] = set()
    wrong = 0
    for sentence in sentences:
        text = _PLACE.sub("", sentence).rstrip(".")
        for part in _PART.finditer(text.removeprefix("in view are ").removeprefix("In view are ")):
            said, value = part["said"].strip().casefold(), float(part["value"])
            if "in view are" in text.casefold():
                seen = [
                    (b, e)
                    for b, e, objects in truth.frames
                    if any(o["track_id"] in _tracks(said, truth) for o in objects)
                ]
                wrong += abs(total(seen) - value) > 0.01
                continue
            found = next(
                (i for i, event in enumerate(events) if i not in told and _is_told(event, said, value, truth)), None
            )
            wrong += found is None
            told |= {found} if found is not None else set()
    return wrong, len(told), len(events)


def _tracks(said: str, truth: RoomTruth) -> frozenset[int]:
    """Who is meant: "the child" where there is one, "child 2" by its track; nobody where that does not say who."""
    match = re.fullmatch(r"(?:the )?(?P<name>.+?)(?: (?P<track>\d+))?", said.strip())
    assert match is not None
    alike = frozenset(track for track, name in truth.names.items() if name == match["name"])
    if match["track"] is not None:
        return alike & {int(match["track"])}
    return alike if len(alike) == 1 else frozenset()


def _is_told(event: tuple[str, list[int], float], said: str, value: float, truth: RoomTruth) -> bool:
    kind, tracks, begin_s = event
    match = re.fullmatch(_KINDS[kind], said)
    if match is None or abs(begin_s - value) > 0.01:
        return False
    return [_tracks(match[letter], truth) for letter in "abc"[: len(tracks)]] == [frozenset({t}) for t in tracks]


def main() -> None:
    """Describe every video and print the counts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--seeds", type=int, nargs="+", default=[21, 22, 23, 24, 25])
    given = parser.parse_args()
    rows = []
    for seed in given.seeds:
        store, truths = make_rooms(given.folder / f"seed{seed}", seed=seed, videos=2)
        for truth in truths:
            sentences = [claim.text for claim in describe(store, video=truth.video_id).claims]
            wrong, told, events = check(truth, sentences)
            per_minute = len(sentences) / truth.duration_s * 60
            rows.append(
                {"video": truth.video_id, "false": wrong, "told": told, "events": events, "per_minute": per_minute}
            )
            print(json.dumps(rows[-1]))
    told, events = (sum(int(row[key]) for row in rows) for key in ("told", "events"))
    print(json.dumps({"videos": len(rows), "false": sum(int(r["false"]) for r in rows), "told": told / max(events, 1)}))


if __name__ == "__main__":
    main()
