"""Questions read word by word: which wording becomes which expression, and what is not understood is never guessed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from visionllm_interaction.measures.language.check import check
from visionllm_interaction.measures.language.parser import parse
from visionllm_interaction.reasoning.grammar import lexicon
from visionllm_interaction.reasoning.grammar.lexicon import load_lexicon, load_relations
from visionllm_interaction.reasoning.grammar.planner import plan_by_grammar
from visionllm_interaction.reasoning.grammar.tagging import split_words
from visionllm_interaction.reasoning.language.synonyms import BUILT_IN
from visionllm_interaction.reasoning.language.vocabulary import Vocabulary
from visionllm_interaction.reasoning.planning.rule_planner import plan_by_rules
from visionllm_interaction.reasoning.wording.expression_words import load_words

HELD = "merged(holding(child, ball), 0.5s)"

# question, how the result is read, expression
READ: tuple[tuple[str, str, str], ...] = (
    ("What toy did the child play with the longest?", "most", "total(holding(child, $o)) by $o"),
    (
        "Which two objects did the caregiver touch most often?",
        "most",
        "count(merged(in_contact(caregiver, $o), 0.5s)) by $o in thing",
    ),
    ("Which toys did the child never pick up?", "none", "exists(picks_up(child, $o)) by $o"),
    ("What did nobody touch?", "none", "exists((in_contact(person, $o) | holding(person, $o))) by $o in thing"),
    (
        "Which objects were held by both of them?",
        "list",
        "exists(holding(child, $o)) & exists(holding(caregiver, $o)) by $o",
    ),
    ("How many different toys did the child hold?", "number", "exists(holding(child, $o)) by $o"),
    ("Who was holding the ball at 7.5 s?", "list", "holds(holding($p, ball), at=7.5s) by $p"),
    ("What was the caregiver holding when the video ended?", "list", "holds(holding(caregiver, $o), at=100%) by $o"),
    ("How many times was something handed to the child by mum?", "value", "count(hands_over(caregiver, child, thing))"),
    (
        "How often did the child take something from the caregiver?",
        "value",
        "count(hands_over(caregiver, child, thing))",
    ),
    ("How often did the child let go of the ball?", "value", f"count((ends({HELD}) & between(0%, 100%)))"),
    ("When did the child put down the ball for the third time?", "value", "first_time(nth(puts_down(child, ball), 3))"),
    ("How long did it take until the caregiver came near the child?", "delay", "first_time(near(caregiver, child))"),
    ("How long was nobody holding anything?", "value", "total(!holding(person, thing))"),
    (
        "For how long did both of them hold a toy at once?",
        "value",
        "total((holding(child, thing) & holding(caregiver, thing)))",
    ),
    ("Did the child ever hold two things at the same time?", "yes_no", "exists(at_least(2, holding(child, thing)))"),
    ("For how long were two or more people in view?", "value", "total(at_least(2, visible(person)))"),
    ("How far was the child from the caregiver on average?", "value", "mean(gap(child, caregiver))"),
    (
        "What is the mean distance between the child and the caregiver while the child holds the ball?",
        "value",
        "mean(gap(child, caregiver), during=holding(child, ball))",
    ),
    (
        "Was the child closer to the caregiver in the second half than in the first half?",
        "less",
        "mean(gap(child, caregiver), during=between(50%, 100%))",
    ),
    ("Did the child hold the ball longer than the caregiver did?", "more", "total(holding(child, ball))"),
    (
        "How many of the child's put-downs were followed by the caregiver coming close within 4 seconds?",
        "value",
        "prob(starts(merged(near(caregiver, child), 0.5s)), within=4s, after=puts_down(child, thing))",
    ),
    (
        "How often did the caregiver pick up the ball within 3 seconds after the child put it down?",
        "value",
        "count(picks_up(caregiver, ball) & padded(puts_down(child, ball), 0s, 3s))",
    ),
    (
        "How many times did the child pick up a toy after the caregiver had put it down?",
        "value",
        "count(picks_up(child, $o) & since(first(puts_down(caregiver, $o)))) over $o",
    ),
    (
        "What is the average time from the child putting a toy down to the caregiver picking it up?",
        "value",
        "mean(latency(puts_down(child, $o) -> picks_up(caregiver, $o))) over $o",
    ),
    (
        "What did the child pick up right after putting down the ball?",
        "next",
        "first_time(picks_up(child, $o) & since(first(puts_down(child, ball)))) by $o in thing",
    ),
    (
        "How many of the child's holding bouts were longer than 2 seconds?",
        "value",
        "count(longer_than(merged(holding(child, $o), 0.5s), 2s)) over $o",
    ),
    ("In which video was the caregiver never near the child?", "none", "exists(near(caregiver, child)) by video"),
    ("What share of the time was the child alone?", "value", "share((visible(child) & !at_least(2, visible(person))))"),
    ("How long did the child hold each toy?", "each", "total(holding(child, $o)) by $o"),
    # Norwegian, Bokmål and Nynorsk
    ("Hva lekte barnet mest med?", "most", "total(holding(child, $o)) by $o"),
    ("Hvem tok opp ballen først?", "first", "first_time(picks_up($p, ball)) by $p"),
    ("Hvor lenge holdt ingen av dem noe?", "value", "total(!holding(person, thing))"),
    ("Hvor mange ganger ga mamma barnet noe?", "value", "count(hands_over(caregiver, child, thing))"),
    ("Kva leiker rørte ingen ved?", "none", "exists((in_contact(person, $o) | holding(person, $o))) by $o in thing"),
    ("Kor stor del av tida heldt barnet noko?", "value", "share(holding(child, thing))"),
    ("Kven heldt ballen sist?", "last", "last_time(merged(holding($p, ball), 0.5s)) by $p"),
    ("Kva gjorde barnet etter 10 sekund?", "doing", "holds(visible(child), at=10s)"),
)


@pytest.mark.parametrize(("question", "reading", "expression"), READ)
def test_wording_becomes_expression(vocabulary: Vocabulary, question: str, reading: str, expression: str) -> None:
    plan = plan_by_grammar(question, vocabulary).plan
    assert plan is not None
    (step,) = plan.expressions
    assert (step.reading, step.expression) == (reading, expression)
    check(parse(step.expression))


# Words that are all known, in questions of which no part may be left out silently.
NOT_GUESSED: tuple[str, ...] = (
    "How long was the child near the ball without the caregiver?",
    "How long was the child near the caregiver and the ball?",
    "What are the four people holding?",
    "How many balls did the child hold?",
    "How many balls appear in the video?",
    "What did the child pick up next?",
    "How long did the child hold the ball and the car?",
    "How often did the child come near the caregiver within 2 seconds after she picked up the ball?",
    "What happens after the child picks up the ball?",
    "What happens in the second half?",
    "Which toys did the child hold exactly two times?",
    "Was the child always near the caregiver?",
    "Was the ball never touched?",
    "How long did the caregiver hold the child?",
    "Who was nearer to the caregiver?",
    "How long was the child visible again?",
    "What share of the pick-ups were followed by the caregiver coming near?",
)


@pytest.mark.parametrize("question", NOT_GUESSED)
def test_what_is_not_understood_is_not_guessed(vocabulary: Vocabulary, question: str) -> None:
    assert plan_by_grammar(question, vocabulary).plan is None


# question, a part of the reason
REASONS: tuple[tuple[str, str], ...] = (
    ("Did the child look at the caregiver?", "gaze is not measured"),
    ("How many times did the child say something?", "no speech was imported"),
    ("Which toys did the child never name?", "naming is not measured"),
    ("Is the child's development normal?", "judgements"),
    ("Was mum happy with the child?", "feelings"),
    ("How many girls were near the caregiver?", "which of them is one"),
    ("Why is the child in yellow holding the ball?", "reasons"),
    ("How often did the child throw the ball?", "the word 'throw' is not understood"),
    ("Which toys did the child throw at the bal?", "did you mean ball"),
    ("Did the child hold the ball in the fifth video?", "it has room_s7_000, room_s7_001"),
)


@pytest.mark.parametrize(("question", "reason"), REASONS)
def test_refusals_say_what_is_true(vocabulary: Vocabulary, question: str, reason: str) -> None:
    plan = plan_by_rules(question, vocabulary)
    assert reason in (plan.unanswerable or "")
    assert "not in the catalogue" not in (plan.unanswerable or "")


def test_refusals_name_what_can_be_asked(vocabulary: Vocabulary) -> None:
    reason = plan_by_rules("How quietly did the child grab at the ball?", vocabulary).unanswerable or ""
    assert "sound" in reason or "When did the child pick up the ball?" in reason


VIDEOS = ("blank-1a2b3c4d", "my-visit-2-aaaaaaaa", "visit1-0f3a9c11", "visit1-bbbbbbbb")

# words for a video, its id
NAMED: tuple[tuple[str, str], ...] = (
    ("in my visit 2", "my-visit-2-aaaaaaaa"),
    ("in blank.mp4", "blank-1a2b3c4d"),
    ("in video blank", "blank-1a2b3c4d"),
    ("in the second video", "my-visit-2-aaaaaaaa"),
    ("in the last recording", "visit1-bbbbbbbb"),
    ("in video 3", "visit1-0f3a9c11"),
    ("in visit1-0f3a9c11", "visit1-0f3a9c11"),
    ("i den andre videoen", "my-visit-2-aaaaaaaa"),
)


@pytest.mark.parametrize(("words", "video_id"), NAMED)
def test_videos_go_by_name_number_and_order(words: str, video_id: str) -> None:
    plan = plan_by_rules(f"How long was the ball visible {words}?", Vocabulary.build(["ball", "child"], VIDEOS))
    assert [step.video_id for step in plan.steps] == [video_id]


@pytest.mark.parametrize(
    ("words", "reason"), [("in visit1", "may be visit1-0f3a9c11 or"), ("in video 9", "no 'in video 9'")]
)
def test_a_video_that_cannot_be_told_is_asked_for(words: str, reason: str) -> None:
    plan = plan_by_rules(f"How long was the ball visible {words}?", Vocabulary.build(["ball", "child"], VIDEOS))
    assert reason in (plan.unanswerable or "")


def _files() -> Iterator[tuple[str, Any]]:
    for language in ("en", "nb"):
        yield language, yaml.safe_load((lexicon._FOLDER / f"{language}.yaml").read_text(encoding="utf-8"))


def test_every_phrase_has_a_word_that_must_stand() -> None:
    for language in ("en", "nb"):
        for phrases in load_lexicon(language).phrases.values():  # type: ignore[arg-type]
            for phrase in phrases:
                assert any(not optional for _, optional in phrase.tokens), phrase


def test_both_languages_know_every_lemma_of_a_relation() -> None:
    needed = {lemma for relation in load_relations() for lemma in relation.lemmas}
    for language, content in _files():
        missing = needed - content["words"].keys() - {"over", "putdown"}
        assert not missing, (language, missing)


def test_answers_can_say_the_same_in_every_language() -> None:
    english = load_words("en")
    for language in ("nb", "nn"):
        words = load_words(language)  # type: ignore[arg-type]
        for part in ("clauses", "limits", "sentences", "account", "words"):
            assert getattr(words, part).keys() == getattr(english, part).keys(), (language, part)


# question, its expression (and what it is compared with), language of the answer
NEWER = (
    ("How long was the child in view without the caregiver?", "total(visible(child) & !visible(caregiver))", None),
    ("Hvor lenge holdt barnet ballen uten å være nær den voksne?",
     "total(holding(child, ball) & !near(child, caregiver))", None),
    ("Kor lenge var barnet synleg utan at den vaksne heldt noko?",
     "total(visible(child) & !holding(caregiver, thing))", None),
    ("Hvor lenge var barnet synlig uten å ha ballen i hånda?", "total(visible(child) & !holding(child, ball))", None),
    ("What percentage of the time that the ball was in view was it in someone's hands?",
     "share(holding(person, ball), of=visible(ball))", None),
    ("What share of the time that the child held the ball was the caregiver near the child?",
     "share(near(caregiver, child), of=holding(child, ball))", None),
    ("How long were there at least two people in view?", "total(at_least(2, visible(person)))", None),
    ("Who held the most toys?", "objects_handled($p) by $p", None),
    ("Did the child hold fewer toys than the caregiver?", "objects_handled(child)", "objects_handled(caregiver)"),
    ("Holdt barnet flere ulike leker enn den voksne?", "objects_handled(child)", "objects_handled(caregiver)"),
    ("For how long did both of them hold the same toy?",
     "total((holding(child, $o) & holding(caregiver, $o))) over $o", None),
    ("Did the child hold the ball for longer in the second video than in the first video?",
     'total(holding(child, ball)) in video "room_s7_001"', 'total(holding(child, ball)) in video "room_s7_000"'),
    ("How many seconds passed on average between the child putting a toy down and the caregiver picking it up?",
     "mean(latency(puts_down(child, $o) -> picks_up(caregiver, $o))) over $o", None),
    ("Hva var den minste avstanden mellom barnet og den voksne?", "min(gap(child, caregiver))", None),
    ("Which toys did neither the caregiver nor the child pick up?", "exists(picks_up(person, $o)) by $o", None),
    ("What was the last toy the child picked up in each video?", "last_time(picks_up(child, $o)) by $o", None),
    ("How often did the child pick something up in each video?", "count(picks_up(child, thing))", None),
)  # fmt: skip


@pytest.mark.parametrize(("question", "expression", "than"), NEWER)
def test_newer_kinds_of_questions_become_expressions(
    vocabulary: Vocabulary, question: str, expression: str, than: str | None
) -> None:
    plan = plan_by_rules(question, vocabulary)
    assert plan.unanswerable is None
    assert plan.expressions[0].expression == expression
    assert plan.expressions[0].than == than


@pytest.mark.parametrize(
    ("question", "reason"),
    [
        ("How much joint attention was there between the child and the caregiver?", "gaze is not measured"),
        ("Hvor ofte hadde barnet og den voksne øyekontakt?", "gaze is not measured"),
        ("What share of the time was the child in view and the ball was held?", "none of the known forms"),
        ("What did the child hold the most in each video?", "none of the known forms"),
        ("Who held the most toys in the first half?", "none of the known forms"),
        ("How long did the child hold the ball without the caregiver?", "none of the known forms"),
    ],
)
def test_what_cannot_be_answered_is_refused_for_a_true_reason(
    vocabulary: Vocabulary, question: str, reason: str
) -> None:
    assert reason in (plan_by_rules(question, vocabulary).unanswerable or "")


def test_words_for_things_of_homes_say_nothing_else() -> None:
    """A thing's word that is a verb, a unit or the like as well would change what a question asks."""
    names = tuple(BUILT_IN)
    vocabulary = Vocabulary.build(names, ("a",))
    for name, words in BUILT_IN.items():
        for word in words:
            assert vocabulary.resolve(word) in names, word
            for language in ("en", "nb"):
                parts = split_words(word)
                spoken = load_lexicon(language).phrases_at(parts, 0)
                kinds = {phrase.kind for phrase, length in spoken if length == len(parts)} - {"noun"}
                assert not kinds, f"{word} ({name}) is also {kinds} in {language}"
