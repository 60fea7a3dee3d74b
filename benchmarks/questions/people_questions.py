"""Ask questions in people's words of ToyRoom videos and judge the answers by the truth of the videos.

    python benchmarks/questions/people_questions.py LIST --folder /tmp/rooms --planner rules

A list of ``lists/`` has the columns ``id``, ``language`` and ``question``; what is right for an id is in the module of
``expected/`` that is named like the list (``five_people.py`` has that of the first two). A question whose column
``after`` names another one is asked right after that one, as a follow-up.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from expected.development import ANSWERS as DEVELOPMENT
from expected.five_people import ANSWERS as FIVE_PEOPLE
from expected.five_people_third import THIRD
from expected.handed import ANSWERS as HANDED
from expected.seven_people import SEVEN
from expected.six_people import SIX
from list_arguments import chosen_questions, list_parser, reason_config
from truth.readings import Expected, Value
from truth.room_truth import RoomTruth
from truth.rooms import make_rooms

from visionllm_interaction.reasoning import ReasonConfig
from visionllm_interaction.reasoning.answers import Answer, Claim
from visionllm_interaction.reasoning.dialogue.conversation import Conversation
from visionllm_interaction.reasoning.pipeline import PlannerName

_TOLERANCE = 5e-3
_ORDER = ("right", "refused", "wrong")
_NO_TOY = re.compile(r"'(?:ball|block|book|car|cup|teddy|bamse|bil|bok|kloss|kopp|krus)\w*' is not in the store")
_NEVER = re.compile(r"\b(?:never|aldri)\b")
"""A reason that says that what is taken for granted never happens."""
ANSWERS = {**HANDED, **DEVELOPMENT, **FIVE_PEOPLE, **THIRD, **SIX, **SEVEN}


@dataclass(frozen=True)
class Judged:
    """What became of one question on one store.

    Attributes:
        id: of the question.
        seed: of the videos.
        verdict: ``right``, ``wrong`` or ``refused``.
        question: its text.
        said: the answer, or the reason of a refusal.
        expected: what would be right.
    """

    id: str
    seed: int
    verdict: str
    question: str
    said: str
    expected: str


def judge(answer: Answer, expected: Expected) -> str:
    """Compare an answer with what is right."""
    reason = (answer.reason or "").lower()
    if answer.status == "abstained":
        if expected.kind != "refused":
            # What no video of the store ever shows is rightly refused.
            nothing = not any((*expected.per_video.values(), expected.together))
            return "right" if nothing and (_NO_TOY.match(reason) or _NEVER.search(reason)) else "refused"
        return "right" if any(word in reason for word in expected.reason) else "refused"
    if expected.kind == "refused":
        return "wrong"
    if expected.kind == "text":
        return "right" if answer.claims and all(claim.evidence for claim in answer.claims) else "wrong"
    videos = {item.id: item.video_id for item in answer.evidence}
    groups: dict[str, list[Claim]] = {}
    for claim in answer.claims:
        of = {videos[i] for i in claim.evidence if videos[i]}
        single = len(of) == 1 and (_is_single(claim) or claim.text.split(" ", 1)[1].startswith(next(iter(of))))
        groups.setdefault(next(iter(of)) if single else "", []).append(claim)
    checks = []
    if expected.together != "":
        checks.append(_agrees(groups.get("", []), expected.together, expected.kind))
    unit = next((claim.unit for claim in groups.get("", []) if _same(claim, expected.together, expected.kind)), None)
    for video, value in expected.per_video.items():
        if unit is not None and video in groups and all(claim.unit != unit for claim in groups[video]):
            continue  # seconds of which a share is made
        if video in groups:
            checks.append(_agrees(groups[video], value, expected.kind))
        elif expected.together == "":
            checks.append(value is None or value == frozenset())
    return "right" if checks and all(checks) else "wrong"


def _is_single(claim: Claim) -> bool:
    return claim.operation == "value"


def _agrees(claims: Sequence[Claim], value: Value, kind: str) -> bool:
    if not claims:
        return False
    return any(_same(claim, value, kind) for claim in claims)


def _same(claim: Claim, value: Value, kind: str) -> bool:
    found = claim.value
    if value is None:
        return found is None or found == "none"
    if kind == "names" and found == "tie" and isinstance(value, frozenset):
        # The tied ones stand before the list of all values.
        return len(value) > 1 and all(f"the {name}" in claim.text.split(" (")[0] for name in value)
    if kind == "names":
        names = frozenset() if found in (None, "none") else frozenset(str(found).split(", "))
        return names == value
    if kind == "yes_no":
        return found == ("yes" if value else "no")
    if not isinstance(found, (int, float)) or not isinstance(value, (int, float)):
        return False
    found = found / 100 if claim.unit == "%" else found
    return abs(float(found) - float(value)) <= _TOLERANCE * max(1.0, abs(float(value)))


def _readings(identifier: str, truths: list[RoomTruth]) -> list[Expected]:
    """What is right; several where the words of a question mean several things."""
    answers = ANSWERS.get(identifier, lambda _: Expected("text"))
    return [of(truths) for of in (answers if isinstance(answers, list) else [answers])]


def run(
    questions: Sequence[Mapping[str, str]],
    rooms: Mapping[int, tuple[Path, list[RoomTruth]]],
    *,
    config: ReasonConfig,
    planner: PlannerName,
) -> list[Judged]:
    """Ask every question of every store."""
    found = []
    for seed, (store, truths) in rooms.items():
        before: dict[str, Answer | None] = {}
        for row in questions:
            talk = Conversation(store, config, planner, last=before.get(row.get("after") or ""))
            try:
                answer = talk.say(row["question"]).answer
            except Exception as error:  # noqa: BLE001  (a crash is a verdict)
                found.append(Judged(row["id"], seed, "crash", row["question"], repr(error)[:300], ""))
                continue
            before[row["id"]] = talk.last
            readings = _readings(row["id"], truths)
            verdict = min((judge(answer, expected) for expected in readings), key=_ORDER.index)
            due = " or ".join(f"{expected.per_video} {expected.together}" for expected in readings)
            found.append(Judged(row["id"], seed, verdict, row["question"], str(answer), due))
    return found


def main() -> None:
    """Run the list and print the verdict of each question: right only if it is right on every store."""
    parser = list_parser(__doc__)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    config, questions = reason_config(given), chosen_questions(given)
    rooms = {seed: make_rooms(given.folder / f"seed{seed}", seed=seed, videos=2) for seed in given.seeds}
    found = run(questions, rooms, config=config, planner=given.planner)
    by_question: dict[str, list[Judged]] = {}
    for one in found:
        by_question.setdefault(one.id, []).append(one)
    overall = Counter(_overall(group) for group in by_question.values())
    for identifier, group in by_question.items():
        print(f"{identifier}  {_overall(group):8} {' '.join(one.verdict for one in group):24} {group[0].question}")
        for one in group:
            if one.verdict != "right":
                print(f"        seed {one.seed}: {one.said}\n        expected: {one.expected}")
    print(json.dumps(dict(overall)))
    if given.out:
        given.out.write_text(json.dumps([asdict(one) for one in found], indent=1), encoding="utf-8")


def _overall(group: Sequence[Judged]) -> str:
    verdicts = {one.verdict for one in group}
    if "crash" in verdicts:
        return "crash"
    return "wrong" if "wrong" in verdicts else "refused" if "refused" in verdicts else "right"


if __name__ == "__main__":
    main()
