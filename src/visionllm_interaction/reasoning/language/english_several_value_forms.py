"""English question forms about several values: who, which, yes or no, more, shares, rates, order."""

from __future__ import annotations

from visionllm_interaction.reasoning.language.english_single_value_forms import MACROS as WORDS
from visionllm_interaction.reasoning.language.patterns import Row, compile_rows

MACROS = {
    **WORDS,
    "thing": "(?:of the )?(?:toys?|things?|objects?|items?)",
    "which": "which|what",
    "ever": "(?: ever| at any time| at some point| at all)",
    "longest_of": "(?:for )?(?:the )?(?:longest|most)(?: time)?|(?:for )?longer|more",
    "shortest_of": "(?:for )?(?:the )?(?:shortest|least)(?: time)?|less|(?:for )?shorter",
    "share": "(?:for )?(?:what|which) (?:share|part|proportion|percentage|per cent|percent|fraction) of (?:the|its) "
    "(?:time|video|videos|recording)|what percentage|how much of the (?:video|recording|time)",
    "rate": "how (?:many times|often) (?:per|a|each|every) minute",
    "first_of": "first|earlier|earliest",
    "last_of": "last|later|latest",
}

_WHO_VISIBLE = (
    "(?:who|{which}(?: one)?) {be} {seen} (?:{longest_of}) {a} or {b}",
    "(?:who|{which}(?: one)?) {be} (?:{longest_of}) {seen} {a} or {b}",
    "(?:who|{which}(?: one)?) {show}(?:ed|s)? (?:{longest_of}) {a} or {b}",
)

