"""Texts as numbers: the categories, predicates, participants and labels of several videos."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


class StringCodes:
    """Words in the order in which they were first met; a word's number is its place."""

    def __init__(self) -> None:
        self.words: list[str] = []
        self._codes: dict[str, int] = {}

    def code(self, word: str) -> int:
        """The number of a word, new if it was not met before."""
        if word not in self._codes:
            self._codes[word] = len(self.words)
            self.words.append(word)
        return self._codes[word]

    def known(self, word: str) -> int:
        """The number of a word; −1 if it was not met."""
        return self._codes.get(word, -1)

    def codes(self, words: Sequence[str | None]) -> NDArray[np.int64]:
        """The numbers of words; −1 for None."""
        return np.array([-1 if word is None else self.code(word) for word in words], dtype=np.int64)

    def words_of(self, codes: NDArray[np.int64]) -> list[str]:
        """The words of numbers; ``""`` for −1."""
        return ["" if code < 0 else self.words[code] for code in codes.tolist()]
