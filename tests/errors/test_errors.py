"""The exception tree: exit codes as documented, and messages that say what to do."""

from __future__ import annotations

import inspect

import pytest

from visionllm_interaction import errors
from visionllm_interaction.errors import VisionLLMError

EXIT_CODES = {errors.UsageError: 2, errors.InputDataError: 3, errors.ServiceError: 4, errors.Interrupted: 75}


def _all_errors() -> list[type[VisionLLMError]]:
    return [c for _, c in inspect.getmembers(errors, inspect.isclass) if issubclass(c, VisionLLMError)]


@pytest.mark.parametrize("kind", _all_errors(), ids=lambda kind: kind.__name__)
def test_every_error_has_its_branchs_exit_code_and_is_drawn_in_the_tree(kind: type[VisionLLMError]) -> None:
    branch = next((code for base, code in EXIT_CODES.items() if issubclass(kind, base)), 1)
    assert kind.exit_code == branch
    assert kind.__name__ in (errors.__doc__ or "")


def test_codes_are_unique() -> None:
    codes = [kind.code for kind in _all_errors()]
    assert len(set(codes)) == len(codes)


def test_message_and_json_form() -> None:
    error = errors.VideoError("No video.", expected="an MP4", found="text", where="a.mp4", fix="send a video")
    assert str(error) == "No video.\n  expected: an MP4\n  found: text\n  where: a.mp4\n  fix: send a video"
    assert error.to_dict() == {
        "code": "VIDEO",
        "message": "No video.",
        "expected": "an MP4",
        "found": "text",
        "where": "a.mp4",
        "fix": "send a video",
    }