ROWS = (
    # who or which of two
    Row("visible_duration", _WHO_VISIBLE, combine="largest"),
    Row(
        "holding_duration",
        (
            "who {hold} {c} (?:{longest_of}) {a} or {b}",
            "who {be} {holding} {c} (?:{longest_of}) {a} or {b}",
            "(?:is|was) {c} {held} (?:{longest_of}) by {a} or (?:by )?{b}",
        ),
        combine="largest",
    ),
    Row(
        "holding_duration",
        ("(?:which|what) {do} {c} {hold} (?:{longest_of}) {a} or {b}",),
        combine="largest",
        slot="object",
    ),
    Row("near_duration", ("who {be} {near} {c} (?:{longest_of}) {a} or {b}",), combine="largest"),
    Row(
        "near_duration",
        (
            "(?:who|which|what) {be} {c} {near} (?:{longest_of}) {a} or {b}",
            "{be} {c} {near} {a} or {b} (?:{longest_of})",
        ),
        combine="largest",
        slot="object",
    ),
    Row("contact_duration", ("who {touch} {c} (?:{longest_of}) {a} or {b}",), combine="largest"),
    Row(
        "bout_count",
        ("who {hold} {c} (?:more often|most often|more times) {a} or {b}",),
        "holding",
        combine="largest",
    ),
    Row(
        "first_onset",
        ("who {hold} {c} {first_of} {a} or {b}", "who (?:picked up|took|grabbed) {c} {first_of} {a} or {b}"),
        "holding",
        "smallest",
    ),
    Row(
        "last_offset", ("who {hold} {c} {last_of} {a} or {b}", "who had {c} {last_of} {a} or {b}"), "holding", "largest"
    ),
    Row("last_offset", ("who (?:let go of|released|put down) {c} {first_of} {a} or {b}",), "holding", "smallest"),
    Row(
        "last_seen",
        (
            "(?:who|which|what) (?:left|disappeared|{be} (?:last )?{seen}) {last_of} {a} or {b}",
            "(?:who|which|what) {be} last {seen} {a} or {b}",
        ),
        combine="largest",
    ),
    Row("last_seen", ("(?:who|which|what) (?:left|disappeared|vanished) {first_of} {a} or {b}",), combine="smallest"),
    Row(
        "first_seen",
        (
            "(?:who|which|what)(?: one)? {be} {first_of} {seen} {a} or {b}",
            "(?:who|which|what) came into (?:view|the room) {first_of} {a} or {b}",
        ),
        combine="smallest",
    ),
    Row(
        "instance_count",
        ("which {be} there more of {a} or {b}", "what {be} there more of {a} or {b}"),
        combine="largest",
    ),
    # who or which of all
    Row(
        "visible_duration",
        ("{which} {thing} {be} {seen} (?:{longest_of})", "{which} {thing} {be} (?:{longest_of}) {seen}"),
        combine="largest",
        over="objects",
    ),
    Row("visible_duration", ("who {be} {seen} (?:{longest_of})",), combine="largest", over="people"),
    Row("visible_duration", ("{which} {thing} {be} {seen} (?:{shortest_of})",), combine="smallest", over="objects"),
    Row(
        "holding_duration",
        ("{which} {thing} {do} {a} {hold} (?:{longest_of})", "{which} {thing} {be} {held} (?:{longest_of}) by {a}"),
        combine="largest",
        slot="object",
        over="objects",
    ),
    Row("holding_duration", ("who {hold} {b} (?:{longest_of})",), combine="largest", over="people"),
    Row(
        "near_duration",
        ("{which} {thing} {be} {a} {near} (?:{longest_of})",),
        combine="largest",
        slot="object",
        over="objects",
    ),
    Row(
        "first_seen",
        ("{which} {thing} {be} {seen} {first_of}", "{which} {thing} {be} {first_of} {seen}"),
        combine="smallest",
        over="objects",
    ),
    Row(
        "first_onset",
        ("who {hold} {b} {first_of}", "who (?:picked up|took|grabbed) {b} {first_of}"),
        "holding",
        "smallest",
        over="people",
    ),
    Row(
        "last_offset",
        ("who (?:let go of|released) {b} {last_of}", "who {hold} {b} {last_of}"),
        "holding",
        "largest",
        over="people",
    ),
    Row(
        "last_offset",
        ("who (?:let go of|let go|released|put down) {b} {first_of}",),
        "holding",
        "smallest",
        over="people",
    ),
    Row(
        "bout_count",
        (
            "{which} {thing} {do} {a} {hold} (?:most|the most) (?:often|times)",
            "{which} {thing} {do} {a} {hold} most often",
        ),
        "holding",
        "largest",
        "object",
        "objects",
    ),
    # lists
    Row(
        "bout_count",
        ("{which} {thing} {do} {a} {hold}{ever}?", "{which} {thing} {be} {held} by {a}"),
        "holding",
        "which",
        "object",
        "objects",
    ),
    Row(
        "bout_count",
        ("{which} {thing} {do} {a} {touch}{ever}?", "{which} {thing} {be} {a} {touching}"),
        "in_contact",
        "which",
        "object",
        "objects",
    ),
    Row(
        "bout_count",
        ("{which} {thing} {be} {a} {near}{ever}?", "{which} {thing} {do} {a} (?:come|get|go) {near}"),
        "near",
        "which",
        "object",
        "objects",
    ),
    Row("bout_count", ("who{ever}? (?:{hold}|{be} {holding}) {b}{ever}?",), "holding", "which", over="people"),
    Row("bout_count", ("who{ever}? (?:{touch}|{be} {touching}) {b}{ever}?",), "in_contact", "which", over="people"),
    Row(
        "visible_duration",
        ("{which} {thing} {be} (?:there|{seen}){ever}?", "{which} {thing} {can} {who} see"),
        combine="which",
        over="objects",
    ),
    Row("visible_duration", ("who {be} (?:there|{seen}){ever}?",), combine="which", over="people"),
    # order
    Row(
        "first_seen",
        (
            "in (?:which|what) order {be} (?:the )?{thing} (?:first )?{seen}",
            "in (?:which|what) order {do} (?:the )?{thing} (?:first )?{show}",
        ),
        combine="order",
        over="objects",
    ),
    Row(
        "first_onset",
        ("in (?:which|what) order {do} {a} (?:first )?(?:{hold}|pick up|take) (?:the )?{thing}",),
        "holding",
        "order",
        "object",
        "objects",
    ),
    Row(
        "first_seen",
        (
            "{be} {a} (?:first )?{seen} (?:before|earlier than) {b}(?: {be})?",
            "{do} {a} (?:first )?(?:{show}|come in|enter|arrive) (?:before|earlier than) {b}(?: {do})?",
        ),
        combine="precedes",
    ),
    Row(
        "first_onset",
        ("{do} {c} (?:first )?(?:{hold}|pick up|take) {a} (?:before|earlier than) {b}",),
        "holding",
        "precedes",
        "object",
    ),
    Row(
        "first_onset",
        ("{do} {a} (?:first )?(?:{hold}|pick up|take) {c} (?:before|earlier than) {b}(?: {do})?",),
        "holding",
        "precedes",
    ),
    # differences
    Row(
        "visible_duration",
        (
            "how much (?:longer|more time) {be} {a} {seen} (?:than|compared to) {b}(?: {be})?",
            "by how (?:much|many seconds) {be} {a} {seen} longer than {b}",
        ),
        combine="difference",
    ),
    Row("holding_duration", ("how much longer {do} {a} {hold} {c} than {b}(?: {do})?",), combine="difference"),
    Row("holding_duration", ("how much longer {do} {c} {hold} {a} than {b}",), combine="difference", slot="object"),
    Row(
        "near_duration",
        ("how much longer {be} {c} {near} {a} than (?:{near} )?{b}",),
        combine="difference",
        slot="object",
    ),
    Row(
        "instance_count",
        ("how many more {a} {be} there than {b}", "how many more {a} than {b} {be} there"),
        combine="difference",
    ),
    Row(
        "first_seen",
        (
            "how (?:long|much time) after {b} {do} {a} (?:first )?(?:{show}|come in|enter|arrive)",
            "how (?:long|much time) after {b} {be} {a} first {seen}",
        ),
        combine="difference",
    ),
    # shares and rates
    Row(
        "visible_duration",
        ("{share} {be} {a} {seen}", "{share} {do} {a} {show}", "{share} {can} {who} see {a}"),
        combine="share",
        against="processed",
    ),
    Row(
        "co_presence_duration",
        (
            "{share} {be} {a} and {b} (?:both )?(?:{seen} )?{together}(?: {seen})?",
            "{share} {be} (?:both )?{a} and {b} both {seen}",
        ),
        combine="share",
        against="processed",
    ),
    Row(
        "near_duration",
        ("{share} {be} {a} {near} {b}", "{share} {be} {a} and {b} (?:{near_pair} {other}|{close})"),
        combine="share",
        against="processed",
    ),
    Row(
        "contact_duration",
        ("{share} {be} {a} {touching} {b}", "{share} {do} {a} {touch} {b}"),
        combine="share",
        against="processed",
    ),
    Row(
        "holding_duration",
        ("{share} {be} {a} {holding} {b}", "{share} {do} {a} {hold} {b}"),
        combine="share",
        against="processed",
    ),
    Row(
        "bout_count",
        ("{rate} {do} {a} {hold} {b}", "{rate} {be} {a} {holding} {b}"),
        "holding",
        "rate",
        against="processed",
    ),
    Row("bout_count", ("{rate} {do} {a} {touch} {b}",), "in_contact", "rate", against="processed"),
    Row(
        "bout_count",
        ("{rate} {do} {a} (?:come|get) {near} {b}", "{rate} {be} {a} {near} {b}"),
        "near",
        "rate",
        against="processed",
    ),
    Row("bout_count", ("{rate} {be} {a} {seen}", "{rate} {do} {a} {show}"), "visible", "rate", against="processed"),
    # over videos
    Row(
        "visible_duration",
        (
            "in how many (?:videos|recordings|clips) {be} {a} {seen}",
            "how many (?:videos|recordings|clips) (?:show|contain) {a}",
            "in how many (?:videos|recordings|clips) {do} {a} {show}",
        ),
        combine="videos",
    ),
    Row("bout_count", ("in how many (?:videos|recordings|clips) {do} {a} {hold} {b}",), "holding", "videos"),
    Row("bout_count", ("in how many (?:videos|recordings|clips) {do} {a} {touch} {b}",), "in_contact", "videos"),
    Row(
        "visible_duration",
        ("{long} {be} {a} {seen} (?:per (?:video|recording|clip)(?: on average)?|on average(?: per video)?)",),
        combine="mean",
    ),
    Row(
        "near_duration",
        ("{long} {be} {a} {near} {b} (?:per (?:video|recording|clip)(?: on average)?|on average(?: per video)?)",),
        combine="mean",
    ),
    Row(
        "holding_duration",
        ("{long} {do} {a} {hold} {b} (?:per (?:video|recording|clip)(?: on average)?|on average(?: per video)?)",),
        combine="mean",
    ),
    # more than
    Row("visible_duration", ("{be} {a} {seen} (?:for )?(?:more|longer) than {n}",), combine="exceeds"),
    Row("holding_duration", ("{do} {a} {hold} {b} (?:for )?(?:more|longer) than {n}",), combine="exceeds"),
    Row("near_duration", ("{be} {a} {near} {b} (?:for )?(?:more|longer) than {n}",), combine="exceeds"),
    Row("contact_duration", ("{do} {a} {touch} {b} (?:for )?(?:more|longer) than {n}",), combine="exceeds"),
    Row("bout_count", ("{do} {a} {hold} {b} more than {n} times",), "holding", "exceeds"),
    Row("instance_count", ("(?:are|were) there more than {n} {a}",), combine="exceeds"),
    # yes or no
    Row(
        "bout_count",
        (
            "{do} {a}{ever}? {hold} {b}{ever}?",
            "{be} {a}{ever}? {holding} {b}{ever}?",
            "{be} {b}{ever}? {held} by {a}{ever}?",
            "{do} {a}{ever}? (?:pick up|take|grab) {b}{ever}?",
        ),
        "holding",
        "exists",
    ),
    Row(
        "bout_count",
        (
            "{do} {a}{ever}? {touch} {b}{ever}?",
            "{be} {a}{ever}? {touching} {b}{ever}?",
            "{do} {a} and {b}{ever}? {touch}(?: {other})?{ever}?",
        ),
        "in_contact",
        "exists",
    ),
    Row(
        "bout_count",
        (
            "{be} {a}{ever}? {near} {b}{ever}?",
            "{be} {a} and {b}{ever}? (?:{near_pair} {other}|{close}){ever}?",
            "{do} {a}{ever}? (?:come|get|go) {near} {b}{ever}?",
        ),
        "near",
        "exists",
    ),
    Row(
        "bout_count",
        ("{be} {a} and {b}{ever}? (?:both )?(?:{seen} )?{together}(?: {seen})?{ever}?",),
        "visible",
        "exists",
    ),
    Row(
        "visible_duration",
        (
            "{be} {a}{ever}? {seen}{ever}?",
            "{do} {a}{ever}? {show}{ever}?",
            "{can} {who} see {a}{ever}?",
            "{be} there {a}",
        ),
        combine="exists",
    ),
    Row(
        "looked_duration",
        (
            "how long (?:is|was|are|were) (?:the )?(?:videos?|recordings?|clips?)(?: in (?:total|all))?",
            "how many (?:seconds|minutes) of video (?:are|were) (?:there|looked at|analysed)",
        ),
    ),
)

FORMS = compile_rows(ROWS, MACROS)
