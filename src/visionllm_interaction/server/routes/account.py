"""``/v1/me`` and ``/v1/audit``: what the key may do, and who did what."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request

from visionllm_interaction.server.auth.audit_log import AuditRow
from visionllm_interaction.server.auth.route_roles import known_principal, requires
from visionllm_interaction.server.http.unknown_parameters import KNOWN_PARAMETERS
from visionllm_interaction.server.results.list_pages import Cursor, page_of
from visionllm_interaction.server.schemas.access import AuditEntry, AuditPage, KeyRights
from visionllm_interaction.server.state import context_of

router = APIRouter(prefix="/v1", dependencies=[KNOWN_PARAMETERS], tags=["access"])


@router.get("/me", summary="What the key may do", dependencies=[requires("viewer")])
def get_me(request: Request) -> KeyRights:
    """Name, role and projects of the key."""
    principal = known_principal(request)
    projects = {state.project for state in context_of(request).service.lists.videos(principal)}
    return KeyRights(
        name=principal.name,
        role=principal.role,
        projects=None if principal.projects is None else sorted(principal.projects),
        known_projects=sorted(one for one in projects if one is not None),
    )


@router.get("/audit", summary="The audit log", dependencies=[requires("admin")])
def get_audit(
    request: Request,
    cursor: Cursor = None,
    action: Annotated[str | None, Query(max_length=40, description="only rows of this action")] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> AuditPage:
    """Who saw, uploaded, exported, erased or changed what, newest first; of the projects that the key sees."""
    service, principal = context_of(request).service, known_principal(request)
    names = service.audit.names()
    found = [
        row
        for row in service.audit.rows()
        if (action is None or row.action == action) and (principal.projects is None or principal.sees(row.project))
    ]
    page = page_of(found, _place, cursor=cursor, limit=limit, newest_first=True)
    shown = [
        AuditEntry(
            at=row.at,
            who=row.who,
            action=row.action,
            route=row.route,
            subject=row.subject,
            video_id=names.get(row.subject or ""),
            project=row.project,
            missed=row.missed,
        )
        for row in page.entries
    ]
    return AuditPage(rows=shown, next=page.next, faults=service.audit.verify() if principal.projects is None else [])


def _place(row: AuditRow) -> tuple[str, ...]:
    """Where a row stands: by its time, then by its number in the file of its process."""
    return (row.at, f"{row.seq:012d}", row.digest)
