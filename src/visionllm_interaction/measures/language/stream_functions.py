"""The functions that give streams and box quantities: what is read from the store, and the operators on streams."""

from __future__ import annotations

import numpy as np
from msgspec.structs import replace

from visionllm_interaction.core.categories import nearest_names
from visionllm_interaction.core.frame_table import QUALITY_FLAGS
from visionllm_interaction.core.grouped_arrays import Floats, Ints
from visionllm_interaction.core.intervals import TOLERANCE_S
from visionllm_interaction.core.predicates import EVENT_KINDS
from visionllm_interaction.core.tracks_relations_events import HEAD_MOTION
from visionllm_interaction.errors import ExpressionError
from visionllm_interaction.measures.catalogue import CODED_PREDICATES
from visionllm_interaction.measures.language.evaluate import Arguments
from visionllm_interaction.measures.streams import stream as algebra
from visionllm_interaction.measures.streams import table_streams as atoms
from visionllm_interaction.measures.streams.boxes import BoxQuantity, quantity
from visionllm_interaction.measures.streams.stream import Stream, TrackLists, merged
from visionllm_interaction.measures.streams.stream_scopes import Name, StreamGroups
from visionllm_interaction.store.reader import ANY_PERSON


def _note(arguments: Arguments, predicate: str, found: Ints) -> None:
    """Note where it is not known when a predicate holds."""
    missing, groups = arguments.evaluator.missing, arguments.groups
    if missing is not None:
        subject, object_ = arguments.required_name("x"), arguments.name("y")
        reasons = missing.of_predicate(predicate, subject, object_, groups.windows)
        arguments.evaluator.lacks(np.where(reasons >= 0, reasons, missing.not_processed(groups)), found)


def visible(arguments: Arguments) -> Stream:
    """``visible``."""
    subject, object_ = arguments.required_name("x"), arguments.given.get("y")
    if object_ is None:
        found = atoms.visible(arguments.groups, subject)
    else:
        found = atoms.together(arguments.groups, subject, arguments.required_name("y"))
    _note(arguments, "visible", found.group)
    return found


def related(arguments: Arguments) -> Stream:
    """``near``, ``holding`` … and the directed predicates."""
    predicate = arguments.function.name
    found = atoms.related(arguments.groups, predicate, arguments.required_name("x"), arguments.name("y"))
    _note(arguments, predicate, found.group)
    return found


def posture(arguments: Arguments) -> Stream:
    """``posture``."""
    name = arguments.text("name") or ""
    # Imported here: few expressions are about postures.
    from visionllm_interaction.core.bodies import POSTURES

    if name not in POSTURES:
        near = nearest_names(name, POSTURES)
        raise ExpressionError(
            f"There is no posture {name!r}.",
            expected=f"one of: {', '.join(POSTURES)}",
            found=name,
            column=max(arguments.given["name"].column, 1),
            fix=f"did you mean {' or '.join(map(repr, near))}?" if near else "write one of these postures",
        )
    who, missing = arguments.required_name("x"), arguments.evaluator.missing
    found = atoms.in_posture(arguments.groups, name, who)
    if missing is not None:
        reasons = missing.of_posture(who, arguments.groups.windows)
        arguments.evaluator.lacks(np.where(reasons >= 0, reasons, missing.not_processed(arguments.groups)), found.group)
    return found


def joint_handling(arguments: Arguments) -> Stream:
    """``joint_handling``."""
    found = atoms.joint_handling(arguments.groups, arguments.required_name("x"), arguments.name("y"))
    missing = arguments.evaluator.missing
    if missing is not None:
        names = tuple(name for name in (arguments.name("y"),) if name is not None)
        reasons = missing.of_event("joint_handling", arguments.required_name("x"), names, arguments.groups.windows)
        arguments.evaluator.lacks(np.where(reasons >= 0, reasons, missing.not_processed(arguments.groups)), found.group)
    return found


def event(arguments: Arguments) -> Stream:
    """``picks_up``, ``hands_over`` and the others."""
    return _event(arguments, arguments.function.name)


def event_of_kind(arguments: Arguments) -> Stream:
    """``event``."""
    kind = arguments.text("kind") or ""
    if kind not in EVENT_KINDS:
        near = nearest_names(kind, EVENT_KINDS)
        raise ExpressionError(
            f"There are no events of the kind {kind!r}.",
            expected=f"one of: {', '.join(EVENT_KINDS)}",
            found=kind,
            column=max(arguments.given["kind"].column, 1),
            fix=f"did you mean {' or '.join(map(repr, near))}?" if near else "write one of these kinds",
        )
    return _event(arguments, kind)


