"""The commands from plan to report, as a user types them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from validity_studies import answer_csv, child_store

from visionllm_interaction.cli.application import app
from visionllm_interaction.cli.output import run_app


def _run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, dict[str, object]]:
    code = run_app(app, [*map(str, arguments), "--json"])
    out = capsys.readouterr().out
    assert "NaN" not in out
    return code, json.loads(out)


def test_from_covariates_to_the_report(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store, audit = child_store(tmp_path / "store"), tmp_path / "audit"
    (tmp_path / "videos.csv").write_text("video,camera,light\nv1.mp4,room,day\nv2,room,\n", encoding="utf-8")
    code, found = _run(capsys, "videos", "set", "--store", store, "--table", tmp_path / "videos.csv")
    assert code == 0
    assert found["videos"]["v1"]["camera"] == "room"  # type: ignore[index]
    plan = ("audit", "plan", "near_duration", "--store", store, "--object", "caregiver", "--out", audit)
    assert _run(capsys, *plan, "--labels", 150)[1]["unit"] == "frame"
    assert _run(capsys, "audit", "export", audit, "--out", tmp_path / "tasks")[0] == 0
    done = answer_csv(tmp_path / "tasks" / "tasks.csv", tmp_path / "done.csv")
    assert _run(capsys, "audit", "import", audit, done, "--coder", "ann")[0] == 0
    assert _run(capsys, "audit", "status", audit)[1]["half_width"] is not None
    code, found = _run(capsys, "correct", "near_duration", "--audit", audit, "--by", "group")
    assert code == 0
    assert {e["naive"]["kind"] for e in found["estimates"]} == {"as detected"}  # type: ignore[attr-defined]
    code, found = _run(capsys, "correct", "bout_count", "--audit", audit)
    assert code == 2
    assert "--clip-s" in found["error"]["fix"]  # type: ignore[index]
    study = tmp_path / "study.yaml"
    study.write_text(
        "title: Near <i>and</i> far\nstore: store\n"
        "measures: [{measure: near_duration, audit: audit, by: [group, age_months]}]\n"
        "agreement: [{codings: [store, store], unit: event, tolerance_s: 1}]\n",
        encoding="utf-8",
    )
    code, found = _run(capsys, "report", study, "--out", tmp_path / "report")
    assert code == 0
    html = Path(str(found["html"])).read_text(encoding="utf-8")
    markdown = Path(str(found["markdown"])).read_text(encoding="utf-8")
    for text in (html, markdown):
        for word in (
            "as detected",
            "audit only",
            "corrected",
            "Limitations",
            "Methods",
            "visionllm correct",
            "Agreement",
        ):
            assert word in text
        assert "<i>and" not in text
    assert "<svg" in html
    assert "http" not in html.replace("http://www.w3.org", "").replace("https://matplotlib.org", "").replace(
        "http://purl.org", ""
    ).replace("http://creativecommons.org", "")
    assert (tmp_path / "report" / "report_charts").is_dir()


def test_text_says_which_number_is_which(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = child_store(tmp_path / "store")
    assert run_app(app, ["agree", str(store), str(store), "--tolerance", "1s", "--unit", "event"]) == 0
    text = capsys.readouterr().out
    assert "child near caregiver" in text
    assert "largest possible kappa" in text
    assert run_app(app, ["videos", "list", "--store", str(store)]) == 0
    assert "C1" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["agree", "a.eaf"], 2),
        (["agree", "a.eaf", "b.eaf", "--tolerance", "soon"], 2),
        (["correct", "visible_share", "--audit", "nowhere"], 3),
        (["correct", "visible_shar", "--audit", "nowhere"], 2),
        (["report", "nowhere.yaml"], 2),
        (["videos", "set"], 2),
    ],
)
def test_mistakes_have_codes(arguments: list[str], code: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_app(app, [*arguments, "--json"]) == code
    assert json.loads(capsys.readouterr().out)["error"]["message"]


@pytest.mark.parametrize(
    ("table", "code"),
    [("name\nv1\n", 3), ("video,group\nv1,a\nv1,b\n", 3), ("video,age_months\nv1,-3\n", 2), ("video\nv9\n", 3)],
)
def test_a_wrong_table_of_videos_changes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], table: str, code: int
) -> None:
    store = child_store(tmp_path / "store")
    before = (store / "videos" / "v1" / "covariates.json").read_bytes()
    (tmp_path / "t.csv").write_text(table, encoding="utf-8")
    arguments = ["videos", "set", "--store", str(store), "--table", str(tmp_path / "t.csv"), "--json"]
    assert run_app(app, arguments) == code
    capsys.readouterr()
    assert (store / "videos" / "v1" / "covariates.json").read_bytes() == before


def test_the_report_says_each_reason_once_and_lists_covariates(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store, audit = child_store(tmp_path / "store"), tmp_path / "audit"
    plan = ("audit", "plan", "near_duration", "--store", store, "--object", "caregiver", "--out", audit)
    _run(capsys, *plan, "--labels", 150)
    _run(capsys, "audit", "export", audit, "--out", tmp_path / "tasks")
    done = answer_csv(tmp_path / "tasks" / "tasks.csv", tmp_path / "done.csv")
    _run(capsys, "audit", "import", audit, done, "--coder", "ann")
    (tmp_path / "study.yaml").write_text(
        "title: Near\nstore: store\nmeasures: [{measure: near_duration, audit: audit, by: [group, age_months]}]\n"
        "agreement: [{codings: [store, store]}]\n",
        encoding="utf-8",
    )
    found = _run(capsys, "report", tmp_path / "study.yaml", "--out", tmp_path / "report")[1]
    markdown = Path(str(found["markdown"])).read_text(encoding="utf-8")
    assert markdown.count("have no label: a third class") == 1
    assert "| video | length | processed | child | age\\_months | group |" in markdown
    assert "| C1 | 10 | young |" in markdown
