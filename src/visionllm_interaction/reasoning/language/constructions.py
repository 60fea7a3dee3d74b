"""Constructions that say the same as a plainer sentence: "Who was the last one to hold it?", "Hvem var det som …?".

The grammar reads phrases, not constructions: what only changes the emphasis is put into the plain form before.
"""

from __future__ import annotations

import re

_TOYS = r"(?:toys?|objects?|things?|items?|leker|leiker|leikar|ting|gjenstander|gjenstandar|objekter|objekt)"
_PEOPLE = r"(?:people|persons?|one|adult|personer|personar|av dem|av dei)"
_NOBODY = r"(?:no one|nobody|noone|none of them|neither of them)"
_IN_TIME = r"(?:within|inside|in|innen|innan|i løpet av) (?:\w+ )?\S+ (?:seconds?|secs?|s|minutes?|sekund(?:er)?|minutt(?:er)?)"
_UNIT = r"(?:seconds?|secs?|s|minutes?|sekund(?:er|ene)?|minutt(?:er|a|ene)?)"
_TOGETHER = r"(?:closer|nearer) (?:together|to each other|to one another)"

_TABLE: tuple[tuple[str, str], ...] = (
    # Compounds: "gjennomsnittsavstanden" → "gjennomsnitt avstanden", "holdeperioder" → "holde perioder".
    (r"\b(gjennomsnitt|median|maksimum|minimum|snitt)s?(avstand|tid|leng|lengd|varighet|varigheit)(\w*)", r"\1 \2\3"),
    (r"\b(holde|halde|hald)(period|bout|stund|tid)(\w*)", r"holde \2\3"),
    # "Are there any toys that nobody touched?" asks which.
    (rf"^(?:are|is|were|was) there (?:any|some) ({_TOYS}) (?:that |which )?", r"which \1 "),
    (rf"^(?:er|var|finnes|finst|fins|fantes|fanst) det (?:noen|nokon|nokre) ({_TOYS}) (?:som )?", r"hvilke \1 "),
    (rf"^what (?:is|was|are|were) the ({_TOYS}) (?:that )?(?!of )", r"which \1 "),
    # Clefts: "it was the child who", "var det ingen som", "hvem var det som".
    (r"\b(?:was|is) (?:it|there) (nobody|no one|anyone|anybody|someone|somebody) (?:who|that) ", r"\1 "),
    (r"\b(?:was|is) it (the \w+) (?:who|that) ", r"\1 "),
    (r"\b(?:var|er) det (?:som )?((?:bare |berre |kun |nøyaktig |akkurat )?(?:en|én|ein|éin) av (?:dem|dei|de) ?(?:to )?)som ",
     r"\1"),
    (r"\b(?:var|er) det (ingen|noen|nokon|begge|barnet|den voksne|den vaksne|mamma|pappa|mor|far) som ", r"\1 "),
    (r"^(hvem|kven|hva|kva|hvilken \w+|hvilke \w+|kva \w+) (?:var|er) det (?:som )?(?!neste|første|fyrste|siste)", r"\1 "),
    # "Who was the last one to hold it?", "hva var det neste barnet tok opp".
    (rf"\b(?:was|is) the (?:very )?(first|last) (?:{_PEOPLE} |of (?:them|the two) )?(?:to|who|that) ", r"\1 "),
    (rf"\b(?:var|er) den (?:aller )?(?:første|fyrste) (?:{_PEOPLE} )?(?:som|til å) ", "først "),
    (rf"\b(?:var|er) den (?:aller )?siste (?:{_PEOPLE} )?(?:som|til å) ", "sist "),
    (rf"\bwas the next ({_TOYS}) (?:that )?", r"\1 "),
    (r"^(hva|kva) (?:var|er) det (?:neste|første|fyrste) (?:som )?(.*) etter at ", r"\1 \2 etter at "),
    # "When was the second time (that) …": when, the second time.
    (r"^when (?:was|is) (the (?:very )?(?:first|second|third|fourth|fifth|last|final) time)(?: that)? (.*)", r"when \2 \1"),
    (r"^når (?:var|er) (?:den )?(første|fyrste|andre|tredje|fjerde|siste) (?:gangen|gongen|gang|gong)(?: at| som)? (.*)",
     r"når \2 for \1 gang"),
    # "In the five seconds after", "at most 5 s after": within.
    (rf"\b(?:in|during|over) the (?:first |next |following )?(\S+) ({_UNIT}) (after|before|following|of)\b",
     r"within \1 \2 \3"),
    (rf"\b(?:at most|no more than|not more than|up to|less than|under|fewer than) (\S+) ({_UNIT}) (after|before)\b",
     r"within \1 \2 \3"),
    (rf"\b(?:i løpet av |i )?(?:de|dei) (?:første |fyrste |neste )?(\S+) ({_UNIT}) (etter|før)\b", r"innen \1 \2 \3"),
    (rf"\b(?:høyst|høgst|maksimalt|maks|mindre enn|under|senest|seinast) (\S+) ({_UNIT}) (etter|før)\b",
     r"innen \1 \2 \3"),
    # "After what share of the child's put-downs did …": what share of them was followed by it.
    (rf"^after ((?:what|which) (?:share|fraction|proportion|percentage|part) of .+?) did (.+ {_IN_TIME})$",
     r"\1 were followed by \2"),
    (r"^how (?:much time|long|many seconds) (?:passed|went by|elapsed) (?:with|while|where|when) ", "how long "),
    (r"\b(longest|shortest|average|mean|median) (time|period|stretch|bout) (?:during|in|over) which ", r"\1 \2 that "),
    (r"\blet (it|the \w+) go\b", r"let go of \1"),
    # "Did A hold things longer than B, and by how much?"
    (r"^(?:did|does) (.+?) (longer|more|more often) than (.+?) and (?:if so )?by how much$", r"how much \2 did \1 than \3"),
    (r"^(\w+) (.+?) (lenger|mer|meir) enn (.+?) og (?:med )?(?:hvor|kor) (?:mye|mykje)(?: lenger| lengre)?$",
     r"hvor mye \3 \1 \2 enn \4"),
    # "What is the median time until B when A": from A to B. "How long did it take on average for B to … after A".
    (r"^(what (?:is|was) the (?:median|mean|average|typical) (?:time|delay)) (?:until|till|before|to) (.+?) "
     r"(?:when|after|once) (.+)$", r"\1 from \3 to \2"),
    (r"^how long (?:did|does) it (?:take|last) (on average|in the median) (?:for (.+?) to|until|before) (.+?) after (.+)$",
     r"what is \1 the time from \4 to \2 \3"),
    (r"^how long (?:did|does) it (?:take|last) (?:for (.+?) to|until|before) (.+?) after (.+?) (on average|in the median)$",
     r"what is \4 the time from \3 to \1 \2"),
    (r"^((?:hva|kva) (?:er|var) (?:den )?(?:median|gjennomsnitt|gjennomsnittlige|gjennomsnittlege) ?(?:tid|tiden|tida)) "
     r"(?:til|før) (.+?) (?:når|etter at) (.+)$", r"\1 fra \3 til \2"),
    # "The child's pick-up rate".
    (r"^(?:what|how high) (?:is|was) (.+? \S+) rate(?: per minute)?\b", r"how many times per minute \1"),
    # Differences: "between the caregiver's and the child's holding time", "Compare A's … with B's".
    (r"^(?:what|how large|how big) (?:is|was) the difference between (the \w+'s?) and (the \w+'s?) (.+)$",
     r"how does \1 \3 compare with \2"),
    (r"^(?:what|how large|how big) (?:is|was) the difference in (.+?) between (the \w+) and (the \w+)$",
     r"how does \2's \1 compare with \3's"),
    (r"^compare (.+?) (?:with|to|and) (.+)$", r"how does \1 compare with \2"),
    (r"^(?:hva|kva) (?:er|var) (?:forskjellen|skilnaden|forskjell) (?:på|mellom) (.+?s) og (.+?s) (.+)$",
     r"hvordan er \1 \3 sammenlignet med \2"),
    # "In the child's hands": held by the child.
    (r"\bin (the \w+)'s? (?:hands?|grasp|grip|arms)\b", r"held by \1"),
    (r"\bi (?:hendene|hånda|hånden|handa|nevane|nevene) (?:til|på) ", "holdt av "),
    # "And which toy was it?"
    (r"\bog (?:hvilken|hvilket|hvilke|kva|kva for ein) (leke|leike|leika|ting|gjenstand) (?:var|er) det$", r"og \1 det"),
    # "Nobody with the child": the child alone.
    (rf"\b{_NOBODY} (?:else )?(?:is |was )?(?:together )?with (the \w+)", r"\1 alone"),
    (r"\bingen (?:andre )?(?:var |er )?(?:sammen|saman) med (barnet|den voksne|den vaksne)", r"\1 alene"),
    # What follows is said before its window: "followed within five seconds by".
    (rf"\bfollowed ({_IN_TIME}) by (.+)$", r"followed by \2 \1"),
    # "The times that the child picked something up did the caregiver come near within 5 s" asks what followed.
    (rf"^((?:in |for |on )?(?:what|which) (?:share|fraction|proportion|percentage|part)) of (?:the )?"
     rf"(?:times|cases|occasions) (?:that |when |in which |on which )?(.+?) did (.+ {_IN_TIME})(?: of that)?$",
     r"\1 of the times \2 followed by \3"),
    # "The longest the child held it", "det lengste barnet holdt den": the longest time.
    (r"\bthe (longest|shortest) (?:that )?(?=the |they |both )", r"the \1 time that "),
    (r"\bdet (lengste|korteste|stuttaste) (?:som )?(?=barn|den |de |dei |begge )", r"den \1 tiden "),
    # "How close were A and B on average?" is a distance; "closer together" is nearer to each other.
    (r"^how close (?=.*\b(?:average|mean|median)\b)", "how far apart "),
    (rf"\b{_TOGETHER}", "nearer to each other"),
    # "Neither picked up", "did no one": nobody did.
    (rf"\b(?:did|was|were|is|are) ({_NOBODY}) ", r"\1 "),
    # "Two or more people" is at least two.
    (r"\b(\w+) or more (?=people|persons|things|toys|objects|items)", r"at least \1 "),
    (r"\b(\w+) eller (?:flere|fleire) (?=person|ting|leke|leike)", r"minst \1 "),
    (r"\bmore than one (?=person|thing|toy|object|item)", "at least two "),
    (r"\b(?:mer|meir|flere|fleire) enn (?:en|én|ein|éin|ei|et|eit) (?=person|ting|leke|leike|gjenstand)", "minst to "),
)  # fmt: skip
_RULES = tuple((re.compile(pattern), replacement) for pattern, replacement in _TABLE)


def plain_form(text: str) -> str:
    """A normalised question with its constructions in their plain form.

    Args:
        text: lower case, without closing punctuation.

    Returns:
        The same question for the grammar; unchanged where it holds none of them.
    """
    for pattern, replacement in _RULES:
        text = pattern.sub(replacement, text)
    return " ".join(text.split())
