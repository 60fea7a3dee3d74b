"""Norwegian (Bokmål) question forms about several values."""

from __future__ import annotations

from visionllm_interaction.reasoning.language.norwegian_single_value_forms import MACROS as WORDS
from visionllm_interaction.reasoning.language.patterns import Row, compile_rows

MACROS = {
    **WORDS,
    "thing": "(?:leker|leke|lekene|ting|tingene|gjenstander|gjenstand)",
    "which": "hvilken|hvilket|hvilke",
    "longest_of": "lengst|lengre|mest",
    "first_of": "først",
    "share": "hvor stor (?:del|andel) av (?:tiden|videoen|opptaket)|hvor mange prosent av (?:tiden|videoen)",
    "rate": "hvor mange ganger (?:per|i) minutt(?:et)?",
}

ROWS = (
    Row(
        "visible_duration",
        (
            "(?:hvem|hva|{which}) {be} {longest_of} {seen} {a} eller {b}",
            "(?:hvem|hva|{which}) {be} {seen} {longest_of} {a} eller {b}",
        ),
        combine="largest",
    ),
    Row("holding_duration", ("hvem {hold}(?: {by})? {c} {longest_of} {a} eller {b}",), combine="largest"),
    Row(
        "first_seen",
        ("(?:hvem|hva|{which}) (?:kom (?:inn )?|ble sett |{be} {seen} ){first_of}(?: inn)? {a} eller {b}",),
        combine="smallest",
    ),
    Row(
        "visible_duration",
        ("{which} {thing} {be} {longest_of} {seen}", "{which} {thing} {be} {seen} {longest_of}"),
        combine="largest",
        over="objects",
    ),
    Row("visible_duration", ("hvem {be} {longest_of} {seen}",), combine="largest", over="people"),
    Row(
        "holding_duration",
        ("{which} {thing} {hold} {a}(?: {by})? {longest_of}",),
        combine="largest",
        slot="object",
        over="objects",
    ),
    Row("holding_duration", ("hvem {hold}(?: {by})? {b} {longest_of}",), combine="largest", over="people"),
    Row("bout_count", ("{which} {thing} {hold} {a}(?: {by})?",), "holding", "which", "object", "objects"),
    Row("bout_count", ("{which} {thing} {touch} {a}",), "in_contact", "which", "object", "objects"),
    Row("bout_count", ("hvem {hold}(?: {by})? {b}",), "holding", "which", over="people"),
    Row("bout_count", ("hvem {touch} {b}",), "in_contact", "which", over="people"),
    Row("visible_duration", ("{which} {thing} {be} {seen}",), combine="which", over="objects"),
    Row(
        "first_seen",
        (
            "i hvilken rekkefølge (?:ble|var) {thing} (?:først )?(?:{seen_past}|{seen})",
            "i hvilken rekkefølge dukket {thing} opp",
        ),
        combine="order",
        over="objects",
    ),
    Row("first_seen", ("(?:ble|var) {a} (?:{seen_past}|{seen}) før {b}", "kom {a} inn før {b}"), combine="precedes"),
    Row("visible_duration", ("hvor mye lenger {be} {a} {seen} enn {b}",), combine="difference"),
    Row("holding_duration", ("hvor mye lenger {hold} {a}(?: {by})? {c} enn {b}",), combine="difference"),
    Row("visible_duration", ("{share} {be} {a} {seen}",), combine="share", against="processed"),
    Row(
        "near_duration",
        ("{share} {be} {a} {near} {b}", "{share} {be} {a} og {b} {near} {other}"),
        combine="share",
        against="processed",
    ),
    Row("holding_duration", ("{share} {hold} {a}(?: {by})? {b}",), combine="share", against="processed"),
    Row("bout_count", ("{rate} {hold} {a}(?: {by})? {b}",), "holding", "rate", against="processed"),
    Row("visible_duration", ("i hvor mange (?:videoer|opptak) {be} {a} {seen}",), combine="videos"),
    Row("bout_count", ("i hvor mange (?:videoer|opptak) {hold} {a}(?: {by})? {b}",), "holding", "videos"),
    Row("visible_duration", ("{be} {a} {seen}(?: i)? (?:mer|lenger) enn {n}",), combine="exceeds"),
    Row("holding_duration", ("{hold} {a}(?: {by})? {b}(?: i)? (?:mer|lenger) enn {n}",), combine="exceeds"),
    Row(
        "bout_count",
        ("{hold} {a}(?: noen gang)?(?: {by})? {b}(?: noen gang)?", "(?:plukket|tok) {a} opp {b}"),
        "holding",
        "exists",
    ),
    Row(
        "bout_count",
        ("{be} {a}(?: noen gang)? {touching} {b}", "{touch} {a}(?: noen gang)? {b}"),
        "in_contact",
        "exists",
    ),
    Row(
        "bout_count",
        ("{be} {a}(?: noen gang)? {near} {b}", "{be} {a} og {b}(?: noen gang)? {near} {other}"),
        "near",
        "exists",
    ),
    Row("bout_count", ("{be} {a} og {b}(?: noen gang)? (?:{seen} )?{together}(?: {seen})?",), "visible", "exists"),
    Row("visible_duration", ("{be} {a}(?: noen gang)? {seen}", "(?:ble|er) {a} {seen_past}"), combine="exists"),
    Row("looked_duration", ("hvor lang(?:e)? (?:er|var) (?:videoen|videoene|opptaket|opptakene)(?: til sammen)?",)),
)

FORMS = compile_rows(ROWS, MACROS)
