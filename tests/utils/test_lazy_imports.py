"""Names that are imported when they are first used."""

from __future__ import annotations

import subprocess
import sys

import pytest

from visionllm_interaction.utils.lazy_attributes import lazy_attributes


def _run(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()


def test_a_name_comes_from_its_module_also_under_another_name() -> None:
    get = lazy_attributes("visionllm_interaction.utils", {"sha256_file": "hashing", "digest": "hashing:sha256_file"})
    assert get("digest") is get("sha256_file")
    assert get("digest").__module__ == "visionllm_interaction.utils.hashing"
    with pytest.raises(AttributeError, match=r"'visionllm_interaction\.utils' has no attribute 'md5'"):
        get("md5")


def test_a_function_in_a_module_of_its_own_name_stays_the_function() -> None:
    code = "import visionllm_interaction.reasoning as r; from visionllm_interaction.utils.lazy_attributes import *;"
    code += "lazy_attributes(r.__name__, {'describe': 'describing.api'})('describe'); print(type(r.describe).__name__)"
    assert _run(code) == "function"


def test_a_package_that_can_be_called_stays_a_package() -> None:
    code = "import visionllm_interaction as v; v.measures; import visionllm_interaction.measures.turn_limits as t;"
    assert _run(f"{code} print(type(v.measures).__name__, v.measures.turn_limits is t)") == "_CallablePackage True"


def test_importing_the_package_loads_the_helper_alone() -> None:
    code = "import sys; before = set(sys.modules); import visionllm_interaction; print(*set(sys.modules) - before)"
    name = "visionllm_interaction"
    assert set(_run(code).split()) - {"__future__"} == {name, f"{name}.utils", f"{name}.utils.lazy_attributes"}
