"""Question forms that no measurement answers: feelings, sound, intentions, things never detected."""

from __future__ import annotations

from visionllm_bench.questions.question_form import PT, EvalForm, P, T, X

UNANSWERABLE: tuple[EvalForm, ...] = (
    EvalForm(
        "unknown-thing",
        "false premise",
        {"a": "person"},
        None,
        (
            "When did the dog leave?",
            "How long was the piano visible?",
            "How many times did the {a} hold the guitar?",
            "How long did the {a} hold the cat?",
        ),
        ("Hvor lenge var hunden synlig?",),
        (
            "For how long could one see the helicopter?",
            "At what second does the horse trot in?",
            "Did the {a} carry the umbrella?",
            "How long was the {a} next to the television?",
        ),
    ),
    EvalForm(
        "unknown-video",
        "false premise",
        X,
        None,
        ("How long was the {a} visible in video room_s99_123?",),
        (),
        ("In the recording room_s99_123, when do we see the {a} first?",),
    ),
    EvalForm(
        "feelings",
        "unanswerable",
        P,
        None,
        ("Was the {a} happy?", "How sad was the {a}?"),
        ("Var {a} glad?",),
        ("Did the {a} seem bored at the end?", "How did the {a} feel about it?"),
    ),
    EvalForm(
        "sound",
        "unanswerable",
        P,
        None,
        ("What did the {a} say?", "How loud was the {a}?"),
        ("Hva sa {a}?",),
        ("Could one hear the {a} laughing?", "Which words were spoken by the {a}?"),
    ),
    EvalForm(
        "intention",
        "unanswerable",
        PT,
        None,
        ("Why did the {a} hold the {b}?",),
        ("Hvorfor holdt {a} {b}?",),
        ("What was the {a} planning to do with the {b}?", "For what reason was the {b} picked up by the {a}?"),
    ),
    EvalForm(
        "looks",
        "unanswerable",
        T,
        None,
        ("What colour is the {a}?", "How big was the {a}?"),
        (),
        ("Which colour does the {a} have?", "Is the {a} made of wood?"),
    ),
    EvalForm(
        "speed",
        "unanswerable",
        P,
        None,
        ("How fast did the {a} walk?", "How far was the {a} from the door?"),
        (),
        ("At what speed was the {a} moving?", "How many metres did the {a} walk?"),
    ),
    EvalForm(
        "judgement",
        "unanswerable",
        P,
        None,
        ("Is the {a} a good parent?",),
        (),
        ("Does the {a} have autism?", "Who of them is nicer?", "Would the {a} rather be at home?"),
    ),
)
