"""Texts as numbers: the categories, predicates, participants and labels of several videos."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


class StringCodes:
    """Words in the order in which they were first met; a word's number is its place. Several threads may add words."""

    def __init__(self) -> None:
        self.words: list[str] = []
        self._codes: dict[str, int] = {}
        self._adding = threading.Lock()

    def code(self, word: str) -> int:
        """The number of a word, new if it was not met before."""
        if word not in self._codes:
            with self._adding:
                if word not in self._codes:
                    self.words.append(word)
                    self._codes[word] = len(self.words) - 1
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
