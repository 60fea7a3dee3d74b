"""What goes out and comes back counts the same; whoever imports is told the right numbers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from scenes_builders import make_store

from visionllm_interaction.errors import UsageError
from visionllm_interaction.interop.formats.clock_times import parse_intervals
from visionllm_interaction.interop.import_codes import ImportOptions, import_codes
from visionllm_interaction.interop.tier_meaning import kind_of_name
from visionllm_interaction.interop.tiers import Interval, Tier, milliseconds, split_overlaps
from visionllm_interaction.measures.language.run import query


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return make_store(tmp_path / "store")


def test_intervals_that_meet_meet_in_whole_milliseconds_too() -> None:
    border = 2.4274999999999998, 2.4275  # of a 200 Hz tracker: half a sample, once computed from each side
    assert milliseconds(border[0]) == milliseconds(border[1]) == 2428
    tier = Tier("looks", (Interval(1.0, border[0], "ball"), Interval(border[1], 3.0, "cup")))
    [written] = split_overlaps([tier])
    assert written.intervals[0].end_s == written.intervals[1].begin_s


@pytest.mark.parametrize(
    "name", ["coded", "coded (2)", "Coded_Time (12)", "child: coded", "caregiver: coded (2)", "kodet"]
)
def test_coded_time_is_known_by_the_names_that_exports_give(name: str) -> None:
    assert kind_of_name(name) == "coded"


@pytest.mark.parametrize("name", ["coded by hand", "notcoded", "code (2)"])
def test_other_names_are_no_coded_time(name: str) -> None:
    assert kind_of_name(name) == "code"


def test_a_tier_of_two_people_is_counted_whole(store: Path, tmp_path: Path) -> None:
    path = tmp_path / "looks.csv"
    path.write_text(
        "tier,participant,label,begin_s,end_s\nlooks,child,cup,1,2\nlooks,caregiver,cup,2,3\nlooks,child,cup,4,5\n"
    )
    tier = import_codes(path, store, video_id="a").tiers["looks"]
    assert (tier.kind, tier.participant, tier.codes) == ("gaze", "child, caregiver", 3)


def transcript(path: Path, words: list[str]) -> Path:
    timed = [{"word": word, "start": 1.0 + n / 2, "end": 1.4 + n / 2} for n, word in enumerate(words)]
    segment = {"start": 1.0, "end": 1.0 + len(words) / 2, "text": " ".join(words), "speaker": "S0", "words": timed}
    path.write_text(json.dumps({"segments": [segment]}))
    return path


def test_a_transcript_in_which_nothing_is_named_counts_as_no_naming(store: Path, tmp_path: Path) -> None:
    options = ImportOptions(speakers={"S0": "caregiver"}, naming=True)
    import_codes(transcript(tmp_path / "one.json", ["the", "cup"]), store, video_id="a", options=options)
    alone = {row.video_id: row.value for row in query("count(names(caregiver)) by video", store).rows}
    assert alone == {"a": 1, "b": None}, "of the other video nothing is known yet"
    import_codes(transcript(tmp_path / "two.json", ["oh", "well"]), store, video_id="b", options=options)
    both = {row.video_id: row.value for row in query("count(names(caregiver)) by video", store).rows}
    assert both == {"a": 1, "b": 0}


@pytest.mark.parametrize(
    ("text", "expected"), [("3:1", "between them"), ("2-1", "after its begin"), ("-", "BEGIN-END")]
)
def test_what_is_no_interval_is_told_so(text: str, expected: str) -> None:
    with pytest.raises(UsageError) as refused:
        parse_intervals([text], "--mute")
    assert expected in str(refused.value.expected)
