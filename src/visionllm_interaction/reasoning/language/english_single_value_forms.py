"""English question forms about single values."""

from __future__ import annotations

from visionllm_interaction.reasoning.language.patterns import Row, compile_rows

MACROS = {
    "be": "is|are|was|were|has been|have been|had been",
    "do": "do|does|did",
    "can": "can|could|do|did",
    "who": "we|you|i|one",
    "seen": "visible|seen|in view|in sight|in shot|in (?:the )?frame|in (?:the )?picture|in (?:the )?shot|on screen"
    "|on camera|shown|present|detected|in the (?:room|video|recording|clip)|there",
    "show": "appear|show up|turn up|occur|stay in (?:view|sight|shot|the (?:room|picture|frame))",
    "total": "total |overall |combined |whole ",
    "in_all": "(?: in total| in all| altogether| overall)",
    "long": "(?:for )?how long|(?:for )?how much time|(?:for )?how many (?:seconds|minutes)"
    "|(?:what (?:is|was) )?(?:the )?{total}?(?:time|duration|number of seconds)"
    "(?: (?:that|when|during which|for which))?",
    "times": "how many times|how often|on how many occasions|(?:what (?:is|was) )?(?:the )?number of times(?: that)?",
    "longest": "(?:what (?:is|was) |how long (?:is|was) )?the (?:longest|maximum|max)"
    "(?: single| unbroken| continuous)? "
    "(?:time|period|stretch|bout|spell|episode|interval|duration|stretch of time|period of time)"
    "(?: (?:that|when|during which|for which|in which|where))?",
    "moment": "when|at what time|at which time|at what moment|at what point|at which point|at what second",
    "together": "together|at the same time|simultaneously|at once",
    "other": "each other|one another",
    "near": "near|near to|close to|nearby|next to|beside|in the vicinity of|by",
    "near_pair": "near|close to|next to|beside|in the vicinity of",
    "close": "close together|near together|close by",
    "touching": "in contact with|in touch with|touching|in physical contact with",
    "touch": "touch|touches|touched",
    "holding": "holding|gripping|grasping|carrying|clutching|in possession of",
    "hold": "hold|holds|held|grip|grips|gripped|grasp|grasps|grasped|carry|carries|carried|clutch|clutches|clutched",
    "held": "held|gripped|grasped|carried|clutched",
    "contact": "in contact|in touch|touching",
    "absent": "away|absent|gone|missing|out of (?:view|sight|shot|frame|the (?:picture|frame|room|shot))"
    "|off (?:screen|camera)|hidden|invisible",
    "mean_length": "(?:what (?:is|was) )?(?:the )?(?:average|mean|typical) (?:length|duration|time)"
    "|(?:for )?how long on average",
}

