"""Measures of your own: expressions with a name in config/measures.yaml."""

from __future__ import annotations

from dataclasses import replace

from visionllm_interaction.errors import ConfigError, ExpressionError
from visionllm_interaction.measures.catalogue import Inputs, Measure
from visionllm_interaction.measures.catalogue_sequential import ALL_MEASURES
from visionllm_interaction.measures.config import MeasuresConfig, NamedMeasureConfig
from visionllm_interaction.measures.language.check import check
from visionllm_interaction.measures.language.functions import FUNCTIONS, SELECTIONS
from visionllm_interaction.measures.language.named import named_measures, written_out
from visionllm_interaction.measures.language.parser import parse
from visionllm_interaction.measures.language.syntax_tree import Binding, Call, Grouped, NameTerm, walk
from visionllm_interaction.measures.language.types import Kind

_UNITS = {Kind.SAMPLES: "s", Kind.YES_NO: "yes/no"}


def parsed_measures(config: MeasuresConfig) -> dict[str, Measure]:
    """The named measures of the settings as they are written; see :func:`own_measures`.

    Args:
        config: settings of measures.

    Returns:
        Name → measure.

    Raises:
        ConfigError: with all expressions that cannot be read.
    """
    found: dict[str, Measure] = {}
    problems: list[str] = []
    for name, about in config.named.items():
        try:
            found[name] = _as_measure(name, about)
        except ExpressionError as error:
            problems.append(f"measures.named.{name}: {error}")
    _refuse(problems)
    return found


def _as_measure(name: str, about: NamedMeasureConfig) -> Measure:
    parsed = parse(about.expression)
    if not parsed.is_plain:
        raise ExpressionError(
            "A named measure has no groups of its own.",
            expected="an expression without by, over and in video",
            found=about.expression,
            column=1,
            fix="leave the groups out: visionllm measures computes it for every video and name",
        )
    variables = {v for part in walk(parsed) if isinstance(part, NameTerm) for v in part.variables}
    inputs: Inputs = "pair" if "$object" in variables else "one" if "$subject" in variables else "none"
    measure = Measure(name, about.definition, about.unit, about.source, inputs, None, parsed.value)
    return replace(measure, version=about.version, checks_inputs=True)


def _refuse(problems: list[str]) -> None:
    if problems:
        raise ConfigError("\n".join(problems), problems=tuple(problems), where="measures.named")


def own_measures(config: MeasuresConfig) -> dict[str, Measure]:
    """The named measures of the settings, checked and written out in functions of the language.

    Args:
        config: settings of measures.

    Returns:
        Name → measure, with the unit of its expression.

    Raises:
        ConfigError: with all measures that cannot be used, each with the column of what is wrong in it.
    """
    found: dict[str, Measure] = {}
    problems: list[str] = []
    for name, measure in parsed_measures(config).items():
        try:
            found[name] = _checked(name, measure, config)
        except ExpressionError as error:
            problems.append(f"measures.named.{name}: {error}")
    _refuse(problems)
    return found


def _checked(name: str, measure: Measure, config: MeasuresConfig) -> Measure:
    taken = name in FUNCTIONS or name in SELECTIONS or name in ALL_MEASURES
    if taken or not name.isidentifier() or name != name.lower():
        raise ExpressionError(
            "The name of a measure is taken, or is none.",
            expected="lower-case letters, digits and underscores, and no function or measure of this name",
            found=name,
            column=1,
            fix=f"call it my_{name.lower()}" if name.isidentifier() else "for example time_alone",
        )
    plain = written_out(Grouped(measure.expression), named_measures(config))
    variables = {"one": ("$subject",), "pair": ("$subject", "$object")}.get(measure.inputs, ())
    type_ = check(Grouped(plain.value, by=tuple(map(Binding, variables)))).type
    unit = _UNITS.get(type_.kind, type_.unit or "number")
    if type_.kind in (Kind.INTERVALS, Kind.MOMENTS, Kind.NAMES):
        raise ExpressionError(
            "A measure is a number.", expected="total(…), count(…) or another value", found=type_.kind.value, column=1,
            fix=f"write total({measure.expression.to_text()})",
        )  # fmt: skip
    if measure.unit and measure.unit != unit:
        raise ExpressionError(
            "The unit is not that of the expression.", expected=unit, found=measure.unit, column=1, fix=f"unit: {unit}"
        )
    value = plain.value
    nothing = FUNCTIONS[value.function].nothing if isinstance(value, Call) and value.function in FUNCTIONS else None
    return replace(measure, unit=unit, expression=value, nothing=nothing)
