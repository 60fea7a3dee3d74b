"""What the service says is wrong, as an exception."""

from __future__ import annotations

import json
from typing import Any

from visionllm_interaction.errors import ServiceError


class ServiceProblem(ServiceError):
    """An answer of the service that is no success: its problem details (RFC 9457).

    Args:
        status: the HTTP status; 0 if the service did not answer.
        content: the members of the problem.
    """

    def __init__(self, status: int, content: dict[str, Any]) -> None:
        places = "; ".join(f"{one['where']}: {one['message']}" for one in content.get("errors") or ())
        super().__init__(
            str(content.get("detail") or f"The service answered {status}."),
            expected=content.get("expected"),
            found=content.get("found") or places or None,
            where=content.get("instance"),
            fix=content.get("fix"),
        )
        self.status = status
        self.problem_code = str(content.get("code", ""))
        self.request_id = content.get("request_id")

    @classmethod
    def of(cls, status: int, body: bytes) -> ServiceProblem:
        """The problem in the body of an answer; a body that holds none gives one with the status alone."""
        try:
            content: Any = json.loads(body)
        except ValueError:
            content = {}
        return cls(status, content if isinstance(content, dict) else {})
