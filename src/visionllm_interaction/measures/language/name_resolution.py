"""Which names a variable stands for, and whether the names in an expression are known."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from visionllm_interaction.core.categories import BODY_CATEGORIES, PERSON_CATEGORIES, nearest_names
from visionllm_interaction.core.grouped_arrays import distinct
from visionllm_interaction.errors import ExpressionError
from visionllm_interaction.measures.language.check import Place, arguments_of
from visionllm_interaction.measures.language.syntax_tree import Binding, Call, Grouped, NameTerm, is_variable, walk
from visionllm_interaction.measures.language.types import Function, Kind
from visionllm_interaction.measures.streams.batch import Batch
from visionllm_interaction.measures.streams.stream_scopes import ANYTHING, Name
from visionllm_interaction.store.reader import ANY_PERSON, ANY_THING

_GROUPS = frozenset({ANY_PERSON, ANY_THING, ANYTHING})
_CODED_FUNCTIONS = frozenset({"looks_at", "speaks", "names", "says", "coded", "turns", "turn_lags", "around_naming"})


def track_names(batch: Batch) -> dict[str, str]:
    """The names that tracks are told apart by, role before category → ``person``, ``body`` or ``thing``."""
    tracks, words = batch.tracks, batch.texts.words
    found: dict[str, str] = {}
    for category, role in set(zip(tracks.category.tolist(), tracks.role.tolist(), strict=True)):
        kind = words[category]
        name = words[role] if role >= 0 and words[role] else kind
        sort = "person" if kind in PERSON_CATEGORIES else "body" if kind in BODY_CATEGORIES else "thing"
        found.setdefault(name, sort)
    return dict(sorted(found.items()))


def coded_names(batch: Batch, kind: str, *, labels: bool) -> set[str]:
    """The labels, or the participants, of codes of a kind, in lower case."""
    codes, words = batch.codes, batch.texts.words
    rows = codes.kind == batch.texts.known(kind)
    column = codes.label if labels else codes.participant
    return {words[code] for code in distinct(column[rows]).tolist() if code >= 0 and words[code]}


def domain(batch: Batch, binding: Binding, places: Sequence[Place], grouped: Grouped) -> list[Name]:
    """The names that a variable stands for, sorted.

    Args:
        batch: the videos.
        binding: the variable, and the names written after ``in``.
        places: where it stands.
        grouped: the expression; names that stand elsewhere in it are left out.

    Returns:
        Names of tracks, and labels of codes where the variable stands for those.
    """
    present = track_names(batch)
    if binding.domain:
        words = [term.base for term in binding.domain]
        if len(words) == 1 and words[0] in (ANY_PERSON, ANY_THING, ANYTHING):
            fits = {ANY_PERSON: ("person",), ANY_THING: ("thing",)}.get(words[0], ("person", "body", "thing"))
            return [Name(name, is_own=name in _of_others(batch)) for name, sort in present.items() if sort in fits]
        return [Name(_spelled(batch, word)) for word in words]
    # A word for people of every category leaves none of them out: "person" hands something to another person.
    written = {_spelled(batch, t.base) for t in walk(grouped.value) if isinstance(t, NameTerm)} - _GROUPS
    found = {name for name, sort in present.items() if all(_fits(sort, place) for place in places)}
    if any(place.coded for place in places) and all(place.coded or place.fits == "any" for place in places):
        labels = [
            coded_names(batch, place.coded, labels=place.fits == "any") for place in places if place.coded is not None
        ]
        coded = set.union(*labels)
        lowered = {name.lower() for name in found}
        found = {name for name in found if name.lower() in coded or not coded} | {c for c in coded if c not in lowered}
    return [Name(name, is_own=name in _of_others(batch)) for name in sorted(found - written)]


def _of_others(batch: Batch) -> frozenset[str]:
    """The names that stand, besides their own tracks, for tracks that have another name."""
    tracks, words = batch.tracks, batch.texts.words
    kinds = set(zip(tracks.category.tolist(), tracks.role.tolist(), strict=True))
    return frozenset(words[category] for category, role in kinds if role >= 0 and words[role]) | _GROUPS


def _fits(sort: str, place: Place) -> bool:
    return sort != "body" and (place.fits in ("any", sort))


def _spelled(batch: Batch, word: str) -> str:
    batch.tracks  # noqa: B018  (its names are met first)
    return word.replace("_", " ") if "_" in word and batch.texts.known(word) < 0 else word


def check_names(
    batch: Batch, grouped: Grouped, functions: dict[str, Function], *, others: Callable[[], Batch] | None = None
) -> None:
    """Refuse names that stand for nothing in the store.

    Args:
        batch: the videos.
        grouped: the expression, with named measures written out.
        functions: the functions of the language.
        others: gives all videos, where ``batch`` is only some of them: a name of those is known as well.

    Raises:
        ExpressionError: with the column of the name, and the most similar ones that are known.
    """
    known: set[str] | None = None
    for call in (part for part in walk(grouped) if isinstance(part, Call) and part.function in functions):
        function = functions[call.function]
        for name, argument in arguments_of(call, function).items():
            parameter = next(p for p in function.parameters if p.name == name)
            if not isinstance(argument, NameTerm) or Kind.TEXT in parameter.kinds:
                continue
            coded = call.function in _CODED_FUNCTIONS or parameter.coded is not None
            for word in (argument.base, *argument.excluded):
                if is_variable(word) or word in (ANYTHING, ANY_PERSON, ANY_THING):
                    continue
                known = _known(batch) if known is None else known
                spelled = _spelled(batch, word)
                if spelled in known or (coded and (spelled.lower() in _coded(batch) or spelled in _ROLES)):
                    continue
                if others is not None and spelled in _known(others()):
                    continue
                _refuse(argument, word, sorted(known | (_coded(batch) if coded else set())))


_ROLES = ("child", "caregiver")


def _known(batch: Batch) -> set[str]:
    searched = {str(name) for record in batch.records for name in _categories(record)}
    present = {batch.texts.words[c] for column in (batch.tracks.category, batch.tracks.role) for c in column if c >= 0}
    return searched | present | set(_assigned(batch)) | set(_ROLES)


def _categories(record: object) -> list[str]:
    detector = record["detector"] if isinstance(record, dict) else {}
    return list(detector.get("categories", ()))


def _assigned(batch: Batch) -> set[str]:
    roles = [record.get("roles") or {} for record in batch.records]
    return {str(role) for given in roles if isinstance(given, dict) for role in given.values()}


def _coded(batch: Batch) -> set[str]:
    codes, words = batch.codes, batch.texts.words
    used = (distinct(column).tolist() for column in (codes.participant, codes.label))
    return {words[c] for column in used for c in column if c >= 0 and words[c]}


def _refuse(argument: NameTerm, word: str, known: list[str]) -> None:
    names = list(dict.fromkeys([*known[:20], ANY_PERSON, ANY_THING, ANYTHING]))
    near = nearest_names(word, list(dict.fromkeys(known)))
    raise ExpressionError(
        f"The name {word!r} is not known here.",
        expected=f"one of: {', '.join(names)}",
        found=word,
        column=max(argument.column, 1),
        fix=f"did you mean {' or '.join(map(repr, near))}?" if near else "use one of these names",
    )
