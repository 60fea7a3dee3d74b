"""The rule planner: from canonical question forms to a plan, without a language model and without randomness."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from msgspec import Struct

from visionllm_interaction.measures.catalogue import CODED_PREDICATES
from visionllm_interaction.reasoning.language.english_several_value_forms import FORMS as COMPARISONS_EN
from visionllm_interaction.reasoning.language.english_single_value_forms import CODED_FORMS as CODED_EN
from visionllm_interaction.reasoning.language.english_single_value_forms import FORMS as VALUES_EN
from visionllm_interaction.reasoning.language.norwegian_several_value_forms import FORMS as COMPARISONS_NB
from visionllm_interaction.reasoning.language.norwegian_single_value_forms import CODED_FORMS as CODED_NB
from visionllm_interaction.reasoning.language.norwegian_single_value_forms import FORMS as VALUES_NB
from visionllm_interaction.reasoning.language.patterns import Form, Row, compile_rows, normalise
from visionllm_interaction.reasoning.language.references import (
    extract_video,
    resolve_it,
    spell_out_both,
    unknown_video,
)
from visionllm_interaction.reasoning.language.subordinate_clauses import (
    ClauseSplit,
    clause_splits,
    move_clause_to_end,
    read_clause,
)
from visionllm_interaction.reasoning.language.synonyms import BUILT_IN, NARROWER, plural
from visionllm_interaction.reasoning.language.time_expressions import Window, extract_window
from visionllm_interaction.reasoning.language.vocabulary import Vocabulary, strip_determiners
from visionllm_interaction.reasoning.planning.capabilities import SIGNATURES
from visionllm_interaction.reasoning.planning.plan import Plan
from visionllm_interaction.reasoning.planning.plan_builder import QuestionScope, plan_of
from visionllm_interaction.reasoning.planning.unanswerable import outside_catalogue

if TYPE_CHECKING:
    # Questions of a fixed form need none of the grammar.
    from visionllm_interaction.reasoning.grammar.tagging import Tag

_BY_NAME = compile_rows(
    [
        Row(name, (f"(?:what (?:is|was) )?(?:the )?{name.replace('_', '[ _-]')} (?:of|for|between) {places}",))
        for name, signature in SIGNATURES.items()
        for places in ({"one": ("{a}",), "pair": ("{a} (?:and|with|to) {b}",)}.get(signature.inputs, ()))
    ],
    {},
)
"""Every measure by its own name, so that a new measure can be asked for without a form of its own."""

FORMS: tuple[Form, ...] = (
    *(*COMPARISONS_EN, *COMPARISONS_NB),
    *(*CODED_EN, *CODED_NB),
    *(*VALUES_EN, *VALUES_NB),
    *_BY_NAME,
)
"""Every question form; the first that fits and whose names are in the store gives the plan."""

_FIRST_AND_LAST_SEEN = re.compile(r"_time\(merged\(visible|exists\(visible\(\$|since\(|before\(")
"""Expressions that a fixed form gives by the first and last frame, and with what is taken for granted checked."""
_EVENT_WORDS = re.compile(
    r"\b(?:pick\w*|grab\w*|grasp\w*|take[sn]?|took|taking|gets?|got|drop\w*|releas\w*|leaves?|left"
    r"|leaving|exit\w*|depart\w*|enter\w*|arriv\w*|disappear\w*|vanish\w*|puts?|putting|lay|laid"
    r"|let(?:s|ting)? (?:\w+ ){0,2}go|(?:come|came|comes|coming) in(?:to)?"
    r"|plukk\w*|løft\w*|tok|tar|tek|ta|slapp|slipp\w*|slepp\w*|la|legg\w*"
    r"|kom\w* inn|kjem inn|gikk|gjekk|går|forl[oa]t\w*|forsv\w+|dro)\b"
)
"""Words for events. What is held before and after an event is another thing: what is handed over is held and not picked
up, and what is there at the end has not left."""
_OF_RECORDING = re.compile(
    r"\b(?:share|per ?cent(?:age)?|proportion|fraction|part|portion|much) of (?:the )?(?:whole |entire )?"
    r"(?:video|recording|session|clip|footage|film)s?\b"
)
_OF_BOUTS = frozenset({"bout_count", "longest_bout", "mean_bout"})
_EDGES = frozenset({"first_onset", "last_offset", "first_seen", "last_seen"})
_NORWEGIAN = re.compile(
    r"^(?:hv|kv|kor\b|når\b|i hv|i kva|på hv|beskriv|fortell|fortel)|[æøå]"
    r"|\b(?:barnet|barna|ikke|ikkje|og|en|ei|noe|noko)\b"
)
_NOT_A_NAME = frozenset(
    {
        *(
            "video",
            "videos",
            "recording",
            "recordings",
            "session",
            "sessions",
            "clip",
            "clips",
            "film",
            "footage",
            "part",
            "parts",
            "end",
            "start",
            "beginning",
        ),
        *(
            "other",
            "others",
            "else",
            "except",
            "together",
            "most",
            "least",
            "both",
            "all",
            "every",
            "partners",
            "only",
            "ratio",
            "rate",
            "bare",
            "berre",
            "many",
            "much",
        ),
        *("times", "time", "seconds", "minutes", "ganger", "sekunder", "did", "does", "was", "is"),
    }
)
_MAX_WORDS_OF_A_NAME = 3
_TWO = 2
_PARTS = re.compile(r",? (?:and|og) (?=(?:who|which|what|how|when|in|did|was|were|hvem|hvilke|hvor|når)\b)")
_EACH_VIDEO = re.compile(
    r"^(how (?:many|long|often) (?!.*\b(?:average|mean|median)\b).+) (?:in|for) (?:each|every) "
    r"(?:of the videos|video|recording|clip|session|film)$"
    r"|^((?:hvor|kor) (?:mange|lenge|ofte) (?!.*\b(?:gjennomsnitt|snitt)\b).+) i (?:hver|kvar|hvert|kvart) "
    r"(?:video|opptak|klipp|film)$"
)
"""Values are given for each video anyway, beside that of all together."""
_UNREADABLE_CLAUSE = "the condition '{}' is in no form that is known here, or names a thing that is not"
_NO_FORM = "the question fits none of the known forms"
_NOT_HERE = "is not in the store"
_NOT_READ = (_NO_FORM, _UNREADABLE_CLAUSE.split("'", 1)[0])
"""How reasons begin that say that a question was not understood, and not that it has no answer."""


class TrimmedQuestion(Struct, frozen=True):
    """A question from which the video, the time window and clauses have been removed, and what those say.

    Attributes:
        text: what is left of the question.
        scope: the video, window and limits.
        refusal: why the question cannot be answered; None if that is not known yet.
        clause: the clause that was removed last.
    """

    text: str
    scope: QuestionScope
    refusal: str | None = None
    clause: ClauseSplit | None = None


def plan_by_rules(question: str, vocabulary: Vocabulary) -> Plan:
    """The plan for ``question``, or a refusal that says why and names the nearest names in the store."""
    plan = plan_by_forms(question, vocabulary)
    if plan.expressions:
        return plan
    if _is_norwegian(question):
        # Read word by word first, because its answer is in Norwegian too; the fixed forms answer in English.
        by_words = _by_words(question, Plan.refuse(_NO_FORM), vocabulary)
        if by_words.expressions and not (
            plan.steps and _FIRST_AND_LAST_SEEN.search(by_words.expressions[0].expression)
        ):
            return by_words
    return plan if plan.steps else _by_words(question, plan, vocabulary)


def _takes_states_for_events(text: str, plan: Plan) -> bool:
    """Whether a fixed form answers a question for events ("picked up", "left") by what was held or seen."""
    return bool(_EVENT_WORDS.search(text)) and any(
        step.measure in _EDGES or step.after or step.before or step.predicate == "holding" for step in plan.steps
    )


def _is_otherwise_meant(text: str, plan: Plan) -> bool:
    return _takes_states_for_events(text, plan) or _mixes_objects(plan) or _is_of_the_recording(text, plan)


def _is_of_the_recording(text: str, plan: Plan) -> bool:
    """Whether a fixed form takes a share of the time "while …", where one of the whole recording is asked for."""
    return plan.combine == "share" and any(step.during for step in plan.steps) and bool(_OF_RECORDING.search(text))


def _mixes_objects(plan: Plan) -> bool:
    """Whether a fixed form asks for bouts of holding *anything*: those of two toys are two, which it does not know."""
    return any(step.measure in _OF_BOUTS and step.predicate == "holding" and step.object is None for step in plan.steps)


def is_unread(plan: Plan) -> bool:
    """Whether the rules refused a question because they do not understand it: a language model may."""
    return plan.unanswerable is not None and plan.unanswerable.startswith(_NOT_READ)


def plan_by_forms(question: str, vocabulary: Vocabulary) -> Plan:
    """The plan of a question in a fixed form, or in parts that are; else a refusal."""
    plan = _one_part(question, vocabulary)
    return plan if plan.steps else (_in_parts(question, vocabulary) or plan)


def _is_norwegian(question: str) -> bool:
    """Whether a question begins or is written as Norwegian ones are."""
    return _NORWEGIAN.search(question.casefold()) is not None


def _by_words(question: str, refused: Plan, vocabulary: Vocabulary) -> Plan:
    """The plan of a question in no fixed form, read word by word; else the reason of ``refused`` or a truer one."""
    # Imported here: a question of a fixed form needs no word lists.
    from visionllm_interaction.reasoning.grammar.planner import plan_by_grammar
    from visionllm_interaction.reasoning.grammar.refusals import in_the_language, unknown_names, why_not_understood

    understood = plan_by_grammar(question, vocabulary)
    if understood.plan is not None:
        return understood.plan
    reason = refused.unanswerable or _NO_FORM
    names_one = _is_one_name(reason, understood.tagged.tags)
    if understood.refusal:
        return refused if names_one else Plan.refuse(understood.refusal)
    unknown = [n for n in unknown_names(question, understood, vocabulary) if not in_the_language(n, vocabulary)]
    instead = None if unknown else in_the_language(question, vocabulary, understood.tagged.unknown)
    if instead and (_NOT_HERE in reason or is_unread(refused)):
        return Plan.refuse(f"{_NO_FORM}, but {instead}")
    if instead:
        return Plan.refuse(f"{reason}; of the image {instead}")
    of_names = (_NOT_HERE in reason and not names_one) or (is_unread(refused) and unknown)
    if not reason.startswith(_NO_FORM) and not of_names:
        return refused
    return Plan.refuse(why_not_understood(question, understood, vocabulary))


def _is_one_name(reason: str, tags: Iterable[Tag]) -> bool:
    """Whether a form refused a question for a name that is not in the store: no general word; "red ball" is one."""
    match = re.match(rf"'(?:([^' ]+)|[^' ]+ ([^' ]+))' {_NOT_HERE}", reason)
    if match is None:
        return False
    kinds = {tag.text: tag.kind for tag in tags}
    return kinds.get(match[1]) != "noun" if match[1] else kinds.get(match[2]) == "name"


def plan_of_codes(question: str, vocabulary: Vocabulary) -> Plan | None:
    """The plan of a question about what people coded (speech, gaze, naming), where such codes were imported."""
    plan = plan_by_rules(question, vocabulary) if vocabulary.coded else Plan.refuse("nothing was imported")
    steps = [step for part in plan.parts for step in part.steps]
    of_codes = any(step.is_of_turns or step.predicate in CODED_PREDICATES for step in steps)
    return plan if of_codes else None


def _in_parts(question: str, vocabulary: Vocabulary) -> Plan | None:
    """The plan of a question in parts ("how long …, and who …?"); each part is planned on its own."""
    for before, after in split_at_and(question):
        first = _one_part(before, vocabulary)
        if first.steps:
            second = plan_by_rules(resolve_it(first, after), vocabulary)
            if second.steps:
                return first.model_copy(update={"also": second})
            # A part that is read word by word needs the other one so, too.
            first = _by_words(before, Plan.refuse(_NO_FORM), vocabulary)
            both = (*first.expressions, *second.expressions)
            return Plan(expressions=both) if first.expressions and second.expressions else None
    return None


def split_at_and(question: str) -> Iterator[tuple[str, str]]:
    """Every way to read ``question`` as two joined by *and*."""
    for match in _PARTS.finditer(question):
        yield question[: match.start()], question[match.end() :]


def _one_part(question: str, vocabulary: Vocabulary) -> Plan:
    cut = extract_scope(question, vocabulary)
    if cut.refusal:
        return Plan.refuse(cut.refusal)
    matches: list[tuple[Form, dict[str, str]]] = []
    for form, spoken in _matches(cut.text):  # one by one: forms after the first that gives a plan are not compiled
        matches.append((form, spoken))
        plan = plan_of(form, spoken, cut.scope, vocabulary)
        if plan:
            return Plan.refuse(_NO_FORM) if _is_otherwise_meant(cut.text, plan) else plan
    plan = _with_clause(cut, vocabulary)
    if plan:
        return Plan.refuse(_NO_FORM) if _is_otherwise_meant(cut.text, plan) else plan
    return Plan.refuse(
        outside_catalogue(cut.text, vocabulary.coded)
        or _unknown_in_clause(cut.text, vocabulary)
        or _unknown_name(matches, vocabulary)
        or _NO_FORM
    )


def extract_scope(question: str, vocabulary: Vocabulary) -> TrimmedQuestion:
    """Remove the video and the time window from ``question``."""
    text = _EACH_VIDEO.sub(r"\1\2", normalise(move_clause_to_end(question)))
    text = spell_out_both(text, vocabulary)
    rest, video_id = extract_video(text, vocabulary.video_ids)
    missing = None if video_id else unknown_video(text, vocabulary.video_ids)
    rest, window = extract_window(rest)
    if window and not _is_forward(window):
        missing = missing or f"the time window ends at {window.end_s:g} s, before it begins at {window.begin_s:g} s"
    return TrimmedQuestion(re.sub(r"[,\s]+", " ", rest).strip(), QuestionScope(video_id, window or Window()), missing)


def extract_clauses(cut: TrimmedQuestion, vocabulary: Vocabulary) -> Iterator[TrimmedQuestion]:
    """Every way to split ``cut`` into a shorter question and a clause that limits it."""
    for split in clause_splits(cut.text):
        limits = read_clause(split, vocabulary)
        if limits:
            yield TrimmedQuestion(split.main, cut.scope.within(limits), clause=split)


def _with_clause(cut: TrimmedQuestion, vocabulary: Vocabulary) -> Plan | None:
    for shorter in extract_clauses(cut, vocabulary):
        for form, spoken in _matches(shorter.text):
            plan = plan_of(form, spoken, shorter.scope, vocabulary)
            if plan:
                return plan
        plan = _with_clause(shorter, vocabulary)
        if plan:
            return plan
    return None


def why_unanswerable(question: str, vocabulary: Vocabulary) -> str | None:
    """Why no plan can answer ``question``: a limit of the catalogue, or a name that is not in the store; else None."""
    cut = extract_scope(question, vocabulary)
    return (
        outside_catalogue(cut.text, vocabulary.coded)
        or _unknown_in_clause(cut.text, vocabulary)
        or _unknown_name(list(_matches(cut.text)), vocabulary)
    )


def unreadable_clause(text: str, vocabulary: Vocabulary) -> str | None:
    """The refusal for a ``text`` that still holds a condition in no known form; None if it holds none."""
    left = next((split for split in clause_splits(text) if _is_condition(split, vocabulary)), None)
    return _UNREADABLE_CLAUSE.format(left.clause) if left else None


def _is_condition(split: ClauseSplit, vocabulary: Vocabulary) -> bool:
    """Whether it is a clause: "before" and "after" may also stand between two names or before a number."""
    text = strip_determiners(split.clause)
    bare = [span for _, span in vocabulary.mentions(text)] == [(0, len(text))]
    return not bare and not split.clause[:1].isdigit()


def _unknown_in_clause(text: str, vocabulary: Vocabulary) -> str | None:
    """The refusal for a question that has a known form up to a clause that cannot be read."""
    for split in clause_splits(text):
        understood = any(
            plan_of(form, spoken, QuestionScope(), vocabulary) is not None for form, spoken in _matches(split.main)
        )
        if understood and not read_clause(split, vocabulary):
            return _UNREADABLE_CLAUSE.format(split.clause)
    return None


def _is_forward(window: Window) -> bool:
    return window.begin_s is None or window.end_s is None or window.begin_s < window.end_s


def _matches(text: str) -> Iterator[tuple[Form, dict[str, str]]]:
    for form in FORMS:
        match = form.match(text)
        if match:
            yield form, match.groupdict()


def _unknown_name(matches: list[tuple[Form, dict[str, str]]], vocabulary: Vocabulary) -> str | None:
    """The refusal for the match with the fewest unknown words, if those look like names."""
    unknown = [
        [strip_determiners(text) for text in spoken.values() if vocabulary.resolve(text) is None]
        for _, spoken in matches
    ]
    plausible = [
        names
        for names in unknown
        # "barnet ballen" is two names, and no third one.
        if all(_looks_like_a_name(name) and len(list(vocabulary.mentions(name))) < _TWO for name in names)
    ]
    if not plausible:
        return None
    names = min(plausible, key=lambda texts: sum(len(text.split()) for text in texts))
    return "; ".join(explain_unknown(name, vocabulary) for name in names)


def _looks_like_a_name(text: str) -> bool:
    words = text.split()
    return len(words) <= _MAX_WORDS_OF_A_NAME and not _NOT_A_NAME & set(words)


def explain_unknown(name: str, vocabulary: Vocabulary) -> str:
    """Why ``name`` cannot be asked about, with the nearest names or all of them."""
    wider = next((known for known, words in NARROWER.items() if _is_one_of(name, words)), None)
    if wider in vocabulary.names:
        return f"the store knows {wider} and not {name!r}: which of them is one, it does not know"
    # What is another thing altogether ("ballen" where there is no ball) is not mistyped.
    near = () if _is_built_in(name) else vocabulary.nearest(name)
    if near:
        return f"{name!r} {_NOT_HERE}; did you mean {' or '.join(near)}?"
    return f"{name!r} {_NOT_HERE}; it knows {', '.join(vocabulary.names) or 'no names at all'}"


def _is_built_in(name: str) -> bool:
    return any(_is_one_of(name, (known, *words)) for known, words in BUILT_IN.items())


def _is_one_of(name: str, words: Iterable[str]) -> bool:
    return any(name in (word, plural(word)) for word in words)
