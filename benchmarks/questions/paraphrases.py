"""Ask one question in many wordings: each must give what the expression beside it gives.

    python benchmarks/questions/paraphrases.py benchmarks/questions/lists/paraphrases.tsv --folder /tmp/rooms

The list has the columns ``id``, ``language``, ``question``, and the expression that the question means with its
``reading`` (and ``than``, ``top``, ``threshold``). Where there is no expression, ``reading`` holds a word that the
reason of the refusal must say; ``describe`` stands for an account. Unlike ``people_questions.py`` it judges the reading
of questions alone: both values are computed by the engine.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

from list_arguments import chosen_questions, list_parser, reason_config
from people_questions import judge
from truth.readings import Expected, Value
from truth.rooms import make_rooms

from visionllm_interaction.measures.config import MeasuresConfig
from visionllm_interaction.reasoning import ReasonConfig, ask
from visionllm_interaction.reasoning.answers import Answer
from visionllm_interaction.reasoning.language.vocabulary import Vocabulary
from visionllm_interaction.reasoning.pipeline import Planned, execute
from visionllm_interaction.reasoning.planning.plan import ExpressionStep, Plan
from visionllm_interaction.store.reader import open_store


def meant(row: Mapping[str, str], store: Path) -> Expected:
    """What a right answer says: the values of the expression, or the word of the reason."""
    if not row["expression"]:
        return Expected("text") if row["reading"] == "describe" else Expected("refused", reason=(row["reading"],))
    if row["reading"] == "doing":
        return Expected("text")
    step = ExpressionStep.model_validate(
        {
            "expression": row["expression"],
            "reading": row["reading"],
            "than": row["than"] or None,
            "top": int(row["top"] or 1),
            "threshold": float(row["threshold"]) if row["threshold"] else None,
        }
    )
    return _expected(answer_of(Plan(expressions=(step,)), store))


def answer_of(plan: Plan, store: Path) -> Answer:
    """The answer that a plan gives."""
    with open_store(store) as opened:
        vocabulary = Vocabulary.of_store(opened)
        return execute(
            Planned(plan, "rules"), opened, vocabulary=vocabulary, config=ReasonConfig(), measures=MeasuresConfig()
        )


def _expected(answer: Answer) -> Expected:
    if answer.status == "abstained":
        # The expression names something that is not in this store: so must the reason of a refusal.
        return Expected("refused", reason=("is not in the store",))
    values = dict(_values(answer))
    together = values.pop("", "")
    said = next(value for value in (together, *values.values()) if value != "")
    kind = "yes_no" if isinstance(said, bool) else "names" if isinstance(said, frozenset) else "number"
    return Expected(kind, values, together)


def _values(answer: Answer) -> Iterator[tuple[str, Value]]:
    videos = {item.id: item.video_id for item in answer.evidence}
    for claim in answer.claims:
        of = {videos[i] for i in claim.evidence if videos[i]}
        place = next(iter(of)) if len(of) == 1 and claim.operation == "value" else ""
        value = claim.value
        if value in ("yes", "no"):
            yield place, value == "yes"
        elif isinstance(value, str):
            yield place, frozenset() if value == "none" else frozenset(value.split(", "))
        elif isinstance(value, (int, float)) and claim.unit == "%":
            yield place, float(value) / 100
        else:
            yield place, value


def main() -> None:
    """Print the verdict of each wording: right only if it is right on every store."""
    given = list_parser(__doc__).parse_args()
    config, questions = reason_config(given), chosen_questions(given)
    rooms = [make_rooms(given.folder / f"seed{seed}", seed=seed, videos=2)[0] for seed in given.seeds]
    overall: Counter[str] = Counter()
    for row in questions:
        verdicts, notes = [], []
        for store in rooms:
            answer = ask(row["question"], store, config=config, planner=given.planner)
            expected = meant(row, store)
            verdicts.append(judge(answer, expected))
            if verdicts[-1] != "right":
                notes.append(f"        {answer}\n        expected: {expected.per_video} {expected.together}")
                notes += [f"        plan: {s.reading}: {s.expression} {s.than or ''}" for s in answer.plan.expressions]
                notes += [f"        plan: {answer.plan.combine} {answer.plan.steps}"] if answer.plan.steps else []
        verdict = "wrong" if "wrong" in verdicts else "refused" if "refused" in verdicts else "right"
        overall[verdict] += 1
        print(f"{row['id']}  {verdict:8} {' '.join(verdicts):24} {row['question']}")
        print("\n".join(notes[:3])) if notes else None
    print(json.dumps(dict(overall)))


if __name__ == "__main__":
    main()
