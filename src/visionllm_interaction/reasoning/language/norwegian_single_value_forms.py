"""Norwegian (Bokmål) question forms about single values."""

from __future__ import annotations

from visionllm_interaction.reasoning.language.patterns import Row, compile_rows

MACROS = {
    "be": "er|var|har vært",
    "seen": "synlig|synlige|å se|i bildet|i bilde|til stede|i rommet",
    "seen_past": "sett|synlig|observert",
    "long": "hvor lenge|hvor lang tid|hvor mange sekunder",
    "times": "hvor mange ganger|hvor ofte",
    "longest": "(?:hva (?:er|var) )?(?:den |det )?lengste (?:tiden|perioden|stunden|tidsrommet)(?: (?:som|der|hvor))?",
    "moment": "når|på hvilket tidspunkt",
    "together": "samtidig|sammen|på samme tid",
    "near": "nær|i nærheten av|ved siden av|nære",
    "other": "hverandre",
    "touching": "i kontakt med",
    "touch": "rørte|rører|berørte|berører",
    "hold": "holdt|holder|bar|bærer",
    "by": "i|på",
}

ROWS = (
    Row("longest_bout", ("{longest} {a} {hold}(?: {by})? {b}",), "holding"),
    Row("longest_bout", ("{longest} {a} {be} {touching} {b}", "{longest} {a} {touch} {b}"), "in_contact"),
    Row("longest_bout", ("{longest} {a} {be} {near} {b}", "{longest} {a} og {b} {be} {near} {other}"), "near"),
    Row("longest_bout", ("{longest} {a} {be} {seen}",), "visible"),
    Row("bout_count", ("{times} {hold} {a}(?: {by})? {b}", "{times} {a} {hold}(?: {by})? {b}"), "holding"),
    Row("bout_count", ("{times} {be} {a} {touching} {b}", "{times} {touch} {a} {b}"), "in_contact"),
    Row("bout_count", ("{times} {be} {a} {near} {b}", "{times} {be} {a} og {b} {near} {other}"), "near"),
    Row("bout_count", ("{times} {be} {a} {seen}", "{times} (?:vises|dukker|dukket) {a}(?: opp)?"), "visible"),
    Row("first_onset", ("{moment} {hold} {a}(?: {by})? {b} (?:først|for første gang|første gang)",), "holding"),
    Row(
        "first_onset", ("{moment} (?:plukket|tok) {a} (?:først )?opp {b}(?: for første gang| første gang)?",), "holding"
    ),
    Row("last_offset", ("{moment} slapp {a} {b}(?: for siste gang)?", "{moment} la {a} fra seg {b}"), "holding"),
    Row("last_offset", ("{moment} {hold} {a}(?: {by})? {b} (?:sist|for siste gang|siste gang)",), "holding"),
    Row("first_seen", ("{moment} (?:ble|er|var) {a} (?:{seen_past} )?(?:for )?første gang(?: {seen_past})?",)),
    Row("first_seen", ("{moment} (?:ble|er|var) {a} først {seen_past}",)),
    Row("last_seen", ("{moment} (?:ble|er|var) {a} (?:{seen_past} )?(?:for )?siste gang(?: {seen_past})?",)),
    Row("last_seen", ("{moment} (?:ble|er|var) {a} sist {seen_past}",)),
    Row("co_presence_duration", ("{long} {be} {a} og {b} (?:{seen} )?{together}(?: {seen})?",)),
    Row(
        "co_presence_duration", ("{long} {be} (?:både )?{a} og {b} begge {seen}", "{long} {be} både {a} og {b} {seen}")
    ),
    Row("near_duration", ("{long} {be} {a} og {b} {near} {other}", "{long} {be} {a} {near} {b}")),
    Row("contact_duration", ("{long} {be} {a} og {b} i kontakt(?: med {other})?", "{long} {be} {a} {touching} {b}")),
    Row("contact_duration", ("{long} {touch} {a} {b}",)),
    Row("holding_duration", ("{long} {hold} {a}(?: {by})? {b}",)),
    Row("absent_duration", ("{long} {be} {a} (?:ikke {seen}|borte|ute av (?:syne|bildet))",)),
    Row("visible_duration", ("{long} {be} {a} og {b} {seen}",), combine="each"),
    Row("visible_duration", ("{long} {be} {a} {seen}", "{long} (?:vises|sees) {a}", "{long} kan (?:vi|man) se {a}")),
    Row("instance_count", ("hvor mange {a} (?:er|var|finnes|fins)(?: det)?(?: (?:der|{seen}))?", "hvor mange {a}")),
)

FORMS = compile_rows(ROWS, MACROS)

_CODED_MACROS = {
    **MACROS,
    "ganger": "hvor mange ganger|hvor ofte",
    "snakke": "snakket|snakker|sa|sier",
    "se": "så|ser|kikket|kikker",
}
_CODED_ROWS = (
    Row("bout_count", ("{ganger} {snakke} {a}(?: noe)?",), "speaks"),
    Row("bout_count", ("{ganger} {se} {a} på {b}",), "looks_at"),
)
CODED_FORMS = compile_rows(_CODED_ROWS, _CODED_MACROS)
"""Forms about speech and gaze, read only where such codes were imported (``Vocabulary.coded``)."""
