"""Who is meant in a coded file, what was coded of the video, and what measures make of both."""

from __future__ import annotations

from pathlib import Path

import pytest
from coded_files import HEADER
from exchange_store import make_store

from visionllm_interaction.interop.config import InteropConfig
from visionllm_interaction.interop.import_codes import ImportOptions, ImportResult, import_codes
from visionllm_interaction.interop.participants import resolve, role_table
from visionllm_interaction.measures.api import Query, measures, run_query
from visionllm_interaction.store.reader import open_store


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return make_store(tmp_path / "store")


def _import(store: Path, rows: str, options: ImportOptions | None = None, **more: object) -> ImportResult:
    path = store.parent / "c.csv"
    path.write_text(HEADER + rows)
    return import_codes(path, store, video_id="a", options=options, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "role"),
    [
        *((name, "child") for name in ("Child", "CHI", "Barn", "KCHI", "Target_Child")),
        *((name, "caregiver") for name in ("Mother", "MOT", "Mamma", "FEM", "MAL")),
        ("OCH", "other child"),
        ("robot", None),
    ],
)
def test_names_of_the_field_are_roles(name: str, role: str | None) -> None:
    assert resolve(name, {"child", "cup"}, role_table()) == role


def test_names_of_the_store_come_before_the_table() -> None:
    assert resolve("MOTHER", {"mother"}, role_table()) == "mother"
    assert resolve("gran", (), role_table({"caregiver": ("Gran",)})) == "caregiver"


def test_who_matches_nothing_is_listed_and_still_measured(store: Path) -> None:
    result = _import(store, "speech,robot,hi,1,2\nspeech,robot,hi,3,4\nspeech,,who,5,6\nlooks,Child,cup,1,2\n")
    assert (result.unmatched, result.without_participant) == ({"robot": 2}, ("speech",))
    with open_store(store) as opened:
        [spoken] = run_query(opened, Query("bout_count", "robot", predicate="speaks"))
        [looked] = run_query(opened, Query("bout_count", "child", "cup", predicate="looks_at"))
    assert (spoken.value, looked.value) == (2, 1)
    options = ImportOptions(speakers={"Robot": "caregiver"})
    assert _import(store, "speech,robot,hi,1,2\n", options).tiers["speech"].participant == "caregiver"
    config = InteropConfig(participants={"caregiver": ("robot",)})
    assert _import(store, "speech,robot,hi,1,2\n", config=config).unmatched == {}


def test_tiers_called_like_a_person_are_that_persons_speech(store: Path) -> None:
    result = _import(store, "CHI,,ba,1,2\ncaregiver: notes,,x,3,4\n")
    assert (result.tiers["CHI"].kind, result.tiers["CHI"].participant) == ("speech", "child")
    assert (result.tiers["caregiver: notes"].kind, result.tiers["caregiver: notes"].participant) == (
        "code",
        "caregiver",
    )


def test_whoever_is_in_no_image_has_bouts_and_turns(store: Path) -> None:
    # The caregiver wears the camera: no track, but looks and speech.
    _import(store, "speech a,Mother,look,1,2\nspeech b,child,ba,2.5,3\nmum gaze,MOT,cup,1,3\n")
    rows = measures(store).to_arrow().to_pylist()
    found = {(row["measure"], row["subject"], row["object"], row["predicate"]): row["value"] for row in rows}
    assert found["bout_count", "caregiver", None, "looks_at"] == 1.0
    assert found["mean_bout", "caregiver", None, "looks_at"] == 2.0
    assert (found["turn_count", "caregiver", "child", None], found["turn_lag", "caregiver", "child", None]) == (1, 0.5)


CODED_HALF = "coded,,transcribed,0,5\n"


def test_rates_of_codes_are_per_coded_minute(store: Path) -> None:
    rows = "".join(f"speech,child,ba,{n}.1,{n}.3\n" for n in range(4))
    query = Query("bout_rate", "child", predicate="speaks")

    def rate() -> float | None:
        with open_store(store) as opened:
            [found] = run_query(opened, query)
        return None if found.value is None else float(found.value)

    gap_closed = 4  # pauses of 0.8 s stay pauses
    _import(store, rows)
    assert rate() == pytest.approx(60 * gap_closed / 9.8)
    _import(store, rows + CODED_HALF)
    assert rate() == pytest.approx(60 * gap_closed / 5)
    # Two overlapping intervals count once; what is said on the command line replaces the tier.
    _import(store, rows, ImportOptions(coded=[(0.0, 4.0), (2.0, 8.0)]))
    assert rate() == pytest.approx(60 * gap_closed / 8)
    result = _import(store, rows + CODED_HALF, ImportOptions(coded=[(0.0, 20.0)]))
    assert rate() == pytest.approx(60 * gap_closed / 10) and result.codes == 4


def test_not_coded_is_not_the_same_as_nothing_said(store: Path) -> None:
    _import(store, "speech,child,ba,1,2\n" + CODED_HALF)
    with open_store(store) as opened:
        [silent] = run_query(opened, Query("bout_count", "child", predicate="speaks", begin_s=3, end_s=5))
        [unknown] = run_query(opened, Query("bout_count", "child", predicate="speaks", begin_s=6, end_s=9))
    assert (silent.value, silent.missing) == (0, None)
    assert unknown.value is None and unknown.missing == "this time was not coded"


def test_a_file_that_does_not_say_what_was_coded_leaves_the_whole_video(store: Path) -> None:
    _import(store, "speech,child,ba,1,2\n" + CODED_HALF)
    other = store.parent / "other.csv"
    other.write_text(HEADER + "speech,child,ba,7,8\n")
    import_codes(other, store, video_id="a")
    with open_store(store) as opened:
        [found] = run_query(opened, Query("bout_rate", "child", predicate="speaks"))
    assert found.value == pytest.approx(60 * 2 / 9.8)
