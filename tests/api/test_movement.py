"""The bounding-box dataset of a store is valid to the real `movement` package, installed for the purpose."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from api_store import make_api_store

import visionllm_interaction as v

MOVEMENT = "movement==0.15.0"
CHECK = """
import sys
import xarray
from movement.kinematics import compute_velocity
from movement.validators.datasets import ValidBboxesInputs

data = xarray.open_dataset(sys.argv[1], engine="scipy")
ValidBboxesInputs.validate(data)
print(dict(compute_velocity(data.position).sizes) == dict(data.position.sizes))
"""


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_dataset_of_ours_is_valid_to_movement(tmp_path: Path) -> None:
    uv, python = Path(sys.executable).parent / "uv", tmp_path / "venv" / "bin" / "python"
    subprocess.run([uv, "venv", "-q", tmp_path / "venv"], check=True)
    subprocess.run([uv, "pip", "install", "-q", "--python", python, MOVEMENT], check=True)
    with v.open_store(make_api_store(tmp_path / "store")) as store:
        store.to_xarray().to_netcdf(tmp_path / "tracks.nc", engine="scipy")
    done = subprocess.run([python, "-c", CHECK, tmp_path / "tracks.nc"], capture_output=True, text=True)
    assert done.stdout.strip().endswith("True"), done.stderr
