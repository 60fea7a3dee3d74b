"""Constructions that say the same as a plainer sentence: "Who was the last one to hold it?", "Hvem var det som …?".

The grammar reads phrases, not constructions: what only changes the emphasis is put into the plain form before.
"""

from __future__ import annotations

import re
from functools import cache, cached_property
from pathlib import Path

from msgspec import Struct

_FILE = Path(__file__).with_name("constructions.yaml")


_WORDS = r"([^\W\d_]+(?:\|[^\W\d_]+)*)"
_OPENS = re.compile(rf"\^(?:\(?\(\?:{_WORDS}\)|\({_WORDS}\)|([^\W\d_]+)) ")
"""How a rule begins that can only fit texts with these first words."""


class _Rule(Struct, frozen=True, dict=True):
    """One rule, compiled when a question is asked that it may fit.

    Attributes:
        text: its regular expression.
        plain: what stands in its place.
    """

    text: str
    plain: str

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        return re.compile(self.text)

    @cached_property
    def first_words(self) -> frozenset[str]:
        """The words of which a text has to begin with one; none: any."""
        opens = _OPENS.match(self.text)
        found = next((group for group in opens.groups() if group), "") if opens else ""
        return frozenset(found.split("|")) if found else frozenset()

    def applied(self, text: str) -> str:
        """``text`` with its plain form in the place of the construction."""
        if self.first_words and text.split(" ", 1)[0] not in self.first_words:
            return text
        return self.pattern.sub(self.plain, text)


def plain_form(text: str) -> str:
    """A normalised question with its constructions in their plain form.

    Args:
        text: lower case, without closing punctuation.

    Returns:
        The same question for the grammar; unchanged where it holds none of them.
    """
    for rule in rules_of_constructions():
        text = rule.applied(text)
    return " ".join(text.split())


@cache
def rules_of_constructions() -> tuple[_Rule, ...]:
    """The rules of the file, with its words in their places; read once."""
    # Imported here: questions that a fixed form answers need no word lists.
    from visionllm_interaction.utils.strict_yaml import load_yaml

    content = load_yaml(_FILE.read_text(encoding="utf-8"))
    return tuple(_Rule(_filled(pattern, content["words"]), plain) for pattern, plain in content["rules"])


def _filled(pattern: str, words: dict[str, str]) -> str:
    for name, text in words.items():
        pattern = pattern.replace("{" + name + "}", text)
    return pattern
