"""Accounts of videos: every event is told, in few sentences, each with its evidence."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hand_made_store import publish

from visionllm_interaction.cli import app
from visionllm_interaction.cli.output import run_app
from visionllm_interaction.core.tracks_relations_events import Event
from visionllm_interaction.errors import UsageError
from visionllm_interaction.reasoning import ask, describe
from visionllm_interaction.reasoning.describing.account import SENTENCES_PER_MINUTE
from visionllm_interaction.reasoning.grammar.lexicon import Language

EVENTS = [Event(f"e{n}", "picks_up", (1, 3), n + 0.5, n + 0.5, 0.9) for n in range(30)]
EVENTS += [Event("x", "hands_over", (1, 4, 3), 40.0, 40.0, 0.9), Event("y", "approaches", (1, 2), 41.0, 41.0, 0.9)]
SPANS = [(1, "child", 0.0, 60.0), (2, "caregiver", 10.0, 20.0), (3, "ball", 0.0, 60.0), (4, "child", 30.0, 60.0)]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("told") / "store"
    publish(folder, "busy", duration_s=60.0, spans=SPANS, events=EVENTS)
    publish(folder, "quiet", duration_s=10.0, spans=[(1, "child", 0.0, 4.0)])
    return folder


def test_every_event_is_told_within_the_budget(store: Path) -> None:
    answer = describe(store, video="busy")
    assert len(answer.claims) == SENTENCES_PER_MINUTE
    cited = {item.id: item for item in answer.evidence}
    told = [cited[i] for claim in answer.claims for i in claim.evidence if cited[i].measure != "visible_duration"]
    assert len(told) == 31  # coming near is no event of an account
    assert all(f"({item.value:g} s)" in (answer.answer or "") for item in told)


def test_people_of_the_same_name_are_told_apart(store: Path) -> None:
    text = describe(store, video="1").answer or ""
    assert "child 1 handed the ball to child 4 (40 s)" in text
    assert "child 1 (60 s), child 4 (30 s), the caregiver (10 s) and the ball (60 s)" in text


@pytest.fixture(scope="module")
def strangers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two people whose roles are not known, one such person, and many pieces of tracks of a person."""
    folder = tmp_path_factory.mktemp("strangers") / "store"
    given = [Event("e1", "hands_over", (2, 5, 3), 4.0, 4.0, 0.9), Event("e2", "leaves", (5,), 8.0, 8.0, 0.9)]
    two = [(2, "person", 0.0, 9.0), (5, "person", 1.0, 8.0), (3, "ball", 0.0, 9.0)]
    publish(folder, "a_two", duration_s=10.0, spans=two, events=given)
    one = [Event("e1", "enters", (2,), 1.0, 1.0, 0.9)]
    publish(folder, "b_one", duration_s=10.0, spans=[(2, "person", 1.0, 9.0)], events=one)
    pieces = [(n, "person", float(n), n + 2.0) for n in range(1, 7)]
    publish(folder, "c_pieces", duration_s=10.0, spans=pieces)
    return folder


@pytest.mark.parametrize(
    ("language", "seen", "given"),
    [
        ("en", "person 2 (9 s), person 5 (7 s) and the ball (9 s)", "person 2 handed the ball to person 5"),
        ("nb", "person 2 (9 s), person 5 (7 s) og ballen (9 s)", "person 2 ga ballen til person 5"),
        ("nn", "person 2 (9 s), person 5 (7 s) og ballen (9 s)", "person 2 gav ballen til person 5"),
    ],
)
def test_people_of_unknown_role_are_told_apart(strangers: Path, language: Language, seen: str, given: str) -> None:
    text = describe(strangers, video="a_two", language=language).answer or ""
    assert seen in text
    assert given in text.casefold()


def test_one_person_of_unknown_role_is_somebody(strangers: Path) -> None:
    assert "omebody came in (1 s)" in (describe(strangers, video="b_one").answer or "")


def test_many_pieces_of_one_name_are_told_together(strangers: Path) -> None:
    answer = describe(strangers, video="c_pieces")
    assert "6 person tracks (7 s)" in (answer.answer or "")
    assert answer.evidence[0].track_ids == (1, 2, 3, 4, 5, 6)


def test_seconds_in_view_are_those_of_the_part(store: Path) -> None:
    told = describe(store, video="busy", begin_s=15, end_s=50).answer or ""
    assert "child 1 (35 s), child 4 (20 s), the caregiver (5 s)" in told


def test_nothing_happens(store: Path) -> None:
    answer = describe(store, video="quiet")
    assert [claim.value for claim in answer.claims] == [1, 0]
    assert "nothing is picked up" in (answer.answer or "")


def test_a_part_of_a_video(store: Path) -> None:
    answer = describe(store, video="busy", begin_s=39, end_s=60)
    assert [item.value for item in answer.evidence if item.measure == "hands_over"] == [40.0]
    assert not [item for item in answer.evidence if item.measure == "picks_up"]


def test_in_norwegian(store: Path) -> None:
    assert "barn" in (describe(store, video="quiet", language="nn").answer or "")
    assert "synlege er barnet (4 s)" in (ask("Kva skjer i den siste videoen?", store).answer or "")


def test_what_happens_is_the_account(store: Path) -> None:
    asked = ask("What happens in the second video?", store)
    assert asked.claims == describe(store, video="quiet").claims


def test_a_part_that_ends_before_it_begins(store: Path) -> None:
    with pytest.raises(UsageError, match="ends before it begins"):
        describe(store, begin_s=5, end_s=5)


def test_command(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_app(app, ["describe", "--store", str(store), "--video", "2", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["plan"]["expressions"][0]["reading"] == "describe"
    assert run_app(app, ["describe", "--store", str(store), "--video", "quiet", "--from", "5"]) == 0
    assert "nobody and nothing is in view" in capsys.readouterr().out
