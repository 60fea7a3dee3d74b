"""Jobs for a Slurm cluster from the recipes that ship with the program: shown, or handed to `sbatch`."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

from visionllm_interaction.config import load
from visionllm_interaction.errors import ServiceError, UsageError

Recipe = Literal["train", "tune", "analyze"]

_ARRAY = re.compile(r"\d+(-\d+(:\d+)?)?(,\d+(-\d+(:\d+)?)?)*(%\d+)?")
_TIME = re.compile(r"(\d+-)?\d+(:\d+){0,2}")
_MEMORY = re.compile(r"\d+[KMGT]?")


@dataclass(frozen=True)
class SlurmResources:
    """What a job asks the cluster for; what is not named is left to the recipe, and to the cluster.

    Attributes:
        gpus: number of GPUs; of each node, where ``nodes`` is named.
        nodes: number of nodes that train together.
        cpus: cores; of each node.
        memory: for example ``32G``.
        time: limit, as Slurm writes it: ``24:00:00``, ``2-00:00:00``.
        array: numbers of an array's jobs: ``0-15``, ``0-15%4``.
        partition: part of the cluster.
        account: who pays.
    """

    gpus: int | None = None
    nodes: int | None = None
    cpus: int | None = None
    memory: str | None = None
    time: str | None = None
    array: str | None = None
    partition: str | None = None
    account: str | None = None

    def options(self) -> list[str]:
        """The options of ``sbatch``.

        Returns:
            One for each value that is named.

        Raises:
            UsageError: if a value is none that Slurm reads.
        """
        for name, pattern, example in (
            ("array", _ARRAY, "0-15 or 0-15%4"),
            ("time", _TIME, "24:00:00 or 2-00:00:00"),
            ("memory", _MEMORY, "32G"),
        ):
            value = getattr(self, name)
            if value is not None and not pattern.fullmatch(value):
                raise UsageError(f"--{name} cannot be read.", expected=f"for example {example}", found=value)
        names = {"cpus": "cpus-per-task", "memory": "mem"} | ({"gpus": "gpus-per-node"} if self.nodes else {})
        return [f"--{names.get(key, key)}={value}" for key, value in asdict(self).items() if value is not None]


@dataclass(frozen=True)
class SlurmJob:
    """A job as it is, or would be, handed to Slurm.

    Attributes:
        command: the call of ``sbatch``.
        script: the recipe's text.
        job_id: Slurm's number of it; ``None`` if it was only shown.
    """

    command: tuple[str, ...]
    script: str
    job_id: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """The JSON result of ``visionllm submit``."""
        return {"command": list(self.command), "script": self.script, "job_id": self.job_id}


def prepare_job(recipe: Recipe, arguments: Sequence[str], resources: SlurmResources = SlurmResources()) -> SlurmJob:
    """Put a job together without submitting it.

    The job runs in the environment of this call, in the folder of this call.

    Args:
        recipe: which of the recipes.
        arguments: for ``visionllm run``, ``tune`` or ``analyze``; of ``analyze`` the list of videos comes first.
        resources: what it asks for.

    Returns:
        The job.

    Raises:
        UsageError: if a value is none that Slurm reads, the list of videos is not there, or several nodes are asked for
            where each would do the same work.
        ConfigError: if a setting is wrong; the job would find out after it has waited for its turn.
    """
    if recipe != "train" and (resources.nodes or 1) > 1:
        raise UsageError(
            "Only a training runs on several nodes together.",
            expected="--nodes with train",
            found=f"--nodes {resources.nodes} with {recipe}",
            fix="--array 0-15 shares the work among jobs",
        )
    if recipe == "analyze" and not (arguments and Path(arguments[0]).is_file()):
        raise UsageError(
            "A list of videos is needed first.",
            expected="a text file with one video per line, then the options of `visionllm analyze`",
            found=arguments[0] if arguments else "nothing",
            fix="find FOLDER -name '*.mp4' >videos.txt",
        )
    load(_values_of(arguments, "-c", "--config"), _values_of(arguments, "-o", "--override"))
    script = recipes_folder() / f"{recipe}.sbatch"
    environment = f"--export=ALL,VISIONLLM_VENV={sys.prefix}"
    # The recipes' name for it has the number within an array, which is 4294967294 where there is none.
    output = () if resources.array else ("--output=%x-%j.out",)
    command = ("sbatch", "--parsable", environment, *output, *resources.options(), str(script), *arguments)
    return SlurmJob(command, script.read_text(encoding="utf-8"))


def _values_of(arguments: Sequence[str], *names: str) -> list[str]:
    """The values of an option that is given as ``NAME VALUE`` or ``NAME=VALUE``, each time it is given."""
    apart = [value for name, value in pairwise(arguments) if name in names]
    joined = [word.partition("=")[2] for word in arguments if word.startswith("--") and word.partition("=")[0] in names]
    return apart + joined


def submit_job(job: SlurmJob) -> SlurmJob:
    """Hand a job to Slurm.

    Args:
        job: of :func:`prepare_job`.

    Returns:
        The job with its number.

    Raises:
        UsageError: if this machine has no ``sbatch``.
        ServiceError: if Slurm refuses the job, or does not answer.
    """
    if shutil.which("sbatch") is None:
        raise UsageError(
            "This machine has no Slurm.",
            expected="the command sbatch",
            found="none in PATH",
            fix="call it on a login node of the cluster; --dry-run shows the job here",
        )
    done = subprocess.run(job.command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise ServiceError(
            "Slurm did not take the job.",
            expected="a job that the cluster allows",
            found=" ".join(done.stderr.split())[:500],
            where=shlex.join(job.command),
            fix="see `sinfo` for partitions and limits, or ask who runs the cluster",
        )
    return SlurmJob(job.command, job.script, done.stdout.strip().partition(";")[0])


def recipes_folder() -> Path:
    """The folder of the recipes: in the installed package, or in the source tree."""
    installed = Path(__file__).parent / "_slurm"
    return installed if installed.is_dir() else Path(__file__).parents[2] / "deploy/slurm"
