"""The kinds of parts that an expression has, and their units."""

from __future__ import annotations

from enum import Enum
from typing import Literal

from msgspec import Struct


class Kind(Enum):
    """What a part of an expression is; the value is how a message calls it."""

    NAME = "a name"
    TEXT = "a text"
    INTERVALS = "intervals"
    MOMENTS = "moments"
    SAMPLES = "times, such as latency(a -> b)"
    BOX = "a box quantity, such as gap(child, caregiver)"
    VALUE = "a number"
    YES_NO = "yes or no"
    NAMES = "names"
    SECONDS = "seconds, such as 3s"
    TIME = "a time, such as 12.5s or 50%"
    NUMBER = "a whole number"
    ARROW = "two streams, a -> b"


STREAM = (Kind.INTERVALS, Kind.MOMENTS)


class Type(Struct, frozen=True):
    """The kind of a part, and the unit of its values.

    Attributes:
        kind: what it is.
        unit: ``s``, ``count``, ``share`` … of numbers; else nothing.
    """

    kind: Kind
    unit: str = ""

    def __str__(self) -> str:
        return f"{self.kind.value} in {self.unit}" if self.unit and self.kind is Kind.VALUE else self.kind.value


class Parameter(Struct, frozen=True):
    """One argument of a function.

    Attributes:
        name: what it is called where arguments have names.
        kinds: what it may be.
        optional: whether it may be left out.
        keyword: whether it is written with its name: ``within=3s``.
        default: what it is if it is left out, as text.
        fits: which names a variable in this place stands for.
        coded: the kind of code whose labels (or participants) a variable in this place stands for too.
    """

    name: str
    kinds: tuple[Kind, ...]
    optional: bool = False
    keyword: bool = False
    default: str | None = None
    fits: Literal["any", "person", "thing"] = "any"
    coded: Literal["speech", "gaze", "naming", "head_motion"] | None = None


class Function(Struct, frozen=True):
    """One function of the language.

    Attributes:
        name: its name.
        parameters: its arguments.
        result: the type of its result; None: a stream of the kind of its first argument.
        definition: what it gives, in one sentence.
        computed_by: ``module:function`` under ``visionllm_interaction``, imported when it is used; it is called with a
            :class:`.evaluate.Arguments`.
        source: paper or standard.
        version: version of the definition.
        nothing: its value where nothing was found; None: no value.
        whole: whether its values are whole numbers.
        prepared_by: like ``computed_by``, what notes the inputs that groups lack before anything is summed up; for
            functions of names that give a value.
        per_video: whether its values are times or states of one video, which cannot be added up over videos.
    """

    name: str
    parameters: tuple[Parameter, ...]
    result: Type | None
    definition: str
    computed_by: str
    source: str = "this project; see docs/language.md"
    version: int = 1
    nothing: float | None = None
    whole: bool = False
    per_video: bool = False
    prepared_by: str | None = None