_VISIBLE = (
    "{long} {be} {a} {seen}{in_all}?",
    "{long} {a} {be} {seen}{in_all}?",
    "{long} {do} {a} {show}{in_all}?",
    "{long} {a} {show}(?:s|ed)?{in_all}?",
    "{long} {can} {a} be {seen}{in_all}?",
    "{long} {a} {can} be {seen}{in_all}?",
    "{long} {can} {who} see {a}{in_all}?",
    "{long} {who} {can}? ?see {a}{in_all}?",
    "(?:what (?:is|was) )?(?:the )?{total}?(?:visible|visibility|screen) (?:time|duration) (?:of|for) {a}",
    "{long} (?:of|for) {a} being {seen}",
)
_COUNT = (
    "how many {a} {be} (?:there|{seen})",
    "how many {a} (?:are|were) (?:there )?in (?:it|all|total)",
    "how many {a} (?:{do} )?{show}",
    "how many {a} {can} {who} see",
    "how many {a} {can} be {seen}",
    "how many {a} (?:are|were) there {seen}",
    "(?:what (?:is|was) )?the number of {a}",
    "(?:what (?:is|was) )?(?:the )?number of {a} {seen}",
    "count (?:all |up )?{a}",
    "how many {a}",
)
_FIRST = (
    "{moment} {be} {a} first {seen}",
    "{moment} {be} {a} {seen} (?:first|for the first time)",
    "{moment} {a} {be} first {seen}",
    "{moment} {do} {a} (?:first |initially )?(?:appear|show up|turn up)"
    "(?: in the (?:room|picture|video))?(?: first| for the first time)?",
    "{moment} {do} {who} first see {a}",
    "{moment} {do} {who} see {a} (?:first|for the first time)",
    "{moment} (?:is|was) the first (?:time|moment)(?: that)? {a} {be} {seen}",
    "{moment} (?:is|was) the first (?:appearance|sighting|sight) of {a}",
    "what (?:is|was) the first (?:time|moment)(?: that)? {a} {be} {seen}",
    "what (?:is|was) the time of the first (?:appearance|sighting) of {a}",
)
_LAST = (
    "{moment} {be} {a} last {seen}",
    "{moment} {be} {a} {seen} (?:last|for the last time)",
    "{moment} {a} {be} last {seen}",
    "{moment} {do} {a} (?:last appear|appear last|appear for the last time)",
    "{moment} {do} {who} last see {a}",
    "{moment} {do} {who} see {a} (?:last|for the last time)",
    "{moment} (?:is|was) the last (?:time|moment)(?: that)? {a} {be} {seen}",
    "{moment} (?:is|was) the last (?:appearance|sighting|sight) of {a}",
    "what (?:is|was) the last (?:time|moment)(?: that)? {a} {be} {seen}",
)
_TOGETHER = (
    "{long} {be} {a} and {b} (?:both )?{seen} {together}",
    "{long} {be} {a} and {b} {together}(?: {seen})?",
    "{long} {be} (?:both )?{a} and {b} both {seen}(?: {together})?",
    "{long} {be} both {a} and {b} {seen}(?: {together})?",
    "{long} {a} and {b} {be} (?:both )?{seen} {together}",
    "{long} {a} and {b} {be} {together}(?: {seen})?",
    "{long} {do} {a} and {b} {show} {together}",
    "{long} {a} and {b} {show}(?:ed)? {together}",
    "{long} {can} {who} see {a} and {b} {together}",
    "{long} {be} {a} {seen} (?:together|at the same time|simultaneously) (?:with|as) {b}",
    "{long} {be} {a} together with {b}",
    "(?:what (?:is|was) )?(?:the )?co-?presence(?: time| duration)? of {a} and {b}",
)
_NEAR = (
    "{long} {be} {a} and {b} (?:{near_pair} {other}|{close})",
    "{long} {a} and {b} {be} (?:{near_pair} {other}|{close})",
    "{long} {do} {a} and {b} (?:stay|remain|spend) (?:{near_pair} {other}|{close})",
    "{long} {be} {a} {near} {b}",
    "{long} {a} {be} {near} {b}",
    "{long} {do} {a} (?:stay|remain|spend|sit|stand|play) {near} {b}",
    "{long} {a} (?:stays|stayed|remained|spent|spends) {near} {b}",
    "(?:what (?:is|was) )?(?:the )?{total}?(?:near|proximity) (?:time|duration) (?:of|between) {a} and {b}",
)
_CONTACT = (
    "{long} {be} {a} and {b} (?:{contact}|{contact} with {other}|touching {other})",
    "{long} {a} and {b} {be} (?:{contact}|{contact} with {other}|touching {other})",
    "{long} {do} {a} and {b} {touch}(?: {other})?",
    "{long} {be} {a} {touching} {b}",
    "{long} {a} {be} {touching} {b}",
    "{long} {do} {a} {touch} {b}",
    "{long} {a} {touch} {b}",
    "(?:what (?:is|was) )?(?:the )?{total}?contact (?:time|duration) (?:of|between) {a} and {b}",
)
_HOLDING = (
    "{long} {do} {a} {hold} {b}{in_all}?",
    "{long} {be} {a} {holding} {b}",
    "{long} {a} {be} {holding} {b}",
    "{long} {a} {hold} {b}",
    "{long} {be} {b} {held} by {a}",
    "{long} {be} {b} in {a}(?:'s|') hands?",
    "(?:what (?:is|was) )?(?:the )?{total}?(?:holding|carrying) (?:time|duration) of {a} (?:for|with|and) {b}",
)
_ABSENT = (
    "{long} {be} {a} (?:not {seen}|{absent})",
    "{long} {a} {be} (?:not {seen}|{absent})",
)
_ONSET_HOLD = (
    "{moment} {do} {a} (?:first )?(?:pick up|pick|take|grab|start holding|begin to hold|get hold of) {b}"
    "(?: up)?(?: first| for the first time)?",
    "{moment} {do} {a} first {hold} {b}",
    "{moment} {do} {a} {hold} {b} (?:first|for the first time)",
    "{moment} (?:is|was) the first time(?: that)? {a} (?:{hold}|{be} {holding}) {b}",
)
_OFFSET_HOLD = (
    "{moment} {do} {a} (?:last |finally )?(?:let go of|put down|release|drop|stop holding) {b}"
    "(?: for the last time| for good)?",
    "{moment} {do} {a} (?:last )?put {b} down(?: for the last time| for good)?",
    "{moment} {do} {a} last {hold} {b}",
    "{moment} {do} {a} {hold} {b} (?:last|for the last time)",
)
_ONSET_NEAR = (
    "{moment} {do} {a} first (?:come|get|go) (?:{near}) {b}",
    "{moment} {do} {a} (?:come|get|go) (?:{near}) {b} (?:first|for the first time)",
    "{moment} {be} {a} first (?:{near}) {b}",
    "{moment} {do} {a} first approach {b}",
)
_ONSET_TOUCH = (
    "{moment} {do} {a} first {touch} {b}",
    "{moment} {do} {a} {touch} {b} (?:first|for the first time)",
    "{moment} {be} {a} first (?:{touching}) {b}",
)


