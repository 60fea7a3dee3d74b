"""Questions that no measure can answer, recognised by their words, with the reason to give."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache

THRESHOLD = "a model may not ask for single moments and thresholds; give a time window, or ask whether it was more"

SPEECH = "sound and speech are not measured, and no speech was imported (visionllm import)"
GAZE = "gaze is not measured, and none was imported (visionllm import)"
NAMING = "naming is not measured, and none was imported (visionllm import)"
_IMPORTED: Mapping[str, tuple[str, str]] = {
    SPEECH: (
        "speech",
        "of speech the store knows who spoke when, as it was imported; ask for example: "
        "How many times did the child speak? How many times did the caregiver answer the child?",
    ),
    GAZE: (
        "gaze",
        "of gaze the store knows who looked at what, as it was imported; ask for example: "
        "How many times did the child look at the caregiver?",
    ),
}
"""What to say instead where codes of a kind were imported."""

_LIMITS: tuple[tuple[str, str], ...] = (
    (
        r"happy|happier|sad|sadder|angry|afraid|scared|upset|bored|excited|tired|feel|feels|felt|feeling|feelings|mood"
        r"|enjoy\w*|like[sd]? (?:the|it|to|being)|love[sd]?|smil\w+|cry|cries|crying|cried|laugh\w*"
        r"|frighten\w*|fear\w*|worr(?:y|ies|ied|ying)|nervous\w*|anxious\w*|stress\w*|relax\w*|calm\w*|proud|jealous"
        r"|surpris\w+|curious|interest(?:ed|ing)|annoy\w*|irritat\w*|frustrat\w*|disappoint\w*|satisf\w+|pleased"
        r"|delight\w*|joy\w*|fun|amus\w+|cheerful|lonely|shy|embarrass\w*|hat(?:e|es|ed)|emotion\w*|frown\w*|grin\w*"
        r"|wept|weep\w*|sob\w*|giggl\w*|chuckl\w*|pain|hungry|thirsty|sleepy|comfortable|lykkelig|sur|ler|lo"
        r"|glad|glade|trist|sint|sinna|redd|følte|føler|følel\w*|kjensl\w*|gråt|gråter|græt|gret|lei seg|lei av"
        r"|likte|liker|likar|elsk\w*"
        r"|smilte|humør\w*|trives|trivst|fornøyd|nøgd|sliten|trøtt|kjede\w*|nervøs\w*|stolt|sjalu|skuffe[td]|skuffa"
        r"|frustrert\w*|irritert\w*|engstelig\w*|bekymre\w*|morsomt|gøy|kose?(?:r|te|t)? seg|stemning\w*",
        "feelings and expressions are not measured",
    ),
    (
        r"say|says|said|saying|speak(?:s|ing)?|spoke|talk\w*|sing|sings|singing|hear|heard|sound\w*|noise|voice|loud\w*|words?"
        r"|shout\w*|yell(?:s|ed|ing)?|scream\w*|whisper\w*|hum|hums|humm\w+|babbl\w*|chat\w*|mumbl\w*|murmur\w*|whistl\w*|cough\w*"
        r"|sneez\w*|clap\w*|music\w*|songs?|melod\w+|tune|quiet\w*|silen\w+|volume|language\w*|speech|vocal\w*"
        r"|convers\w+|discuss\w*|asked|answered|repl(?:y|ies|ied)"
        r"|call(?:s|ed|ing)? (?:out|for|to|the|her|him|his|it)|utter\w*|told"
        r"|sang|synger|rop(?:t|te|er|ar|a)?|hvisk\w*|musikk\w*"
        r"|sa|seier|sier|snakk\w*|prat\w*|hørte|høyrde|lyd\w*|ord|orda|ordene|språk\w*|spurte|stemme\w*|skrik\w*",
        SPEECH,
    ),
    (
        r"look(?:s|ed|ing)? (?:at|towards?)|gaz(?:e|es|ed|ing)|star(?:e|es|ed|ing) at|glanc(?:e|es|ed|ing)"
        r"|(?:is|was|are|were) (?:\w+ ){1,4}looking|look(?:s|ed|ing)? (?:away|around|into)|eye contact"
        r"|(?:så|såg|ser|sjår|sjå|se|kikket|kikker|kikka|stirret|stirra) på|blikk\w*|øyekontakt|augekontakt",
        GAZE,
    ),
    (
        r"why|because|want\w*|intend\w*|intention\w*|try|tries|trying|tried|decid\w+|think\w*|thought|reasons?|purpose\w*|goals?"
        r"|aim\w*|motiv\w*|hop(?:e|es|ed|ing)|wish\w*|prefer\w*|attempt\w*|deliberate\w*|accident\w*|understand\w*"
        r"|understood|know|knew|knows|believ\w*|remember\w*|forg[eo]t\w*|learn\w*|imagin\w*|pretend\w*|means? to"
        r"|meant to|planning|planned|supposed to|should|ought|rather|what made|hvorfor|kvifor|fordi"
        r"|ville|ønske[rt]?|ønskte|ynskte|prøv\w+|forsøk\w*|tenk\w*|mente|forst[oå]\w*|visste|hensikt\w*|meining\w*"
        r"|med vilje",
        "reasons and intentions are not measured",
    ),
    (
        r"how (?:fast|quick\w*|slow\w*|big|large|small|tall|heavy|old|wide|thick)|speed|fast(?:er|est)?"
        r"|quick(?:ly|er|est)?|colou?rs?|weigh\w*|shapes?|material|made of|texture|brand|wear(?:s|ing)?|wore|clothes"
        r"|met(?:re|er)s?|centimet(?:re|er)s?|steps|farge\w*|fart(?:en|a)?|hastighet\w*|størrelse\w*|storleik\w*"
        r"|(?:hvor|kor) (?:(?:stor|store|stort)(?! (?:del|andel|part|prosent\w*))|høyt?|tungt?|gam\w+|fort|rask\w*)",
        "ages, sizes, speeds, looks and distances in metres are not measured",
    ),
    (
        r"normal(?!ly)\w*|abnormal\w*|develop\w*|autis\w*|delayed|disorder\w*|diagnos\w*|smart\w*|clever\w*|intelligen\w*"
        r"|nic(?:e|er|est)|kinder|a (?:good|bad)"
        r"|(?:good|bad|better|worse|best|worst) (?:at|with|parent|mother|father|child)"
        r"|naughty|polite|friendl\w*|skill\w*|skil(?:ful|led)\w*"
        r"|talented|healthy|attachment|utvikl\w*|flink\w*|snill\w*|normalt|dyktig\w*"
        r"|(?:en|ein|ei|et|eit) (?:god|godt|dårlig|dårleg)|(?:god|gode|dårlig|dårleg) (?:til|mor|far|foreld\w+|med)",
        "judgements of people and of their development are not measured",
    ),
)
_MODEL_LIMITS: tuple[tuple[str, str], ...] = (
    (
        r"never|except|apart from|alone|uten|alene|without (?!(?:a |any )?(?:break|pause|interruption|stopping))"
        r"|how often (?:\w+ ){1,6}not",
        "what a model may ask for holds nothing on what did not happen, apart from being out of view",
    ),
    (
        r"median|ratio|gjennomsnitt\w*",
        "of averages only those over videos and the mean length of bouts are what a model may ask for",
    ),
    (
        r"how far|distance",
        "a model may not ask for sizes and distances",
    ),
    (
        r"(?:last|final|closing|siste) (?:\d+(?:[.,]\d+)? )?(?:s|secs?|seconds?|minutes?|half|sekund\w*|minutt\w*)"
        r"|(?:first|second|other) half|halfway"
        r"|(?:at|near|towards?|in|from) the (?:very )?(?:beginning|start|end|middle)",
        "parts of a video are named to a model by times counted from its start, for example “between 5 and 10 seconds”",
    ),
    (
        r"(?:come|comes|came|coming|get|gets|got|go|goes|went) back|return\w*|again|(?:second|third|next) time",
        "of single occurrences a model may ask only for the first and the last time of being seen",
    ),
    (
        r"at (?:second |minute |time )?\d[\d.,:]*|(?:less|shorter|fewer) than \d+|at (?:least|most) \d+"
        r"|exactly \d+|(?:over|under) \d+",
        THRESHOLD,
    ),
)
"""Words that no query of a model expresses, with the reason to give where no rule reads the question either."""


@cache
def _compiled(table: tuple[tuple[str, str], ...]) -> tuple[tuple[re.Pattern[str], str], ...]:
    return tuple((re.compile(rf"(?<![\w-])(?:{words})(?:(?<=\s)|(?![\w-]))"), reason) for words, reason in table)


def outside_model(question: str, coded: frozenset[str] = frozenset()) -> str | None:
    """As :func:`outside_catalogue`, and what no query of a model can say: it is not asked about these."""
    reason = outside_catalogue(question, coded)
    return reason or next((reason for pattern, reason in _compiled(_MODEL_LIMITS) if pattern.search(question)), None)


def outside_without_codes(question: str, coded: frozenset[str]) -> str | None:
    """The reason why a normalised ``question`` is outside the language where codes of these kinds are in the store.

    Unlike :func:`outside_catalogue` it lets every question about codes pass that were imported.
    """
    for pattern, reason in _compiled(_LIMITS):
        kind, _ = _IMPORTED.get(reason, ("", ""))
        if kind not in coded and pattern.search(question):
            return reason
    return None


def outside_catalogue(question: str, coded: frozenset[str] = frozenset()) -> str | None:
    """The reason why a normalised ``question`` is outside the catalogue, or None if no such word is in it.

    Where ``coded`` holds a kind of code (speech, gaze), it was imported: the reason then says what may be asked of it.
    """
    reason = next((reason for pattern, reason in _compiled(_LIMITS) if pattern.search(question)), None)
    kind, instead = _IMPORTED.get(reason or "", ("", ""))
    return instead if kind and kind in coded else reason