def _event(arguments: Arguments, kind: str) -> Stream:
    actors = [arguments.required_name("x")]
    others = [arguments.required_name(name) for name in ("y", "z") if name in arguments.given]
    if len(others) == 1 and arguments.name("y") is None:
        others = []
    found = atoms.events(arguments.groups, kind, tuple(actors + others))
    missing = arguments.evaluator.missing
    if missing is not None:
        reasons = missing.of_event(kind, actors[0], tuple(others), arguments.groups.windows)
        arguments.evaluator.lacks(np.where(reasons >= 0, reasons, missing.not_processed(arguments.groups)), found.group)
    return found


def coded_as(arguments: Arguments) -> Stream:
    """``looks_at``, ``speaks``, ``names``."""
    kind = CODED_PREDICATES[arguments.function.name]
    return _coded(arguments, kind)


def head_moving(arguments: Arguments) -> Stream:
    """``head_moving``."""
    return _coded(arguments, HEAD_MOTION, text="moving")


def head_still(arguments: Arguments) -> Stream:
    """``head_still``."""
    return _coded(arguments, HEAD_MOTION, text="still")


def says(arguments: Arguments) -> Stream:
    """``says``."""
    return _coded(arguments, "speech", word=arguments.text("word"))


def _coded(arguments: Arguments, kind: str, *, word: str | None = None, text: str | None = None) -> Stream:
    who, label = arguments.required_name("x"), arguments.given_name("y")
    found = atoms.coded(arguments.groups, kind=kind, participant=who, label=label, word=word, text=text)
    missing = arguments.evaluator.missing
    if missing is not None:
        arguments.evaluator.lacks(missing.uncoded(kind, (who,), arguments.groups.video), found.group)
    return found


def coded_tier(arguments: Arguments) -> Stream:
    """``coded``."""
    tier = arguments.text("tier") or ""
    found = atoms.coded(
        arguments.groups, tier=tier, text=arguments.text("label"), participant=arguments.given_name("y")
    )
    missing = arguments.evaluator.missing
    if missing is not None:
        batch = arguments.groups.batch
        of_tier = batch.codes.tier == batch.texts.known(tier.strip(" ").lower())
        there = np.isin(np.arange(len(batch.video_ids)), batch.codes.video[of_tier])
        reason = missing.reasons.code(f"no tier {tier!r} was imported")
        arguments.evaluator.lacks(np.where(there[arguments.groups.video], -1, reason))
    return found


def alone(arguments: Arguments) -> Stream:
    """``alone``: of two children in view neither is."""
    groups, subject = arguments.groups, arguments.required_name("x")
    people = np.full(len(subject), groups.names.code(Name(ANY_PERSON)))
    seen = atoms.visible(groups, subject)
    _note(arguments, "visible", seen.group)
    several = algebra.at_least(atoms.visible(groups, people), 2)
    return algebra.complement(several, seen).with_tracks_of(seen)


def poor_quality(arguments: Arguments) -> Stream:
    """``poor_quality``."""
    flag = arguments.text("flag")
    if flag is not None and flag not in QUALITY_FLAGS:
        near = nearest_names(flag, QUALITY_FLAGS)
        raise ExpressionError(
            f"There is no kind of poor quality {flag!r}.",
            expected=f"one of: {', '.join(QUALITY_FLAGS)}; or nothing for any of them",
            found=flag,
            column=max(arguments.given["flag"].column, 1),
            fix=f"did you mean {' or '.join(map(repr, near))}?" if near else "write one of these",
        )
    found = atoms.poor_quality(arguments.groups, flag)
    missing, groups = arguments.evaluator.missing, arguments.groups
    if missing is not None:
        reasons = missing.of_quality(flag, groups.video)
        arguments.evaluator.lacks(np.where(reasons >= 0, reasons, missing.not_processed(groups)), found.group)
    return found


def processed(arguments: Arguments) -> Stream:
    """``processed``."""
    return atoms.processed(arguments.groups)


def between(arguments: Arguments) -> Stream:
    """``between``."""
    groups = arguments.groups
    begin_s = np.maximum(arguments.moment("begin"), groups.begin_s)
    end_s = np.minimum(arguments.moment("end"), groups.end_s)
    group = np.flatnonzero(begin_s < end_s)
    return Stream(group, begin_s[group], end_s[group], TrackLists.none(len(group)), merged=True)


def around_naming(arguments: Arguments) -> Stream:
    """``around_naming``: namings outside the window count for the time within it."""
    groups, label = arguments.groups, arguments.required_name("x")
    found = atoms.coded(groups.unwindowed, kind="naming", label=label)
    each_side = arguments.seconds("each_side")
    around = algebra.padded(replace(found, moments=True), each_side, each_side)
    missing = arguments.evaluator.missing
    if missing is not None:
        arguments.evaluator.lacks(missing.uncoded("naming", (), groups.video), found.group)
    return algebra.clipped(around, groups.begin_s, groups.end_s).without_tracks()


