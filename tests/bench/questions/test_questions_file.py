"""Held-out texts come from a file beside the tests, and are no part of the package."""

from __future__ import annotations

from pathlib import Path

import pytest

import visionllm_bench
from visionllm_bench.questions.forms import FORMS
from visionllm_bench.questions.generate import make_questions, read_questions_file
from visionllm_interaction.errors import InputDataError
from visionllm_interaction.reasoning.language.vocabulary import Vocabulary

HELD_OUT = Path(__file__).with_name("held_out.yaml")
VOCABULARY = Vocabulary.build(["child", "caregiver", "ball", "cup"], ["room_s7_000"])


def _written(folder: Path, text: str) -> Path:
    path = folder / "questions.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_there_are_held_out_texts_for_every_form_and_each_can_be_filled() -> None:
    assert read_questions_file(HELD_OUT).keys() == {form.name for form in FORMS}


def test_the_package_holds_none_of_them() -> None:
    package = Path(visionllm_bench.__file__).parent
    code = "\n".join(path.read_text(encoding="utf-8") for path in package.rglob("*.py"))
    texts = [text for texts in read_questions_file(HELD_OUT).values() for text in texts]
    assert [text for text in texts if f'"{text}"' in code] == []


def test_questions_are_made_of_the_texts_of_a_file(tmp_path: Path) -> None:
    texts = read_questions_file(_written(tmp_path, "visible:\n  - Seconds with the {a}, from {t}?\n"))
    made = make_questions(VOCABULARY, count=5, seed=1, wording="mine", duration_s=20.0, texts=texts)
    assert made
    assert {question.form for question in made} == {"visible"}
    assert {question.wording for question in made} == {"mine"}
    assert all(question.text.startswith("Seconds with the ") and "{" not in question.text for question in made)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("- a\n- b\n", "a list"),
        ("", "NoneType"),
        ("visible: How long?\n", "visible"),
        ("visibel:\n  - How long?\n", "'visibel', which does not exist"),
        ("visible:\n  - How long was the {b} visible?\n", "the place {b}"),
        ("visible: [", "flow"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused(tmp_path: Path, text: str, found: str) -> None:
    with pytest.raises(InputDataError) as caught:
        read_questions_file(_written(tmp_path, text))
    assert found in str(caught.value)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputDataError):
        read_questions_file(tmp_path / "none.yaml")
