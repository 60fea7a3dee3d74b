"""The commands that this package adds to ``visionllm``, by the entry point group ``visionllm.commands``."""

from __future__ import annotations

from visionllm_interaction.cli.command_table import CommandEntry

COMMANDS: dict[str, CommandEntry] = {
    "toyroom": CommandEntry(
        "visionllm_bench.commands",
        "toyroom",
        "Make images and videos of a simulated play room, with exact truth.",
        extra="toyroom",
    ),
    "demo": CommandEntry(
        "visionllm_bench.commands",
        "demo",
        "The whole way on simulated data: images, stages 1-4, two videos, five questions, one report.",
        extra="all",
    ),
    "eval-reasoning": CommandEntry(
        "visionllm_bench.commands",
        "eval_reasoning",
        "Score a planner on questions with known answers: plans, answers, evidence, refusals, tokens, seconds.",
        extra="video",
    ),
}
