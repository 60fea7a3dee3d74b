"""The ASGI application: routes, access control, error handlers and the web page."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TYPE_CHECKING

from fastapi import Depends, FastAPI
from starlette.concurrency import run_in_threadpool

from visionllm_interaction import __version__
from visionllm_interaction.analysis import AnalysisConfig
from visionllm_interaction.detection.promotion.config import PromoteConfig
from visionllm_interaction.errors import UsageError
from visionllm_interaction.measures.config import MeasuresConfig
from visionllm_interaction.reasoning.config import ReasonConfig
from visionllm_interaction.server import openapi
from visionllm_interaction.server import problem_details as problems
from visionllm_interaction.server.auth.api_keys import KeyRing
from visionllm_interaction.server.auth.login import login_router
from visionllm_interaction.server.auth.middleware import AccessMiddleware, is_loopback
from visionllm_interaction.server.auth.route_roles import add_routes, check_roles_declared, deny_undeclared
from visionllm_interaction.server.auth.sessions import Sessions
from visionllm_interaction.server.config import ServeConfig
from visionllm_interaction.server.http.client_timeouts import Stopping
from visionllm_interaction.server.http.head_etag_gzip import ContentMiddleware
from visionllm_interaction.server.metrics import Metrics
from visionllm_interaction.server.routes import account as routes_account
from visionllm_interaction.server.routes import ask as routes_ask
from visionllm_interaction.server.routes import corrections as routes_corrections
from visionllm_interaction.server.routes import detect as routes_detect
from visionllm_interaction.server.routes import detectors as routes_detectors
from visionllm_interaction.server.routes import exports as routes_exports
from visionllm_interaction.server.routes import health as routes_health
from visionllm_interaction.server.routes import jobs as routes_jobs
from visionllm_interaction.server.routes import measures as routes_measures
from visionllm_interaction.server.routes import patterns as routes_patterns
from visionllm_interaction.server.routes import projects as routes_projects
from visionllm_interaction.server.routes import roles as routes_roles
from visionllm_interaction.server.routes import training_runs as routes_training_runs
from visionllm_interaction.server.routes import uploads as routes_uploads
from visionllm_interaction.server.routes import videos as routes_videos
from visionllm_interaction.server.service import Service
from visionllm_interaction.server.state import ServiceContext
from visionllm_interaction.server.ui.pages import STATIC, add_pages, add_static_files

if TYPE_CHECKING:  # older versions have none, and pass over the argument
    from fastapi.telemetry import TelemetryConfig

NO_TELEMETRY: TelemetryConfig = {"tracing": False, "metrics": False, "logs": False, "auto_configure": False}
"""FastAPI's own spans hold paths with ids, queries and messages of exceptions; those of ``serve.traces`` do not."""


def create_app(
    serve: ServeConfig,
    *,
    analysis: AnalysisConfig,
    reason: ReasonConfig,
    measures: MeasuresConfig = MeasuresConfig(),
    promote: PromoteConfig = PromoteConfig(),
) -> FastAPI:
    """Build the service as an ASGI application; jobs and detector start and stop with it.

    A process holds at most one: the job engine (DBOS) is a singleton.

    Args:
        serve: the section ``serve``.
        analysis: how uploaded videos are analysed.
        reason: how questions are answered.
        measures: definitions of measures.
        promote: what a detector must show before it may serve.

    Returns:
        The application, not yet started.

    Raises:
        UsageError: if other machines could use it without a key.
        ConfigError: if the file of keys cannot be read.
        RuntimeError: if a route declares no role.
    """
    keys = KeyRing(serve.keys_path)
    check_exposure(serve, keys)
    sessions = Sessions(serve.data_dir / "session.secret", keys, serve.oidc)
    service = Service(serve, analysis=analysis, reason=reason, measures=measures, promote=promote)
    context = ServiceContext(service, Metrics(service), Stopping())
    app = FastAPI(
        title="VisionLLM Interaction Analysis",
        version=__version__,
        openapi_url=None,  # a route of ours, which declares its role, gives the document
        dependencies=[Depends(deny_undeclared)],
        docs_url=None,  # FastAPI's documentation page loads its scripts from another host
        redoc_url=None,
        telemetry=NO_TELEMETRY,
        lifespan=_lifespan(service),
    )
    problems.install(app)
    openapi.install(app)
    for routes in (
        routes_detect,
        routes_ask,
        routes_videos,
        routes_jobs,
        routes_exports,
        routes_uploads,
        routes_corrections,
        routes_roles,
        routes_measures,
        routes_patterns,
        routes_training_runs,
        routes_detectors,
        routes_projects,
        routes_account,
        routes_health,
    ):
        add_routes(app, routes.router)
    add_routes(app, login_router(keys=keys, sessions=sessions, secure=serve.secure_cookie, oidc=serve.oidc))
    if serve.page:
        add_pages(app)
    add_static_files(app)  # the login page needs them, too
    check_roles_declared(app, open_mounts=[STATIC.rstrip("/")])
    app.state.service, app.state.stopping = service, context.stopping
    app.state.max_upload_bytes = int(serve.limits.max_video_mb * 1e6)
    app.state.max_question_chars = min(serve.limits.max_question_chars, reason.max_question_chars)
    app.add_middleware(ContentMiddleware)
    app.add_middleware(AccessMiddleware, context=context, keys=keys, sessions=sessions)
    return app


def check_exposure(serve: ServeConfig, keys: KeyRing) -> None:
    """Refuse a configuration in which other machines could use the service without a key.

    Args:
        serve: the section ``serve``.
        keys: the keys of the service.

    Raises:
        UsageError: without keys, unless ``insecure`` is set; and with ``insecure`` on a public address.
    """
    fix = "make a key: visionllm keys create NAME --role admin"
    if serve.insecure and not is_loopback(serve.host):
        raise UsageError(
            "Without keys the service listens only on the loopback address.",
            expected="serve.host 127.0.0.1, ::1 or localhost",
            found=serve.host,
            fix=f"{fix}, and start without --insecure",
        )
    if not serve.insecure and not keys.entries and serve.oidc.issuer is None:
        raise UsageError(
            "The service has no API key.",
            expected="at least one key",
            where=str(serve.keys_path),
            fix=f"{fix}; or, on your own machine, start with --insecure",
        )


def _lifespan(service: Service) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def run(_: FastAPI) -> AsyncIterator[None]:
        running = service.started()
        await run_in_threadpool(running.__enter__)
        try:
            yield
        finally:
            await run_in_threadpool(running.__exit__, None, None, None)

    return run
