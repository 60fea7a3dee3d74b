"""What somebody does at one moment: whom they are near, what they hold and touch."""

from __future__ import annotations

from visionllm_interaction.measures.language.syntax_tree import Call, NameTerm, Quantity
from visionllm_interaction.reasoning.execution.expressions import ExpressionRunner, parsed
from visionllm_interaction.reasoning.wording.expression_words import Words, stream_words

_KINDS = ("holding", "in_contact", "near")


def describe_moment(call: Call, video_id: str, runner: ExpressionRunner, words: Words) -> tuple[str, tuple[str, ...]]:
    """Say what holds of somebody at a moment.

    Args:
        call: ``holds(visible(x), at=10s)``.
        video_id: the video.
        runner: of the open store.
        words: of the language of the answer.

    Returns:
        Clauses, and the ids of the evidence they cite; only whether x is in view, if x is not or the time is unknown.
    """
    who = _who(call)
    at = dict(call.keywords)["at"]
    visible = parsed(f'{call.to_text()} in video "{video_id}"')
    row = runner.rows(visible)[0]
    evidence = list(runner.cite(row, visible.to_text(), ""))
    spoken = stream_words(call.arguments[0], words)
    if row.value is None:
        return words.say("missing", x=spoken.holds, v=row.missing or "–"), tuple(evidence)
    if not row.value:
        return spoken.negated, tuple(evidence)
    clauses = [spoken.holds]
    held: set[str] = set()
    for kind in _KINDS:
        for variable in ("$o", "$p"):
            if kind == "holding" and variable == "$p":
                continue
            assert isinstance(at, Quantity)
            stream = f"{kind}({NameTerm(who).to_text()}, {variable})"
            listed = parsed(f'holds({stream}, at={at.to_text()}) in video "{video_id}" by {variable}')
            for found in runner.rows(listed):
                name = next(iter(found.names.values()), "")
                if found.value and name not in held:
                    held.add(name)
                    clauses.append(stream_words(Call(kind, (NameTerm(who), NameTerm(name))), words).holds)
                    evidence += runner.cite(found, listed.to_text(), "")
    return words.listed(clauses), tuple(evidence)


def _who(call: Call) -> str:
    stream = call.arguments[0]
    assert isinstance(stream, Call)
    name = stream.arguments[0]
    assert isinstance(name, NameTerm)
    return name.base
