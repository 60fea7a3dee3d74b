"""Streams of events (server-sent events), read line by line."""

from __future__ import annotations

import json
from typing import Final

from visionllm_interaction.client.models import RemoteJob
from visionllm_interaction.client.problems import ServiceProblem
from visionllm_interaction.reasoning.answers import Answer, AnswerStage, Claim

_EVENT: Final = "event: "
_DATA: Final = "data: "


class EventLines:
    """Puts the lines of a stream together: a name, then data, which is JSON in one line."""

    def __init__(self) -> None:
        self._name = ""

    def event(self, line: str) -> tuple[str, str] | None:
        """The event whose data stands in a line: its name and JSON; None for any other line."""
        if line.startswith(_EVENT):
            self._name = line.removeprefix(_EVENT)
        return (self._name, line.removeprefix(_DATA)) if line.startswith(_DATA) else None


class JobEvents(EventLines):
    """The stream of a job."""

    def read(self, line: str) -> RemoteJob | None:
        """The job that a line brings, if it brings one."""
        found = self.event(line)
        return RemoteJob.model_validate_json(found[1]) if found and found[0] == "job" else None


class AnswerEvents(EventLines):
    """The stream of an answer: stages, claims, and at its end the answer."""

    def __init__(self) -> None:
        super().__init__()
        self._is_complete = False

    def read(self, line: str) -> AnswerStage | Claim | Answer | None:
        """What a line brings.

        Args:
            line: the next line.

        Returns:
            A stage, a claim or the answer; None for a line that brings nothing.

        Raises:
            ServiceProblem: if it brings a problem.
        """
        found = self.event(line)
        if found is None:
            return None
        name, data = found
        if name == "problem":
            raise ServiceProblem(int(json.loads(data)["status"]), json.loads(data))
        if name == "stage":
            return AnswerStage.model_validate_json(data)
        if name == "claim":
            return Claim.model_validate_json(data)
        self._is_complete = name == "answer"
        return Answer.model_validate_json(data) if self._is_complete else None

    def check_complete(self) -> None:
        """Refuse a stream that ended before the answer came.

        Raises:
            ServiceProblem: if none came.
        """
        if not self._is_complete:
            detail = {"detail": "The answer was cut off.", "code": "CUT-OFF", "fix": "ask again"}
            raise ServiceProblem(0, detail)
