"""In which form a local model writes expressions best: text in JSON, text under a grammar, or a tree under a schema.

    python benchmarks/questions/model_formats.py benchmarks/questions/lists/paraphrases.tsv --folder /tmp/rooms \
        --endpoint http://127.0.0.1:8081 --every 8

The model is asked alone: what the rules read does not help it. A reply is right if its expression gives the value of
the one beside the question on every store; ``objected`` counts the wrong ones that the checks of words would send back.
The endpoint must be llama.cpp's server (``grammar``, ``json_schema``, ``/tokenize``).
"""

from __future__ import annotations

import argparse
import csv
import json
import re
import statistics
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from paraphrases import answer_of, meant
from people_questions import judge
from truth.rooms import make_rooms

from visionllm_interaction.errors import ExpressionError
from visionllm_interaction.measures.language.parser import parse
from visionllm_interaction.measures.language.syntax_tree import (
    Arrow,
    Call,
    Grouped,
    NameTerm,
    Operation,
    Prefix,
    Quantity,
)
from visionllm_interaction.reasoning.grammar.planner import tag_text
from visionllm_interaction.reasoning.language.patterns import normalise
from visionllm_interaction.reasoning.language.time_expressions import Window
from visionllm_interaction.reasoning.language.vocabulary import Vocabulary
from visionllm_interaction.reasoning.planning.expressions.checks import ExpressionQuestion, expression_objections
from visionllm_interaction.reasoning.planning.expressions.expression_as_answer import checked_expression, step_of
from visionllm_interaction.reasoning.planning.expressions.prompt import (
    expression_examples,
    expression_instructions,
    expression_request,
)
from visionllm_interaction.reasoning.planning.plan import Plan
from visionllm_interaction.store.reader import open_store

_FUNCTIONS = (
    *("visible", "near", "in_contact", "holding", "alone", "picks_up", "puts_down", "hands_over", "enters", "leaves"),
    *("starts", "ends", "merged", "longer_than", "at_least", "first", "last", "nth", "since", "before", "padded"),
    *("between", "total", "share", "count", "rate", "mean", "median", "longest", "shortest", "first_time", "last_time"),
    *("gap", "min", "latency", "prob", "exists", "holds", "top", "bottom", "which", "how_many"),
)
_KEYWORDS = ("of", "within", "after", "at", "during")
_OPERATORS = ("&", "|", "+", "-", "*", "/", ">=", "<=", ">", "<", "->")
_TEXT = {
    "type": "object",
    "properties": {"expression": {"type": "string", "maxLength": 300}},
    "required": ["expression"],
}


def grammar_of(names: Sequence[str]) -> str:
    """The language as a grammar of llama.cpp, with these names."""

    def one_of(words: Sequence[str]) -> str:
        return " | ".join(json.dumps(word) for word in words)

    said = [name if name.isidentifier() else json.dumps(name) for name in (*names, "person", "thing", "$o", "$p")]
    return "\n".join(
        (
            'root ::= "none" | grouped',
            'grouped ::= value (" by " ("$o" | "$p") (" in " ("thing" | "person"))?)?',
            'value ::= term (" " op " " term)*',
            f"op ::= {one_of(_OPERATORS)}",
            'term ::= "!"? (call | "(" value ")" | name | number)',
            'call ::= function "(" argument (", " argument)* ")"',
            f'argument ::= (({one_of(_KEYWORDS)}) "=")? grouped',
            f"function ::= {one_of(_FUNCTIONS)}",
            f"name ::= {one_of(said)}",
            'number ::= [0-9]+ ("." [0-9]+)? ("s" | "%" | "min")?',
        )
    )