def box(arguments: Arguments) -> BoxQuantity:
    """``size``, ``gap`` and the other quantities of boxes."""
    evaluator, about = arguments.evaluator, arguments.function.name
    names = tuple(arguments.required_name(name) for name in ("x", "y") if name in arguments.given)
    found = quantity(evaluator.boxes, arguments.groups, about, names)
    _note(arguments, "near" if about == "gap" else "visible", found.rows.group)
    return found


def at_least(arguments: Arguments) -> Stream:
    """``at_least``."""
    return algebra.at_least(arguments.stream("a"), arguments.number("n"))


def during(arguments: Arguments) -> Stream:
    """``during``."""
    return algebra.during(arguments.stream("a"), arguments.stream("b"))


def overlapping(arguments: Arguments) -> Stream:
    """``overlapping``."""
    return algebra.overlapping(arguments.stream("a"), arguments.stream("b"))


def longer_than(arguments: Arguments) -> Stream:
    """``longer_than``."""
    rows = merged(arguments.stream("a"))
    return rows.take(rows.length_s > arguments.seconds("length") + TOLERANCE_S)


def shorter_than(arguments: Arguments) -> Stream:
    """``shorter_than``."""
    rows = merged(arguments.stream("a"))
    return rows.take(rows.length_s < arguments.seconds("length") - TOLERANCE_S)


def merged_(arguments: Arguments) -> Stream:
    """``merged``."""
    return merged(arguments.stream("a"), max_gap_s=arguments.seconds("gap"))


def padded_(arguments: Arguments) -> Stream:
    """``padded``: within the window."""
    before_s = arguments.seconds("before")
    after_s = arguments.seconds("after") if "after" in arguments.given else before_s
    longer = algebra.padded(arguments.stream("a"), before_s, after_s)
    return algebra.clipped(longer, *_span(arguments.groups))


def _span(groups: StreamGroups) -> tuple[Floats, Floats]:
    """(G,) begin and end of what can be known of each group: the window, and without one the processed span."""
    done = groups.processed
    begin_s, end_s = done.begin_s[groups.scope], done.end_s[groups.scope]
    begin_s = np.where(np.isfinite(groups.begin_s), groups.begin_s, np.nan_to_num(begin_s, nan=0.0))
    end_s = np.where(np.isfinite(groups.end_s), groups.end_s, np.nan_to_num(end_s, nan=np.inf))
    return begin_s, end_s


def first(arguments: Arguments) -> Stream:
    """``first``."""
    return algebra.nth(arguments.stream("a"), 1)


def last(arguments: Arguments) -> Stream:
    """``last``."""
    return algebra.nth(arguments.stream("a"), -1)


def nth_(arguments: Arguments) -> Stream:
    """``nth``."""
    return algebra.nth(arguments.stream("a"), max(arguments.number("n"), 1))


def starts(arguments: Arguments) -> Stream:
    """``starts``."""
    return algebra.edges(arguments.stream("a"), ends=False)


def ends(arguments: Arguments) -> Stream:
    """``ends``."""
    return algebra.edges(arguments.stream("a"), ends=True)


def since(arguments: Arguments) -> Stream:
    """``since``."""
    return _from(arguments, algebra.edges(arguments.stream("a"), ends=False), place=1)


def after(arguments: Arguments) -> Stream:
    """``after``."""
    return _from(arguments, algebra.edges(arguments.stream("a"), ends=True), place=1)


def until(arguments: Arguments) -> Stream:
    """``until``."""
    return _up_to(arguments, algebra.edges(arguments.stream("a"), ends=True), place=-1)


def before(arguments: Arguments) -> Stream:
    """``before``."""
    return _up_to(arguments, algebra.edges(arguments.stream("a"), ends=False), place=1)


def _from(arguments: Arguments, moments: Stream, *, place: int) -> Stream:
    at, (_, end_s) = algebra.nth(moments, place), _span(arguments.groups)
    return _window(at, at.begin_s, end_s[at.group])


def _up_to(arguments: Arguments, moments: Stream, *, place: int) -> Stream:
    at, (begin_s, _) = algebra.nth(moments, place), _span(arguments.groups)
    return _window(at, begin_s[at.group], at.begin_s)


def _window(at: Stream, begin_s: Floats, end_s: Floats) -> Stream:
    found = replace(at, begin_s=begin_s, end_s=end_s, moments=False, merged=True)
    return found.take(begin_s < end_s).without_tracks()


def within_(arguments: Arguments) -> Stream:
    """``within``."""
    return algebra.begins_near(arguments.stream("a"), arguments.stream("b"), arguments.seconds("time"))


def then_(arguments: Arguments) -> Stream:
    """``then``."""
    return algebra.sequences(arguments.stream("a"), arguments.stream("b"), arguments.seconds("time"))


def nearest_(arguments: Arguments) -> Stream:
    """``nearest``."""
    return algebra.nearest(arguments.stream("a"), arguments.stream("b"))
