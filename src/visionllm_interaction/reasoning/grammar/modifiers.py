"""The adverbs of a clause: how many, the most, longer than, on average per video …; each must be used by a reader."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Literal

from visionllm_interaction.reasoning.grammar.clauses import NotUnderstood
from visionllm_interaction.reasoning.grammar.meaning import OBJECT_VARIABLE, Ask, Asked, Holds, Pick
from visionllm_interaction.reasoning.grammar.references import read_seconds
from visionllm_interaction.reasoning.grammar.tagging import Tag

_KINDS = frozenset({"superlative", "ordinal", "aggregate", "modifier"})
_IGNORED = frozenset({"ever", "different"})
"""Modifiers that change nothing: "did the child ever …"."""
_NUMBERS_OF = frozenset({"most", "more", "fewest", "fewer", "flest", "flere", "fleire", "færrest", "færre"})
_ONLY_NUMBERS_OF = _NUMBERS_OF - {"most", "more"}
"""Words that are said of numbers, and never of time."""
MeanOver = Literal["video", "child"]
_AVERAGED = frozenset({"total", "count", "share", "rate", "longest", "shortest", "kinds"})
_KEYS: dict[str, MeanOver] = {"each_video": "video", "each_child": "child"}
Length = Literal["mean", "median", "longest", "shortest", "sd"]


class Marks:
    """The adverbs of one clause; readers take what they use.

    Args:
        tags: the phrases of the clause.

    Attributes:
        more_than: the number of "more than 3", without or with a unit.
        longer_s: the seconds of "longer than 3 seconds".
        shorter_s: the seconds of "shorter than 3 seconds".
        at_least_s: the seconds of "at least 3 seconds".
        at_most_s: the seconds of "at most 3 seconds".
    """

    def __init__(self, tags: Sequence[Tag]) -> None:
        self._left = [tag for tag in tags if tag.kind in _KINDS and not tag.is_("modifier", *_IGNORED)]
        self._is_of_bouts = any(tag.is_("noun", "bouts") for tag in tags)
        self.more_than, self.longer_s, self.shorter_s = _limits(tags)
        self.at_least_s, self.at_most_s = (_seconds_of(tags, value) for value in ("at_least", "at_most"))

    def take(self, *values: str) -> Tag | None:
        """The first modifier of these values, which is then used; None if there is none."""
        found = next((tag for tag in self._left if tag.is_("modifier", *values)), None)
        if found:
            self._left.remove(found)
        return found

    def without_numbers(self) -> Marks:
        """The same, the limits in numbers used."""
        self.take("more_than", "at_least")
        self.take("less_than")
        if self.at_most_s is not None:
            self.take("at_most")
        return self

    def take_more_often(self) -> int | None:
        """The number of "more than 2 times"; None if no word says so, or if it is of seconds."""
        if self.more_than is None or self.longer_s is not None:
            return None
        self.without_numbers()
        return int(self.more_than)

    def take_occurrence(self) -> int | None:
        """Which one is meant: 1 for the first, 2 …, −1 for the last; None if no word says so."""
        for tag in self._left:
            if tag.kind == "ordinal":
                self._left.remove(tag)
                return int(tag.value)
            if tag.is_("superlative", "first", "last"):
                self._left.remove(tag)
                return 1 if tag.value == "first" else -1
        return None

    def take_ordinal(self) -> int | None:
        """The number of "second", "third" …; None if no word says so."""
        return self.take_occurrence() if any(tag.kind == "ordinal" for tag in self._left) else None

    def take_length(self) -> Length | None:
        """Which length of bouts is asked for; None if no word asks for one."""
        unbroken = self.take("unbroken")
        found = next((tag for tag in self._left if tag.kind == "aggregate"), None)
        if found:
            self._left.remove(found)
            kinds: dict[str, Length] = {name: name for name in ("mean", "median", "longest", "shortest", "sd")}
            return kinds[found.value]
        return "longest" if unbroken else None

    def take_pick(self, *, is_moment: bool) -> tuple[Ask, Pick]:
        """What is compared, and which of its values is asked for."""
        amount: Ask = "count" if is_moment else "total"
        unbroken = self.take("unbroken")
        found = next((tag for tag in self._left if tag.kind in ("superlative", "aggregate")), None)
        if found is None:
            return "exists", "any"
        self._left.remove(found)
        picks: dict[str, tuple[Ask, Pick]] = {
            "most": (amount, "most"),
            "least": (amount, "least"),
            "most_often": ("count", "most"),
            "least_often": ("count", "least"),
            "first": ("time", "first"),
            "last": ("time", "last"),
            # "The longest holding bout" is one of them, and "held it the longest" is all of them together.
            "longest": ("longest" if unbroken or self._is_of_bouts else amount, "most"),
            "shortest": ("shortest" if self._is_of_bouts else amount, "least"),
        }
        if found.value not in picks:
            raise NotUnderstood(found.text)
        kind, pick = picks[found.value]
        if unbroken and found.value == "most":
            kind = "longest"
        return kind, pick

    def check_used(self) -> None:
        """Check that no word is left that nothing was done with.

        Raises:
            NotUnderstood: naming the word.
        """
        if self._left:
            raise NotUnderstood(self._left[0].text)


def compares_objects(tags: Sequence[Tag]) -> bool:
    """Whether numbers of objects are compared: "the most toys", "more different things"."""
    plain = [tag for tag in tags if not tag.is_("modifier", "different")]
    return any(
        tag.is_("superlative", "most", "least") and tag.text.split()[-1] in _NUMBERS_OF and after.is_("noun", "object")
        for tag, after in pairwise(plain)
    )


def compares_several_of_a_name(tags: Sequence[Tag]) -> str | None:
    """The word where numbers of people, or of objects of one name, are compared: "the most people", "fewest cups"."""
    plain = [tag for tag in tags if not tag.is_("modifier", "different")]
    for tag, after in pairwise(plain):
        if not tag.is_("superlative", "most", "least") or tag.text.split()[-1] not in _NUMBERS_OF:
            continue
        is_several = tag.text.split()[-1] in _ONLY_NUMBERS_OF or after.text.endswith("s")
        if after.is_("noun", "person") or (after.kind == "name" and is_several and not after.value.endswith("s")):
            return after.text
    return None


def read_marks(tags: Sequence[Tag]) -> Marks:
    """The adverbs of a clause."""
    return Marks(tags)


def _limits(tags: Sequence[Tag]) -> tuple[float | None, float | None, float | None]:
    for place, tag in enumerate(tags[:-1]):
        if not tag.is_("modifier", "more_than", "less_than"):
            continue
        seconds = read_seconds(tags, place + 1)
        number = tags[place + 1].number
        if tag.value == "more_than":
            return number, seconds[0] if seconds else None, None
        if seconds is None:
            raise NotUnderstood(tag.text)
        return None, None, seconds[0]
    return None, None, None


def _seconds_of(tags: Sequence[Tag], value: str) -> float | None:
    """The seconds of "at least 3 seconds"; None where no number of them follows."""
    place = next((i for i, tag in enumerate(tags) if tag.is_("modifier", value)), None)
    seconds = None if place is None else read_seconds(tags, place + 1)
    return seconds[0] if seconds else None


def takes_mean_over(tags: Sequence[Tag]) -> tuple[MeanOver | None, list[Tag]]:
    """What a question averages over, and its phrases without the words that say so.

    Args:
        tags: of the question.

    Returns:
        ``video`` or ``child`` where both "on average" and "per …" are said; else None and all phrases.

    Raises:
        NotUnderstood: for "per child" without "on average": no answer is given for each child.
    """
    keys = [tag for tag in tags if tag.is_("modifier", *_KEYS)]
    means = [tag for tag in tags if tag.is_("aggregate", "mean")]
    if len(keys) == len(means) == 1:
        return _KEYS[keys[0].value], [tag for tag in tags if tag not in (keys[0], means[0])]
    if any(tag.value == "each_child" for tag in keys):
        raise NotUnderstood(keys[0].text)
    return None, list(tags)


def _number_of_objects(asked: Asked) -> Asked:
    """How many different objects there are of which it is so, as one value: "how many toys … on average per video"."""
    stream = asked.stream
    is_plain = asked.ask == "exists" and asked.more_often_than is None and not asked.among
    if not is_plain or not isinstance(stream, Holds) or stream.negated or stream.names[-1] != OBJECT_VARIABLE:
        raise NotUnderstood("on average")
    return replace(asked, ask="kinds", variable=None, pick=None)


def read_mean_over(asked: Asked, over: MeanOver, *, of_different: bool = False) -> Asked:
    """A value that is averaged over videos or children.

    Args:
        asked: the value of one of them.
        over: what is averaged over.
        of_different: whether *different* objects are said. "How many toys" alone may count each time.

    Returns:
        The same, with what it is averaged over.

    Raises:
        NotUnderstood: if it is no amount, or of one video alone.
    """
    if of_different and asked.pick == "number" and asked.variable == OBJECT_VARIABLE and not asked.is_denied:
        asked = _number_of_objects(asked)
    one_value = asked.variable is None and asked.than is None and not asked.also and asked.threshold is None
    if asked.ask not in _AVERAGED or not one_value or asked.scope.video_id is not None:
        raise NotUnderstood(f"on average per {over}")
    return replace(asked, mean_over=over)
