"""Consent and retention of each project of the service: the rules, what is due, and what may be exported."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from fastapi import HTTPException

from visionllm_interaction.server.auth.audit_log import AuditLog
from visionllm_interaction.server.auth.roles import Principal
from visionllm_interaction.server.config import ServeConfig
from visionllm_interaction.server.problem_details import http_problem
from visionllm_interaction.server.projects.video_projects import VideoProjects
from visionllm_interaction.store.data_protection.consent import (
    VideoConsent,
    check_consent,
    consent_of,
    videos_concerned,
)
from visionllm_interaction.store.data_protection.register import (
    AppliedRules,
    ConsentRecord,
    ConsentState,
    ConsentSubject,
    ProjectRules,
    read_data_protection,
    record_consent,
    set_rules,
)
from visionllm_interaction.store.data_protection.retention import is_due
from visionllm_interaction.store.writer import prepare_store
from visionllm_interaction.utils.file_locks import try_lock_file
from visionllm_interaction.utils.logs import log

RETENTION = Principal(key_id="-", name="retention", role="admin")
"""Who erases what is due in the audit log, where a project lets the service do it by itself."""
LOOK_EVERY_S = 3600.0


@dataclass(frozen=True)
class ProjectState:
    """A project: its rules, and what follows from them.

    Attributes:
        project: its name.
        rules: its rules.
        video_ids: its videos.
        due: those that should have been erased.
        consents: number of videos by the state of their consent.
    """

    project: str
    rules: AppliedRules
    video_ids: tuple[str, ...]
    due: tuple[str, ...]
    consents: Counter[ConsentState]


class ProjectDataProtection:
    """Who consented in each project, and how long its videos are kept.

    Args:
        config: the section ``serve``.
        projects: which videos are of which project.
        audit: the audit log.
        erase: erases a video, wherever something of it is.
    """

    def __init__(
        self, config: ServeConfig, projects: VideoProjects, audit: AuditLog, *, erase: Callable[[str], None]
    ) -> None:
        self._store = config.store_dir
        self._lock_file = config.data_dir / ".retention.lock"
        self._projects = projects
        self._audit = audit
        self._erase = erase
        self._stopping = threading.Event()

    def start(self) -> None:
        """Look every hour for what is due in projects that let the service erase it."""
        self._stopping.clear()
        threading.Thread(target=self._erase_until_stopped, name="retention", daemon=True).start()

    def stop(self) -> None:
        """Look no more."""
        self._stopping.set()

    def states(self, principal: Principal) -> list[ProjectState]:
        """The projects that somebody sees and that have videos or rules, by name.

        Args:
            principal: who asks.

        Returns:
            Their states.

        Raises:
            StoreError: if what is recorded cannot be read.
        """
        named = {name for name in read_data_protection(self._store).projects if name != "*"}
        found = sorted(named | set(self._projects.videos_by_project()))
        return [self.state(name) for name in found if principal.sees(name)]

    def videos_without_project(self, principal: Principal) -> int:
        """Number of videos that are never due, since nobody knows their project; 0 for who sees some projects only."""
        return len(self._projects.without_project()) if principal.projects is None else 0

    def state(self, project: str) -> ProjectState:
        """One project; without videos if there is none of this name.

        Args:
            project: its name.

        Returns:
            Its state.

        Raises:
            StoreError: if what is recorded cannot be read.
        """
        rules = read_data_protection(self._store).rules_of(project)
        videos = tuple(sorted(self._projects.videos_by_project().get(project, ())))
        consents = Counter(one.state for one in consent_of(self._store, videos, project=project))
        return ProjectState(project, rules, videos, videos if is_due(rules.retain_until) else (), consents)

    def set_rules(self, project: str, rules: ProjectRules) -> None:
        """Set rules of a project; those that are not named in ``rules`` stay."""
        prepare_store(self._store)
        set_rules(self._store, project, rules)

    def consents(self, project: str) -> tuple[list[VideoConsent], list[ConsentRecord]]:
        """The consent for each video of a project, and the records that count in it, oldest first.

        A record of the whole store is shown if it is about a child, session or video of the project: others tell of
        children whom its people do not see.
        """
        known = read_data_protection(self._store)
        videos = sorted(self._projects.videos_by_project().get(project, ()))
        found = consent_of(self._store, videos, project=project, known=known)
        records = [
            one
            for one in known.consents
            if one.project == project or (one.project is None and videos_concerned(found, one.about, one.name))
        ]
        return found, records

    def is_withdrawn(self, video_id: str) -> bool:
        """Whether consent for a video was withdrawn."""
        project = self._projects.project_of("video_id", video_id)
        [found] = consent_of(self._store, [video_id], project=project)
        return found.state == "withdrawn"

    def record(
        self, project: str, about: ConsentSubject, name: str, state: ConsentState, *, who: Principal, note: str
    ) -> int:
        """Record consent in a project.

        Args:
            project: the project.
            about: ``child``, ``session`` or ``video``.
            name: whose, or of which video.
            state: what is recorded.
            who: who records it.
            note: for example where the signed form is kept.

        Returns:
            How many videos of the project the record is about.

        Raises:
            HTTPException: 404 if it is about a video that the project does not have.
            UsageError: if the name is blank.
        """
        if about == "video" and name not in self._projects.videos_by_project().get(project, ()):
            raise http_problem(404, "The project has no video with this id.", code="NOT-FOUND", found=name[:100])
        prepare_store(self._store)
        record_consent(self._store, about, name, state, who=who.name, project=project, note=note)
        return len(videos_concerned(self.consents(project)[0], about, name))

    def check_export(self, video_ids: Iterable[str]) -> None:
        """Refuse to let something of videos leave the service without consent.

        Args:
            video_ids: the videos.

        Raises:
            ConsentMissing: if consent for one of them was withdrawn, or is required and not recorded.
            StoreError: if what is recorded cannot be read.
        """
        by_project: dict[str | None, list[str]] = {}
        for video_id in video_ids:
            by_project.setdefault(self._projects.project_of("video_id", video_id), []).append(video_id)
        for project, ids in by_project.items():
            check_consent(self._store, ids, project=project)

    def erase_due(self, project: str, video_ids: Sequence[str], *, who: Principal, route: str) -> list[str]:
        """Erase videos that are due, named one by one.

        Args:
            project: the project.
            video_ids: the videos.
            who: who erases them.
            route: the address, for the audit log.

        Returns:
            The videos that are erased.

        Raises:
            HTTPException: 409 if one of them is not due; none is erased then.
        """
        state = self.state(project)
        not_due = [one for one in video_ids if one not in state.due]
        if not_due:
            raise http_problem(
                409,
                "Only videos that are due are erased here; none was erased.",
                code="NOT-DUE",
                expected=f"videos that GET /v1/projects/{project}/due lists",
                found=", ".join(not_due[:5]),
                fix=f"erase others one by one: DELETE /v1/videos/{not_due[0]}",
            )
        for video_id in dict.fromkeys(video_ids):
            self._erase_one(project, video_id, who=who, route=route)
        return list(dict.fromkeys(video_ids))

    def erase_what_is_due(self) -> int:
        """Erase what is due in the projects that let the service do it; one process of the data folder at a time.

        A video that cannot be erased is logged, keeps no other from being erased, and is tried again the next time.

        Returns:
            The number of videos that were erased.
        """
        lock = try_lock_file(self._lock_file)
        if lock is None:  # another process of this data folder is at it
            return 0
        with lock:
            erased = sum(self._erase_due_of(project) for project in self._projects.videos_by_project())
        if erased:
            log.info("videos were erased because their retention has ended", videos=erased)
        return erased

    def _erase_due_of(self, project: str) -> int:
        state, erased = self.state(project), 0
        for video_id in state.due if state.rules.erase_when_due else ():
            try:
                self._erase_one(project, video_id, who=RETENTION, route="retention")
                erased += 1
            except Exception as error:  # noqa: BLE001 (whatever is wrong with one video, the others are due as well)
                log.warning("a video that is due could not be erased", project=project, error=type(error).__name__)
        return erased

    def _erase_one(self, project: str, video_id: str, *, who: Principal, route: str) -> None:
        subject = self._audit.subject_of(video_id)  # once it is erased, nothing knows its token
        try:
            self._erase(video_id)
        except HTTPException:  # somebody else has erased it: no token may name it any more
            self._audit.forget(video_id)
            raise
        self._audit.record("erase", who=who, route=route, subject=subject, project=project)

    def _erase_until_stopped(self) -> None:
        while not self._stopping.is_set():
            try:
                self.erase_what_is_due()
            except Exception as error:  # noqa: BLE001 (a thread that ended would never erase again)
                log.warning("what is due could not be erased", error=type(error).__name__)
            self._stopping.wait(LOOK_EVERY_S)
