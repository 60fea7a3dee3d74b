"""Harmless texts that would run a script, or leave a folder, if they were taken for more than text."""

from __future__ import annotations

_MARKUP = (
    "<script>ran()</script>",
    "<ScRiPt >ran()</sCrIpT>",
    "<script src=data:text/javascript,ran()></script>",
    "<img src=x onerror=ran()>",
    "<img src=x:x onerror='ran()'>",
    "<svg onload=ran()>",
    "<svg><script>ran()</script></svg>",
    "<svg><animate onbegin=ran() attributeName=x dur=1s>",
    "<body onload=ran()>",
    "<iframe srcdoc='<script>parent.ran()</script>'></iframe>",
    "<iframe src=javascript:ran()></iframe>",
    "<a href=javascript:ran()>x</a>",
    "<details open ontoggle=ran()>",
    "<input autofocus onfocus=ran()>",
    "<video><source onerror=ran()></video>",
    "<audio src=x onerror=ran()>",
    "<object data=javascript:ran()></object>",
    "<embed src=javascript:ran()>",
    "<math><mi xlink:href=javascript:ran()>x</mi></math>",
    "<form action=javascript:ran()><button>x</button></form>",
    "<meta http-equiv=refresh content='0;url=javascript:ran()'>",
    "<link rel=stylesheet href=javascript:ran()>",
    "<style>@import 'javascript:ran()';</style>",
    "<marquee onstart=ran()>x</marquee>",
    "<template><img src=x onerror=ran()></template>",
    "<noscript><p title='</noscript><img src=x onerror=ran()>'></noscript>",
    "<textarea><img src=x onerror=ran()></textarea>",
    "</title><script>ran()</script>",
    "</script><script>ran()</script>",
    "--><script>ran()</script>",
)
_BREAKOUTS = (
    '" onmouseover=ran() x="',
    "' onfocus=ran() autofocus x='",
    '"><img src=x onerror=ran()>',
    "'><svg onload=ran()>",
    "javascript:ran()",
    "JaVaScRiPt:ran()",
    "data:text/html,<script>ran()</script>",
    "${ran()}",
    "{{ran()}}",
    "{{constructor.constructor('ran()')()}}",
    "`+ran()+`",
    "';ran();//",
    "\\x3cscript\\x3eran()\\x3c/script\\x3e",
    "&lt;img src=x onerror=ran()&gt;",
    "&#60;script&#62;ran()&#60;/script&#62;",
    "%3Cscript%3Eran()%3C/script%3E",
    "<<script>ran();//<</script>",
    "<img/src=x/onerror=ran()>",
    "<p style=background:url(javascript:ran())>x</p>",
    "\u202e<script>ran()</script>",
)
SCRIPTS = (*_MARKUP, *_BREAKOUTS)
"""Fifty texts; each calls ``ran()`` where it is executed."""

_UPS = ("../", "..\\", "..%2f", "..%5c", "%2e%2e/", "%2e%2e%2f", "%252e%252e%252f", "..;/", "....//", "..%c0%af")
_TARGETS = ("canary.txt", "etc/passwd", "service/session.secret", "outside/new.txt")
_ENDS = ("", "%00.mp4")
TRAVERSALS = (
    *(up * depth + target + end for up in _UPS for depth in (1, 3) for target in _TARGETS for end in _ENDS),
    *(f"/{'/' * n}{target}" for n in range(3) for target in _TARGETS),
    *(f"C:\\{target}" for target in _TARGETS),
    *(f"file:///{target}" for target in _TARGETS),
    *(f"~/{target}" for target in _TARGETS),
    *(f"/proc/self/root/{target}" for target in _TARGETS),
    *("..", ".", "", "/", "\\", "CON", ".hidden", "a/../../canary.txt", "\x00", "a\x00b", "-rf", "*"),
)
"""Two hundred names that would lead elsewhere."""

assert len(SCRIPTS) == 50
assert len(TRAVERSALS) == 200
