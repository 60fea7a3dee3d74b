"""Device names are checked wherever a setting takes one."""

from __future__ import annotations

import pytest
from pydantic import BaseModel

from visionllm_interaction.config_loading import Section, load_settings
from visionllm_interaction.detection.training.config import TrainConfig
from visionllm_interaction.errors import ConfigError
from visionllm_interaction.server.config import ServeConfig
from visionllm_interaction.utils.device_names import check_device_name


class Both(Section):
    serve: ServeConfig = ServeConfig()
    train: TrainConfig = TrainConfig()


@pytest.mark.parametrize("name", ["auto", "cpu", "cuda", "cuda:0", "cuda:12"])
def test_devices_are_taken_as_they_are(name: str) -> None:
    assert check_device_name(name) == name
    settings = load_settings(Both, overrides=[f"serve.device={name}", f"train.device={name}"])
    assert settings.serve.device == settings.train.device == name


@pytest.mark.parametrize("name", ["banana", "CPU", "cuda:", "cuda:-1", "cuda:01", "cuda:x", "cpu:0", " cpu", "cuda:٣"])
@pytest.mark.parametrize("key", ["serve.device", "train.device"])
def test_anything_else_is_refused_with_the_other_settings(key: str, name: str) -> None:
    with pytest.raises(ConfigError) as raised:
        load_settings(Both, overrides=[f"{key}='{name}'", "train.epochs=0"])
    [device, epochs] = sorted(raised.value.problems, key=lambda text: key not in text)
    assert key in device and "auto, cpu, cuda or cuda:N" in device and name in device
    assert "train.epochs" in epochs


def test_no_device_is_the_default_of_the_service() -> None:
    assert issubclass(ServeConfig, BaseModel) and ServeConfig().device is None