def _bout_texts(opening: str, active: str, state: str, *, pair: str) -> tuple[str, ...]:
    """Forms "<opening> did A hold B", "<opening> was A holding B", "<opening> A and B were near each other"."""
    spoken = (
        f"{opening} {{do}} {{a}} (?:{active}) {{b}}" if active else "",
        f"{opening} {{a}} (?:{active}) {{b}}" if active else "",
        f"{opening} {{be}} {{a}} (?:{state}) {{b}}",
        f"{opening} {{a}} {{be}} (?:{state}) {{b}}",
        f"{opening} {{be}} {{a}} and {{b}} (?:{pair})" if pair else "",
        f"{opening} {{a}} and {{b}} {{be}} (?:{pair})" if pair else "",
    )
    return tuple(text for text in spoken if text)


_NEAR_PAIR = "{near_pair} {other}|{close}"
_TOUCH_PAIR = "{contact}|{contact} with {other}|touching {other}"
_COME_NEAR = "(?:come|came|get|got|go|went|stay|stayed|be) (?:{near})"

ROWS = (
    Row("longest_bout", _bout_texts("{longest}", "{hold}", "{holding}", pair=""), "holding"),
    Row("longest_bout", ("{longest} (?:of|for) {a} {holding} {b}", "{longest} {b} {be} {held} by {a}"), "holding"),
    Row("longest_bout", _bout_texts("{longest}", "{touch}", "{touching}", pair=_TOUCH_PAIR), "in_contact"),
    Row("longest_bout", ("{longest} (?:of|for) {a} {touching} {b}",), "in_contact"),
    Row("longest_bout", ("{longest} of contact between {a} and {b}",), "in_contact"),
    Row("longest_bout", _bout_texts("{longest}", _COME_NEAR, "{near}", pair=_NEAR_PAIR), "near"),
    Row("longest_bout", ("{longest} (?:of|for) {a} (?:being )?{near} {b}",), "near"),
    Row(
        "longest_bout",
        (
            "{longest} {a} and {b} {be} (?:both )?(?:{seen} )?{together}(?: {seen})?",
            "{longest} {be} {a} and {b} (?:both )?(?:{seen} )?{together}(?: {seen})?",
        ),
        "visible",
    ),
    Row("longest_bout", ("{longest} {a} {be} {seen}", "{longest} {be} {a} {seen}"), "visible"),
    Row("longest_bout", ("{longest} of {a} being {seen}", "{longest} (?:of visibility )?(?:of|for) {a}"), "visible"),
    Row("bout_count", _bout_texts("{times}", "{hold}", "{holding}", pair=""), "holding"),
    Row("bout_count", ("{times} {be} {b} {held} by {a}", "{times} {b} {be} {held} by {a}"), "holding"),
    Row("bout_count", _bout_texts("{times}", "{touch}", "{touching}", pair=_TOUCH_PAIR), "in_contact"),
    Row("bout_count", ("{times} {do} {a} and {b} {touch}(?: {other})?",), "in_contact"),
    Row("bout_count", _bout_texts("{times}", _COME_NEAR, "{near}", pair=_NEAR_PAIR), "near"),
    Row("bout_count", ("{times} {do} {a} and {b} (?:come|get) (?:{near_pair} {other}|{close})",), "near"),
    Row("bout_count", ("{times} {be} {a} and {b} (?:both )?(?:{seen} )?{together}(?: {seen})?",), "visible"),
    Row("bout_count", ("{times} {do} {a} and {b} {show} {together}",), "visible"),
    Row("bout_count", ("{times} {be} {a} {seen}", "{times} {do} {a} {show}", "{times} {a} {be} {seen}"), "visible"),
    Row("bout_count", ("{times} {a} (?:{show})(?:s|ed)?", "{times} {can} {who} see {a}"), "visible"),
    Row("mean_bout", _bout_texts("{mean_length}", "{hold}", "{holding}", pair=""), "holding"),
    Row("mean_bout", ("{mean_length} (?:of|for) {a} {holding} {b}",), "holding"),
    Row("mean_bout", _bout_texts("{mean_length}", "{touch}", "{touching}", pair=_TOUCH_PAIR), "in_contact"),
    Row("mean_bout", _bout_texts("{mean_length}", "", "{near}", pair=_NEAR_PAIR), "near"),
    Row("first_onset", _ONSET_HOLD, "holding"),
    Row("last_offset", _OFFSET_HOLD, "holding"),
    Row("first_onset", _ONSET_TOUCH, "in_contact"),
    Row("first_onset", _ONSET_NEAR, "near"),
    Row("first_seen", _FIRST),
    Row("last_seen", _LAST),
    Row("co_presence_duration", _TOGETHER),
    Row("near_duration", _NEAR),
    Row("contact_duration", _CONTACT),
    Row("holding_duration", _HOLDING),
    Row("absent_duration", _ABSENT),
    Row(
        "visible_duration",
        (
            "(?:who|which|what) (?:is|was) {seen} (?:for )?(?:longer|longest|the longest|more)(?: time)? {a} or {b}",
            "(?:is|are|was|were) {a} or {b} {seen} (?:for )?longer",
            "(?:is|are|was|were) {a} {seen} (?:for )?longer than {b}",
        ),
        combine="largest",
    ),
    Row(
        "visible_duration",
        ("(?:who|which|what) (?:is|was) {seen} (?:for )?(?:shorter|the shortest|shortest|less)(?: time)? {a} or {b}",),
        combine="smallest",
    ),
    Row(
        "first_seen",
        (
            "(?:who|which|what) (?:is|was) {seen} (?:first|earlier) {a} or {b}",
            "(?:who|which|what) (?:came in|appeared|showed up|arrived|entered) (?:first|earlier) {a} or {b}",
        ),
        combine="smallest",
    ),
    Row("instance_count", ("(?:are|were) there more {a} (?:than|or) {b}",), combine="largest"),
    Row("visible_duration", ("{long} {be} {a} and {b} {seen}{in_all}?",), combine="each"),
    Row("visible_duration", _VISIBLE),
    Row("instance_count", ("how many {a} and (?:how many )?{b} {be} (?:there|{seen})",), combine="each"),
    Row("instance_count", _COUNT),
)