def schema_of(names: Sequence[str]) -> dict[str, Any]:
    """The syntax tree of an expression as a recursive JSON schema."""
    said = [*names, "person", "thing", "$o", "$p"]
    node = {"$ref": "#/$defs/node"}
    kinds = (
        {"f": {"enum": list(_FUNCTIONS)}, "a": {"type": "array", "items": node, "minItems": 1, "maxItems": 4}},
        {"k": {"enum": list(_KEYWORDS)}, "v": node},
        {"o": {"enum": list(_OPERATORS)}, "l": node, "r": node},
        {"not": node},
        {"n": {"enum": said}},
        {"q": {"type": "string", "pattern": "^[0-9]+(\\.[0-9]+)?(s|%|min)?$"}},
        {"e": node, "by": {"enum": ["$o", "$p"]}},
    )
    closed = [
        {"type": "object", "properties": kind, "required": list(kind), "additionalProperties": False} for kind in kinds
    ]
    none = {"type": "object", "properties": {"none": {"const": True}}, "required": ["none"]}
    return {"$defs": {"node": {"anyOf": closed}}, "anyOf": [node, none]}


def tree_of(node: Any) -> Any:
    """An expression as a value of the recursive schema."""
    if isinstance(node, Grouped):
        inner = tree_of(node.value)
        return {"e": inner, "by": node.by[0].variable} if node.by else inner
    if isinstance(node, Call):
        keywords = [{"k": name, "v": tree_of(value)} for name, value in node.keywords]
        return {"f": node.function, "a": [*map(tree_of, node.arguments), *keywords]}
    if isinstance(node, Operation):
        return {"o": node.operator, "l": tree_of(node.left), "r": tree_of(node.right)}
    if isinstance(node, Arrow):
        return {"o": "->", "l": tree_of(node.first), "r": tree_of(node.second)}
    if isinstance(node, Prefix):
        return {"not": tree_of(node.operand)}
    if isinstance(node, NameTerm):
        return {"n": node.base}
    assert isinstance(node, Quantity)
    return {"q": f"{node.value:g}{node.unit}"}


def text_of(tree: Mapping[str, Any]) -> str:
    """A value of the recursive schema as an expression."""
    if "none" in tree:
        return "none"
    if "f" in tree:
        return f"{tree['f']}({', '.join(map(text_of, tree['a']))})"
    if "k" in tree:
        return f"{tree['k']}={text_of(tree['v'])}"
    if "o" in tree:
        text = f"{text_of(tree['l'])} {tree['o']} {text_of(tree['r'])}"
        return text if tree["o"] == "->" else f"({text})"
    if "not" in tree:
        return f"!{text_of(tree['not'])}"
    if "e" in tree:
        return f"{text_of(tree['e'])} by {tree['by']}"
    name = tree.get("n")
    return str(tree["q"]) if name is None else name if name.startswith("$") or name.isidentifier() else json.dumps(name)


class Form:
    """One form of replies: how examples are shown, how the reply is constrained, and how it is read."""

    def __init__(
        self, name: str, shown: Callable[[str], str], constraint: Mapping[str, Any], read: Callable[[str], str]
    ) -> None:
        self.name, self.shown, self.constraint, self.read = name, shown, constraint, read


def _compact(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def forms(names: Sequence[str]) -> tuple[Form, ...]:
    """The three forms that are compared."""

    def as_tree(expression: str) -> str:
        return _compact({"none": True} if expression == "none" else tree_of(parse(expression)))

    def json_schema(schema: Mapping[str, Any]) -> dict[str, Any]:
        return {"response_format": {"type": "json_schema", "json_schema": {"name": "reply", "schema": schema}}}

    return (
        Form("text in JSON", lambda e: _compact({"expression": e}), json_schema(_TEXT),
             lambda reply: str(json.loads(reply)["expression"])),
        Form("text under a grammar", lambda e: e, {"grammar": grammar_of(names)}, str.strip),
        Form("tree under a recursive schema", as_tree, json_schema(schema_of(names)), lambda r: text_of(json.loads(r))),
    )  # fmt: skip


def post(url: str, body: Mapping[str, Any]) -> Any:
    """A reply of the server."""
    request = urllib.request.Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=900) as reply:
        return json.load(reply)


