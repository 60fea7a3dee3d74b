"""Transitions of looks, bouts and codings beside the model: as other parts of the program compute them."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from coded_videos import code, make_video
from moving_scene import publish_scene
from starlette.testclient import TestClient

from visionllm_interaction.analysis import AnalysisConfig
from visionllm_interaction.interop.tiers import Interval
from visionllm_interaction.measures.language.run import query
from visionllm_interaction.reasoning.config import ReasonConfig
from visionllm_interaction.server.app import create_app
from visionllm_interaction.server.config import ServeConfig
from visionllm_interaction.server.intake.uploads import Uploads
from visionllm_interaction.store.reader import open_store, write_codes
from visionllm_interaction.validity.agreement.agree import agree
from visionllm_interaction.validity.agreement.coding import CodedRecording, Coding


@pytest.fixture
def config(tmp_path: Path) -> ServeConfig:
    return ServeConfig(data_dir=tmp_path, page=False, insecure=True)


@pytest.fixture
def http(config: ServeConfig) -> Iterator[TestClient]:
    Uploads(config.uploads_dir, config.incoming_dir).prepare()
    app = create_app(config, analysis=AnalysisConfig(), reason=ReasonConfig())
    yield TestClient(app, base_url="http://127.0.0.1:8000")


LOOKS = ["ball", "cup", "ball", "caregiver", "ball", "cup", "cup", "caregiver"]


def publish_looks(store: Path) -> None:
    """Two videos; in the first, time between two looks was not coded."""
    for video_id in ("a", "b"):
        make_video(store, {"child": [(0, 20)], "ball": [(0, 20)]}, video_id)
        looks = [code("gaze", "child", what, 2.0 * n, 2.0 * n + 1.5) for n, what in enumerate(LOOKS)]
        looks += [code("gaze", "caregiver", "child", 3, 4), code("gaze", "caregiver", "Ball", 5, 6)]
        if video_id == "a":
            looks += [code("coded", "", "", 0, 5.8), code("coded", "", "", 6, 20)]
        write_codes(store, video_id, looks)


def test_transitions_have_the_entropies_of_the_language(http: TestClient, config: ServeConfig) -> None:
    publish_looks(config.store_dir)
    for video_id, where in ((None, ""), ("a", " in video a"), ("b", " in video b")):
        for who in ("child", "caregiver"):
            params = {"participant": who, **({"video_id": video_id} if video_id else {})}
            found = http.get("/v1/look-transitions", params=params).json()
            for name in ("transition_entropy", "stationary_entropy"):
                expected = query(f"{name}({who}){where}", config.store_dir).value
                assert found[name] == (None if expected is None else pytest.approx(expected)), (params, name)
    found = http.get("/v1/look-transitions").json()
    assert (found["participant"], found["participants"], found["videos"]) == ("child", ["caregiver", "child"], 2)
    place = {target: n for n, target in enumerate(found["targets"])}
    # by hand: in both videos 6 shifts (cup → cup is none), but in the first not across what was not coded
    assert sum(map(sum, found["counts"])) == 6 + 5
    assert found["counts"][place["ball"]][place["caregiver"]] == 1
    rows = list(csv.DictReader(io.StringIO(http.get("/v1/look-transitions/csv").text)))
    assert {(one["from"], one["to"]): int(one["count"]) for one in rows} == {
        (a, b): found["counts"][place[a]][place[b]] for a in place for b in place
    }


def test_case_does_not_part_a_person_in_two(http: TestClient, config: ServeConfig) -> None:
    publish_looks(config.store_dir)
    make_video(config.store_dir, {"child": [(0, 20)], "ball": [(0, 20)]}, "c")
    looks = [code("gaze", "Child", what, 2.0 * n, 2.0 * n + 1.5) for n, what in enumerate(LOOKS[::-1])]
    told = [code("coded", "CHILD", "", 0, 9), code("coded", "caregiver", "", 0, 20)]
    write_codes(config.store_dir, "c", [*looks, *told])
    found = http.get("/v1/look-transitions").json()
    assert (found["participant"], found["participants"], found["videos"]) == ("child", ["caregiver", "child"], 3)
    for name in ("transition_entropy", "stationary_entropy"):
        assert found[name] == pytest.approx(query(f"{name}(child)", config.store_dir).value)
    assert sum(map(sum, found["counts"])) == 6 + 5 + 3, "of the third video only what was coded of the child"


def test_a_store_without_looks_has_no_transitions(http: TestClient, config: ServeConfig) -> None:
    publish_scene(config.store_dir)
    found = http.get("/v1/look-transitions").json()
    assert (found["participants"], found["counts"], found["transition_entropy"]) == ([], [], None)
    assert found["missing"]


def test_bouts_are_those_of_the_query(http: TestClient, config: ServeConfig) -> None:
    publish_scene(config.store_dir)
    found = http.get("/v1/bouts", params={"expression": "visible(child)"}).json()
    rows = query("visible(child)", config.store_dir).rows
    assert [(one["video_id"], bout) for one in found["videos"] for bout in one["bouts"]] == [
        (row.video_id, [row.begin_s, row.end_s]) for row in rows
    ]
    assert found["command"].startswith("visionllm query 'visible(child)'")
    text = http.get("/v1/bouts/csv", params={"expression": "visible(child)"}).text
    assert text == query("visible(child)", config.store_dir).to_csv()


def test_what_is_not_known_stands_apart_from_what_is_not_so(http: TestClient, config: ServeConfig) -> None:
    publish_looks(config.store_dir)
    [a, b] = http.get("/v1/bouts", params={"expression": "looks_at(child, ball)"}).json()["videos"]
    assert a["unknown"] == [[pytest.approx(5.8), pytest.approx(6.0)]] and b["unknown"] == []


@pytest.mark.parametrize(
    ("expression", "unknown"),
    [
        ("looks_at(child, ball) in video a", {"a": [[5.8, 6.0]]}),
        ("looks_at(child, ball) by video", {"a": [[5.8, 6.0]], "b": [], "none": [[0.0, 20.0]]}),
        ("starts(looks_at(child, ball))", {"a": None, "b": None, "none": [[0.0, 20.0]]}),
        ("looks_at(child, $o) by $o in (ball, cup)", {"a": None, "b": None, "none": [[0.0, 20.0]]}),
    ],
)
def test_nothing_is_drawn_as_absent_where_it_is_not_known(
    http: TestClient, config: ServeConfig, expression: str, unknown: dict[str, Any]
) -> None:
    publish_looks(config.store_dir)
    make_video(config.store_dir, {"child": [(0, 20)]}, "none")
    answer = http.get("/v1/bouts", params={"expression": expression})
    assert answer.status_code == 200, answer.text
    found = {one["video_id"]: one["unknown"] for one in answer.json()["videos"]}
    assert found == {
        name: None if spans is None else [pytest.approx(span) for span in spans] for name, spans in unknown.items()
    }


@pytest.mark.parametrize("expression", ["total(visible(child))", "holding(", "nonsense(child)", " "])
def test_what_gives_no_bouts_is_refused(http: TestClient, config: ServeConfig, expression: str) -> None:
    publish_scene(config.store_dir)
    answer = http.get("/v1/bouts", params={"expression": expression})
    assert answer.status_code in (400, 422), answer.text
    assert answer.json()["detail"]


def coded_scene(config: ServeConfig) -> str:
    """A scene in which a person coded when the child is visible, half a second late, and only the first half."""
    publish_scene(config.store_dir)
    with open_store(config.store_dir) as store:
        [video_id] = store.video_ids()
        duration = float(store.video(video_id)["duration_s"])
    seen = [(row.begin_s, row.end_s) for row in query("visible(child)", config.store_dir).rows]
    codes = [replace(code("code", "child", "", begin + 0.5, end + 0.5), tier="visible") for begin, end in seen]
    write_codes(config.store_dir, video_id, [*codes, code("coded", "", "", 0, duration / 2)])
    return video_id


def test_a_coding_is_compared_as_agree_compares_it(http: TestClient, config: ServeConfig) -> None:
    video_id = coded_scene(config)
    [found] = http.get(f"/v1/videos/{video_id}/comparisons").json()["comparisons"]
    assert (found["coding"]["tier"], found["state"]) == ("visible", "child visible")
    report = agree(*codings_of(config, video_id, found))
    [tier] = [one for one in report.pairs[0].tiers if one.tier == "child visible"]
    assert found["kappa"] == pytest.approx(tier.pooled.kappa.value)
    assert found["only_model_s"] == pytest.approx(sum(end - begin for begin, end in found["only_model"]), abs=0.01)
    asked = http.get(
        f"/v1/videos/{video_id}/comparisons",
        params={"tier": "visible", "participant": "child", "state": "child visible"},
    )
    assert asked.json()["comparisons"] == [found]
    unknown = http.get(f"/v1/videos/{video_id}/comparisons", params={"tier": "none", "state": "child visible"})
    assert unknown.status_code in (400, 422)


def test_half_a_pair_is_refused_and_pairs_left_out_are_counted(http: TestClient, config: ServeConfig) -> None:
    video_id = coded_scene(config)
    for half in ({"tier": "visible"}, {"state": "child visible"}, {"label": "x"}):
        answer = http.get(f"/v1/videos/{video_id}/comparisons", params=half)
        assert answer.status_code == 400, (half, answer.text)
    assert http.get(f"/v1/videos/{video_id}/comparisons").json()["left_out"] == 0
    tiers = ["visible", *(" " * n + "visible" for n in range(1, 15))]
    codes = [replace(code("code", "child", "", 1, 2), tier=tier) for tier in tiers]
    write_codes(config.store_dir, video_id, codes)
    found = http.get(f"/v1/videos/{video_id}/comparisons").json()
    assert (len(found["comparisons"]), found["left_out"]) == (12, 3)


def codings_of(config: ServeConfig, video_id: str, found: dict[str, Any]) -> list[Coding]:
    """The same two as codings of ``visionllm agree``, each with the half that was coded."""
    import numpy as np

    with open_store(config.store_dir) as store:
        half = float(store.video(video_id)["duration_s"]) / 2
    coded = np.array([[0.0, half]])
    return [
        Coding(name, {"r": CodedRecording({"child visible": spans}, coded, True, None)})
        for name, spans in (
            ("person", tuple(Interval(b, e, "visible") for b, e in found["coded"])),
            ("model", tuple(Interval(b, e, "visible") for b, e in found["model"])),
        )
    ]


@pytest.mark.parametrize("path", ["/v1/bouts", "/v1/bouts/csv"])
@pytest.mark.parametrize("expression", ["child", "þ", '"child"'])
def test_what_is_no_stream_is_refused(http: TestClient, config: ServeConfig, path: str, expression: str) -> None:
    make_video(config.store_dir, {"child": [(0, 20)]}, "a")
    answer = http.get(path, params={"expression": expression})
    assert answer.status_code in (400, 422), answer.text
    assert answer.json()["detail"] in ("The whole expression does not fit.", "This gives no bouts.")
