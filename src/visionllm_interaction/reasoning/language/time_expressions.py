"""Time windows in plain words: "between 5 and 10 seconds", "in the first 2 minutes", "etter 30 sekunder"."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from functools import cache, cached_property, partial

from msgspec import Struct

_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0}
UNIT = r"(?:seconds?|secs?|sekund(?:er|ene|a|ane)?|s|minutes?|minutt(?:er|ene|et)?|mins?|hours?|timer?|h)(?!\w)"
"""Words for units of time, as a part of a pattern."""

_NUMBER_WORDS = (
    *("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"),
    *("thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen", "twenty"),
)
_TENS = {"thirty": 30, "forty": 40, "fifty": 50, "sixty": 60, "ninety": 90}
_ENGLISH = {word: value for value, word in enumerate(_NUMBER_WORDS, start=1)} | _TENS
_NORWEGIAN = {"to": 2, "tre": 3, "fire": 4, "fem": 5, "ti": 10, "femten": 15, "tjue": 20, "tretti": 30}


def _spelled(words: Iterable[str], *, link: str, unit: str) -> re.Pattern[str]:
    """A number word before a unit, or before another number with one: "five" in "between five and ten seconds"."""
    word = "|".join(words)
    return re.compile(rf"\b({word}) (?=(?:{unit})|(?:{link}) (?:\d+|{word}) (?:{unit}))")


@cache
def _spelled_numbers() -> tuple[tuple[re.Pattern[str], Mapping[str, int]], ...]:
    return (
        (_spelled(_ENGLISH, link="and|to", unit=r"(?:seconds?|minutes?|hours?)\b"), _ENGLISH),
        # Only before Norwegian units: "up to second 12" says nothing of a 2.
        (_spelled(_NORWEGIAN, link="og|til", unit=r"(?:sekund|minutt)"), _NORWEGIAN),
    )


_UNIT_STEMS = ("second", "sekund", "minut", "hour")
"""A number in words is one of time only beside a unit; without one nothing has to be compiled."""
_SINGLE = re.compile(
    r"\b(first|opening|initial|første|fyrste|after|before|until|from|etter|fra|frå|før) (?:a |an |one |et )?"
    r"(?=(?:minute|minutt(?:et)?|hour)\b)"
)
_HALF = re.compile(r"\b(?:half a minute|a half minute|et halvt minutt)\b")


def spell_numbers(question: str) -> str:
    """Times in words as digits: "ten seconds" → "10 seconds", "the first minute" → "the first 1 minute"."""
    if not any(stem in question for stem in _UNIT_STEMS):
        return question
    text = _HALF.sub("30 seconds", question)
    for pattern, values in _spelled_numbers():
        text = pattern.sub(partial(_as_digits, values), text)
    return _SINGLE.sub(r"\1 1 ", text)


def _as_digits(values: Mapping[str, int], match: re.Match[str]) -> str:
    return f"{values[match[1]]} "


def _time(n: int) -> str:
    """A time, groups ``t<n>`` and ``u<n>``: "5", "5.5 s", "second 5", "1:05", "2 minutes"."""
    return rf"(?:(?:second|sekund)\s+)?(?P<t{n}>\d+(?::\d\d){{1,2}}|\d+(?:[.,]\d+)?)\s*(?P<u{n}>{UNIT})?"


class Window(Struct, frozen=True):
    """A time window ``[begin_s, end_s)`` in seconds; None leaves that side open."""

    begin_s: float | None = None
    end_s: float | None = None


class _WindowForm(Struct, frozen=True, dict=True):
    """One way to name a window, compiled when a question with a number is asked."""

    text: str
    build: Callable[[list[float]], Window]

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        filled = self.text.format(t1=_time(1), t2=_time(2), unit=UNIT)
        return re.compile(rf"(?:^|(?<=\s)){filled}(?=\s|$)")


_FORMS: tuple[_WindowForm, ...] = (
    _WindowForm(
        r"(?:in the time |in the window )?(?:between|mellom) {t1} (?:and|og) {t2}", lambda t: Window(t[0], t[1])
    ),
    _WindowForm(r"(?:from|fra|frå) {t1} (?:to|until|till|up to|til) {t2}", lambda t: Window(t[0], t[1])),
    _WindowForm(
        r"(?:once|after|when) the first {t1} (?:were|are|was|had|have|has)(?: been)? (?:over|past|passed|gone|up)",
        lambda t: Window(t[0], None),
    ),
    _WindowForm(
        r"(?:(?:in|during|within|over|i løpet av|i|under) )?(?:the |de |dei |det )?"
        r"(?:first|opening|initial|første|fyrste) {t1}",
        lambda t: Window(None, t[0]),
    ),
    _WindowForm(r"(?:after|since|from|etter|fra|frå) {t1}(?: (?:on|onwards?))?", lambda t: Window(t[0], None)),
    _WindowForm(r"(?:before|until|till|up to|før|inntil|fram til) {t1}", lambda t: Window(None, t[0])),
)


def extract_window(question: str) -> tuple[str, Window | None]:
    """Cut a time window out of a normalised ``question``; returns the rest and the window, None if there is none."""
    question = spell_numbers(question)
    if not any(character.isdigit() for character in question):
        return question, None
    for form in _FORMS:
        match = form.pattern.search(question)
        if match:
            rest = question[: match.start()] + question[match.end() :]
            return " ".join(rest.split()), form.build(_times(match))
    return question, None


def _times(match: re.Match[str]) -> list[float]:
    """The times of ``match``; a time without a unit takes the unit said after it, else seconds."""
    found = match.groupdict()
    later = found.get("u2") or "s"
    first = [time_in_seconds(found["t1"], found["u1"] or later)]
    return [*first, time_in_seconds(found["t2"], later)] if found.get("t2") else first


def time_in_seconds(text: str, unit: str) -> float:
    """A time as it is written, "1:05" or a number with a unit of :data:`UNIT`, in seconds."""
    if ":" in text:
        total = 0.0
        for part in text.split(":"):
            total = total * 60 + float(part)
        return total
    return in_seconds(text, unit)


def in_seconds(text: str, unit: str | None) -> float:
    """A number with a unit of :data:`UNIT` (none: seconds) in seconds."""
    unit = unit or "s"
    scale = "h" if unit.startswith(("h", "t")) else unit[0]
    return float(text.replace(",", ".")) * _UNITS[scale]
