"""Calls of the Docker engine that the tests of images and of compose share."""

from __future__ import annotations

import json
import os
import subprocess
import time
from functools import cache

import pytest
from deploy_checks import REPO

NETWORK = ("--network", "host")
"""The host's network, because an engine without bridge networks can run these tests too."""
BASE = "python:3.11-slim-bookworm"


def docker(*arguments: str, timeout_s: float = 900, check: bool = True) -> subprocess.CompletedProcess[bytes]:
    """Call the engine; a failure shows what it said."""
    done = subprocess.run(["docker", *arguments], capture_output=True, timeout=timeout_s, check=False)
    if check and done.returncode != 0:
        said = (done.stdout + done.stderr).decode(errors="replace")
        pytest.fail(f"docker {' '.join(arguments)} ended with {done.returncode}:\n{said[-4000:]}")
    return done


def need_engine() -> None:
    """Fail where no engine runs."""
    try:
        version = docker("version", "--format", "{{.Server.Version}}", timeout_s=30, check=False)
    except FileNotFoundError:
        pytest.fail("docker is not installed")
    if version.returncode != 0:
        pytest.fail(f"no Docker engine answers; start it first: {version.stderr.decode()}")


def build(tag: str, *arguments: str) -> float:
    """Build an image from the checkout as it is; returns the seconds it took."""
    buildkit = docker("buildx", "version", check=False).returncode == 0
    environment = {**os.environ, "DOCKER_BUILDKIT": "1" if buildkit else "0"}
    begin = time.monotonic()
    command = ["docker", "build", *NETWORK, "-t", tag, *arguments]
    built = subprocess.run(command, cwd=REPO, env=environment, capture_output=True, timeout=2400, check=False)
    assert built.returncode == 0, (built.stdout + built.stderr).decode(errors="replace")[-4000:]
    return time.monotonic() - begin


def build_target(target: str) -> str:
    """Build one of our own images; prints what it took and how large it is."""
    tag = f"visionllm-interaction:{target}"
    named = (
        "--build-arg",
        f"REVISION={git('rev-parse', 'HEAD')}",
        "--build-arg",
        f"CREATED={git('log', '-1', '--format=%cI')}",
    )
    seconds = build(tag, "-f", "deploy/docker/Dockerfile", "--target", target, *named, ".")
    print(f"{tag}: {megabytes(tag):.0f} MB, of which the base {megabytes(BASE):.0f}; {seconds:.0f} s")
    return tag


@cache
def git(*arguments: str) -> str:
    """What git says of the checkout; the same for the whole run of tests, whatever is committed meanwhile."""
    return subprocess.run(["git", *arguments], cwd=REPO, check=True, capture_output=True, text=True).stdout.strip()


def megabytes(image: str) -> float:
    """Size of an image with its base, in megabytes (10⁶ bytes)."""
    return float(json.loads(docker("image", "inspect", image).stdout)[0]["Size"]) / 1e6
