"""``/v1/roles`` and ``/v1/videos/{video_id}/roles``: who is a child, confirmed by somebody who looks."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request

from visionllm_interaction.server.auth.route_roles import known_principal, requires
from visionllm_interaction.server.http.unknown_parameters import KNOWN_PARAMETERS
from visionllm_interaction.server.openapi import problems
from visionllm_interaction.server.results.people_to_review import people_of_video, roles_to_confirm
from visionllm_interaction.server.schemas.people import RoleChoices, RolesToConfirm, VideoPeople
from visionllm_interaction.server.state import context_of
from visionllm_interaction.store.layout import list_videos
from visionllm_interaction.store.reader import open_store
from visionllm_interaction.store.roles.reviewed import set_roles

router = APIRouter(prefix="/v1", dependencies=[KNOWN_PARAMETERS], tags=["roles"])
VideoId = Annotated[str, Path(max_length=200, examples=["play-3f6c1d2e4b5a"])]


@router.get("/roles", summary="Roles that nobody has confirmed", dependencies=[requires("viewer")])
def list_roles_to_confirm(
    request: Request,
    limit: Annotated[int, Query(ge=1, le=1000, description="most people in the answer")] = 200,
) -> RolesToConfirm:
    """People of all videos that the key sees: unknown roles first, then the least certain ones."""
    folder = context_of(request).service.visible.store_for(known_principal(request))
    if not list_videos(folder):
        return RolesToConfirm(total=0, people=[], names={})
    with open_store(folder) as store:
        return roles_to_confirm(store, limit=limit)


@router.get(
    "/videos/{video_id}/roles",
    summary="Everybody in a video, and their roles",
    responses=problems(404, 409),
    dependencies=[requires("viewer", audit="view")],
)
def get_roles(request: Request, video_id: VideoId) -> VideoPeople:
    """Each person with up to five places where they can be seen well."""
    with context_of(request).service.analysed.opened(video_id, known_principal(request)) as store:
        return people_of_video(store, video_id)


@router.put(
    "/videos/{video_id}/roles",
    summary="Confirm roles",
    responses=problems(400, 404, 409, 422),
    dependencies=[requires("analyst", audit="correct")],
)
def put_roles(request: Request, video_id: VideoId, choices: RoleChoices) -> VideoPeople:
    """The roles count at once, and stay when the video is analysed again. A role that was corrected is not changed."""
    service, principal = context_of(request).service, known_principal(request)
    with service.analysed.opened(video_id, principal):
        set_roles(service.config.store_dir, video_id, {int(track): role for track, role in choices.roles.items()})
    service.visible.forget_answers()
    with service.analysed.opened(video_id, principal) as store:
        return people_of_video(store, video_id)
