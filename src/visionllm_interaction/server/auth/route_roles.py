"""The role that each route needs, declared at the route; a route without a declared role answers nobody.

``dependencies=[requires("analyst")]`` at a route or a router declares a role and enforces it. It also keeps projects
apart: a path or query that names a video, a job or an upload of a project that the key does not see is answered as if
there were none of that id. A route that declares none fails the start: :func:`add_routes` adds no such one of a
router, and :func:`check_roles_declared` looks at all once more. Later ones are answered to nobody: those added to the
application, or included in it, :func:`deny_undeclared` refuses; those added to a router are not the application's.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Literal

from fastapi import APIRouter, Depends, FastAPI, Request
from fastapi.routing import APIRoute
from starlette.routing import BaseRoute, Mount

from visionllm_interaction.server.auth.roles import ROLES, Principal, Role
from visionllm_interaction.server.problem_details import http_problem, not_found

NeededRole = Literal["anyone"] | Role
ID_KINDS = {"video_id": "video", "job_id": "job", "upload_id": "upload", "project_id": "project"}
"""Names of parameters that name something of a project."""


class RoleCheck:
    """The dependency of a route that needs a role.

    Args:
        role: the least role; ``anyone`` needs no key.
        audit: what the audit log calls a request that succeeds; None: it is not logged.
    """

    def __init__(self, role: NeededRole, audit: str | None) -> None:
        self.role: NeededRole = role
        self.audit = audit

    def __call__(self, request: Request) -> None:
        """Refuse a request whose key has not the role, or does not see what it names.

        Args:
            request: the request.

        Raises:
            HTTPException: 403 for the role, 404 for what is of another project.
        """
        if self.role == "anyone":
            return
        principal = principal_of(request)
        if principal is None or not principal.has_role(self.role):
            raise _needs_role(self.role, principal)
        named = _named_ids(request)
        _check_projects(request, principal, named)
        if self.audit is not None:
            request.state.audit_action = self.audit
            video_id = next((one for name, one in named if name == "video_id"), None)
            if video_id is not None:  # now: once it is erased, nothing knows its token
                service = request.scope["state"]["context"].service
                request.state.audited = service.audited(video_id)
            elif "project_id" in request.path_params:
                request.state.audited = (None, request.path_params["project_id"])


def requires(role: NeededRole, *, audit: str | None = None) -> Any:
    """Declare the role that a route needs.

    Args:
        role: the least role; ``anyone`` needs no key.
        audit: what the audit log calls a request that succeeds, for example ``"erase"``; None: it is not logged.

    Returns:
        A dependency, for ``dependencies=[…]`` of a route or a router.
    """
    return Depends(RoleCheck(role, audit))


def principal_of(request: Request) -> Principal | None:
    """Who sent a request; None for a route that needs no key, asked without one."""
    principal: Principal | None = request.scope["state"].get("principal")
    return principal


def known_principal(request: Request) -> Principal:
    """Who sent a request to a route that declares a role."""
    principal = principal_of(request)
    assert principal is not None, "the route declares no role"
    return principal


async def deny_undeclared(request: Request) -> None:
    """The dependency of the application: a route that declares no role is answered to nobody.

    Args:
        request: the request.

    Raises:
        HTTPException: 403.
    """
    route = request.scope.get("route")
    if isinstance(route, APIRoute) and declared_role(route) is None:
        raise http_problem(403, "This address declares no role, so that nobody may use it.", code="NO-ROLE")


def declared_role(route: APIRoute) -> NeededRole | None:
    """The highest role that a route or its router declares; None: it declares none."""
    order: Sequence[NeededRole] = ("anyone", *ROLES)
    found = [one.dependency.role for one in route.dependencies if isinstance(one.dependency, RoleCheck)]
    return max(found, key=order.index, default=None)


def add_routes(app: FastAPI, router: APIRouter) -> None:
    """Add the routes of a router as they are at this time.

    ``include_router`` would make each a second time when it is first asked for: a tenth of a second of the start. Our
    routers say all that belongs to a route themselves, and the dependency of the application is not added to theirs.

    Args:
        app: the application.
        router: a router that includes no other.

    Raises:
        RuntimeError: if one of its routes declares no role.
    """
    _refuse_undeclared(one for one in router.routes if not (isinstance(one, APIRoute) and declared_role(one)))
    app.router.routes.extend(router.routes)


def all_routes(routes: Sequence[BaseRoute]) -> Iterator[BaseRoute]:
    """All routes, also those of routers that are included."""
    for route in routes:
        inner = getattr(route, "original_router", None)
        if inner is None:
            yield route
        else:
            yield from all_routes(inner.routes)


def check_roles_declared(app: FastAPI, *, open_mounts: Sequence[str]) -> None:
    """Check that every route of an application declares a role.

    Args:
        app: the application.
        open_mounts: paths of mounted files that hold no data.

    Raises:
        RuntimeError: if one does not.
    """
    _refuse_undeclared(
        route
        for route in all_routes(app.routes)
        if not (isinstance(route, APIRoute) and declared_role(route) is not None)
        and not (isinstance(route, Mount) and route.path in open_mounts)
    )


def _refuse_undeclared(routes: Iterable[BaseRoute]) -> None:
    undeclared = sorted(getattr(route, "path", repr(route)) for route in routes)
    if undeclared:
        raise RuntimeError(f"no role is declared (dependencies=[requires(…)]): {', '.join(undeclared)}")


def _named_ids(request: Request) -> list[tuple[str, str]]:
    in_path = [(name, str(value)) for name, value in request.path_params.items()]
    return [(name, value) for name, value in (*in_path, *request.query_params.multi_items()) if name in ID_KINDS]


def _check_projects(request: Request, principal: Principal, named: list[tuple[str, str]]) -> None:
    if principal.projects is None:
        return
    service = request.scope["state"]["context"].service
    for name, value in named:
        if not principal.sees(service.projects.project_of(name, value)):
            raise not_found(ID_KINDS[name], value)


def _needs_role(role: Role, principal: Principal | None) -> Exception:
    return http_problem(
        403,
        "This needs a key with more rights.",
        code="ROLE",
        expected=f"the role {' or '.join(ROLES[ROLES.index(role) :])}",
        found=f"a key with the role {principal.role}" if principal else "no key",
        fix=f"ask for a key made with `visionllm keys create NAME --role {role}`",
    )
