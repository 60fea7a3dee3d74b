"""Constructions that say the same as a plainer sentence: "Who was the last one to hold it?", "Hvem var det som …?".

The grammar reads phrases, not constructions: what only changes the emphasis is put into the plain form before.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

_FILE = Path(__file__).with_name("constructions.yaml")


def plain_form(text: str) -> str:
    """A normalised question with its constructions in their plain form.

    Args:
        text: lower case, without closing punctuation.

    Returns:
        The same question for the grammar; unchanged where it holds none of them.
    """
    for pattern, replacement in _rules():
        text = pattern.sub(replacement, text)
    return " ".join(text.split())


@cache
def _rules() -> tuple[tuple[re.Pattern[str], str], ...]:
    """The rules of the file, with its words in their places; read once."""
    # Imported here: questions that a fixed form answers need no word lists.
    from visionllm_interaction.utils.strict_yaml import load_yaml

    content = load_yaml(_FILE.read_text(encoding="utf-8"))
    return tuple((re.compile(_filled(pattern, content["words"])), plain) for pattern, plain in content["rules"])


def _filled(pattern: str, words: dict[str, str]) -> str:
    for name, text in words.items():
        pattern = pattern.replace("{" + name + "}", text)
    return pattern