FORMS = compile_rows(ROWS, MACROS)

_CODED_MACROS = {
    **MACROS,
    "speak": "speak|speaks|spoke|talk|talks|talked|say|says|said|vocali[sz]e|vocali[sz]es|vocali[sz]ed",
    "something": "(?: something| anything)?",
    "look": "look|looks|looked|gaze|gazes|gazed",
}
_CODED_ROWS = (
    Row("bout_count", ("{times} {do} {a} {speak}{something}", "{times} {a} {speak}{something}"), "speaks"),
    Row("bout_count", ("{do} {a} (?:ever )?{speak}{something}",), "speaks", "exists"),
    Row("longest_bout", ("{longest} {a} {speak}", "{longest} {do} {a} {speak}"), "speaks"),
    Row("mean_bout", ("{mean_length} {do} {a} {speak}", "{mean_length} {a} {speak}"), "speaks"),
    Row("first_onset", ("{moment} {do} {a} first {speak}{something}",), "speaks"),
    Row("last_offset", ("{moment} {do} {a} last {speak}{something}",), "speaks"),
    Row("bout_count", ("{times} {do} {a} {look} at {b}", "{times} {a} {look} at {b}"), "looks_at"),
    Row("bout_count", ("{do} {a} (?:ever )?{look} at {b}",), "looks_at", "exists"),
    Row("longest_bout", ("{longest} {a} {look} at {b}",), "looks_at"),
    Row("first_onset", ("{moment} {do} {a} first {look} at {b}",), "looks_at"),
    Row("bout_count", ("{times} {do} {a} name {b}", "{times} {a} named {b}"), "names"),
    Row("turn_count", ("{times} {do} {b} (?:answer|reply to|respond to) {a}",)),
    Row("turn_lag", ("how (?:fast|quickly|long after) {do} {b} (?:answer|reply to|respond to) {a}",)),
)
CODED_FORMS = compile_rows(_CODED_ROWS, _CODED_MACROS)
"""Forms about speech, gaze and naming, read only where such codes were imported (``Vocabulary.coded``)."""
