"""What the judges of a list of questions are told on the command line, and the questions that this chooses."""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

from visionllm_interaction.reasoning import ReasonConfig


def list_parser(description: str | None) -> argparse.ArgumentParser:
    """The arguments that all judges share."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("questions", type=Path)
    parser.add_argument("--folder", type=Path, required=True, help="videos and stores are made here")
    parser.add_argument("--planner", choices=("rules", "auto", "llm"), default="rules")
    parser.add_argument("--endpoint", help="address of the language model")
    parser.add_argument("--model", default="local")
    parser.add_argument("--seeds", type=int, nargs="+", default=[11, 12, 13])
    parser.add_argument("--only", nargs="*")
    return parser


def chosen_questions(given: argparse.Namespace) -> list[dict[str, str]]:
    """The rows of the list, or those that ``--only`` names."""
    with given.questions.open(encoding="utf-8", newline="") as file:
        return [row for row in csv.DictReader(file, delimiter="\t") if not given.only or row["id"] in given.only]


def reason_config(given: argparse.Namespace) -> ReasonConfig:
    """Settings of reasoning with the language model that is named, if one is."""
    endpoint = {"base_url": given.endpoint, "model": given.model, "timeout_s": 600} if given.endpoint else {}
    return ReasonConfig.model_validate({"endpoint": endpoint})
