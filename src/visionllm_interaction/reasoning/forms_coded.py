"""Question forms about what people coded in another program and imported: who spoke, who looked at what.

They are read only where such codes were imported (``Vocabulary.coded``); elsewhere the refusal says that none were.
"""

from __future__ import annotations

from visionllm_interaction.reasoning.language.english_values import MACROS as WORDS
from visionllm_interaction.reasoning.language.patterns import Row, compile_rows

MACROS = {
    **WORDS,
    "speak": "speak|speaks|spoke|talk|talks|talked|say|says|said|vocali[sz]e|vocali[sz]es|vocali[sz]ed",
    "something": "(?: something| anything)?",
    "look": "look|looks|looked|gaze|gazes|gazed",
    "ganger": "hvor mange ganger|hvor ofte",
    "snakke": "snakket|snakker|sa|sier",
    "se": "så|ser|kikket|kikker",
}

ROWS = (
    Row("bout_count", ("{times} {do} {a} {speak}{something}", "{times} {a} {speak}{something}"), "speaks"),
    Row("bout_count", ("{ganger} {snakke} {a}(?: noe)?",), "speaks"),
    Row("bout_count", ("{do} {a} (?:ever )?{speak}{something}",), "speaks", "exists"),
    Row("longest_bout", ("{longest} {a} {speak}", "{longest} {do} {a} {speak}"), "speaks"),
    Row("mean_bout", ("{mean_length} {do} {a} {speak}", "{mean_length} {a} {speak}"), "speaks"),
    Row("first_onset", ("{moment} {do} {a} first {speak}{something}",), "speaks"),
    Row("last_offset", ("{moment} {do} {a} last {speak}{something}",), "speaks"),
    Row("bout_count", ("{times} {do} {a} {look} at {b}", "{times} {a} {look} at {b}"), "looks_at"),
    Row("bout_count", ("{ganger} {se} {a} på {b}",), "looks_at"),
    Row("bout_count", ("{do} {a} (?:ever )?{look} at {b}",), "looks_at", "exists"),
    Row("longest_bout", ("{longest} {a} {look} at {b}",), "looks_at"),
    Row("first_onset", ("{moment} {do} {a} first {look} at {b}",), "looks_at"),
    Row("bout_count", ("{times} {do} {a} name {b}", "{times} {a} named {b}"), "names"),
    Row("turn_count", ("{times} {do} {b} (?:answer|reply to|respond to) {a}",)),
    Row("turn_lag", ("how (?:fast|quickly|long after) {do} {b} (?:answer|reply to|respond to) {a}",)),
)

FORMS = compile_rows(ROWS, MACROS)