def messages(question: str, vocabulary: Vocabulary, form: Form) -> list[dict[str, str]]:
    """The conversation that asks for an expression in this form."""
    system = expression_instructions(vocabulary)
    if form.name != "text in JSON":
        system = re.sub(r" Reply \{.*?\}\.", " Reply with nothing else.", system, count=1)
    out = [{"role": "system", "content": system}]
    for example in expression_examples(vocabulary):
        out.append({"role": "user", "content": expression_request(example.question, vocabulary)})
        out.append({"role": "assistant", "content": form.shown(example.expression)})
    return [*out, {"role": "user", "content": expression_request(question, vocabulary)}]


def tokens(endpoint: str, talk: Sequence[Mapping[str, str]]) -> int:
    """How many tokens the server makes of a conversation."""
    prompt = post(f"{endpoint}/apply-template", {"messages": list(talk)})["prompt"]
    return len(post(f"{endpoint}/tokenize", {"content": prompt, "add_special": False})["tokens"])


def verdict(text: str, row: Mapping[str, str], vocabulary: Vocabulary, stores: Sequence[Path]) -> str:
    """What became of one expression."""
    if text == "none":
        return "refused" if row["expression"] else "right"
    try:
        expression = parse(text)
        checked_expression(expression)
    except ExpressionError:
        return "malformed"
    rest = normalise(row["question"])
    tagged, scope, at = tag_text(rest, None, vocabulary)
    asked = ExpressionQuestion(rest, tagged, Window(scope.begin_s, scope.end_s), vocabulary, at)
    objected = next(expression_objections(asked, expression), None) is not None
    try:
        plan = Plan(expressions=(step_of(expression, video_id=None, language=tagged.language),))
        right = bool(row["expression"]) and all(
            judge(answer_of(plan, store), meant(row, store)) == "right" for store in stores
        )
    except (ExpressionError, ValueError):
        return "malformed"
    return ("right" if right else "wrong") + (", objected" if objected else "")


def main() -> None:
    """Ask every n-th question in each form and print what became of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("questions", type=Path)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--endpoint", default="http://127.0.0.1:8081")
    parser.add_argument("--every", type=int, default=8)
    parser.add_argument("--seeds", type=int, nargs="+", default=[11, 12])
    given = parser.parse_args()
    with given.questions.open(encoding="utf-8", newline="") as file:
        rows = [r for r in csv.DictReader(file, delimiter="\t") if r["expression"] and r["reading"] != "doing"]
    stores = [make_rooms(given.folder / f"seed{seed}", seed=seed, videos=2)[0] for seed in given.seeds]
    with open_store(stores[0]) as opened:
        vocabulary = Vocabulary.of_store(opened)
    for form in forms(vocabulary.names):
        counts: Counter[str] = Counter()
        seconds, sizes = [], []
        for row in rows[:: given.every]:
            talk = messages(row["question"], vocabulary, form)
            sizes.append(tokens(given.endpoint, talk))
            begin = time.perf_counter()
            body = {"messages": talk, "temperature": 0, "max_tokens": 400, "cache_prompt": True, **form.constraint}
            reply = post(f"{given.endpoint}/v1/chat/completions", body)["choices"][0]["message"]["content"]
            seconds.append(time.perf_counter() - begin)
            try:
                text = form.read(reply)
            except (ValueError, KeyError):
                text = "("
            found = verdict(text, row, vocabulary, stores)
            counts[found] += 1
            print(f"{form.name}: {row['id']} {found}: {row['question']}\n    {text}", flush=True)
        result = {"form": form.name, **counts, "median_s": round(statistics.median(seconds), 1)}
        print(json.dumps({**result, "tokens_p95": sorted(sizes)[int(0.95 * (len(sizes) - 1))]}), flush=True)


if __name__ == "__main__":
    main()
