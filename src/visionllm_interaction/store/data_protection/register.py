"""``data_protection.json`` of a store: who consented, and the rules of each project.

Records of consent are only ever added, with who and when; the last one about a child, session or video holds. They
stay when a video is analysed again. A store without the file has no rules and no records.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from visionllm_interaction.artifacts.manifest import utc_now
from visionllm_interaction.errors import StoreError, UsageError
from visionllm_interaction.store.layout import check_store
from visionllm_interaction.utils.atomic_files import write_file
from visionllm_interaction.utils.file_locks import wait_for_lock
from visionllm_interaction.utils.path_type import StrPath

FILE = "data_protection.json"
WHOLE_STORE = "*"
"""The rules that projects follow where they have none of their own, and of stores used without the service."""
ConsentState = Literal["given", "withdrawn", "not recorded"]
ConsentSubject = Literal["child", "session", "video"]
Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]


class ConsentRecord(BaseModel):
    """What was recorded about the consent for a child, a session or a video.

    Attributes:
        about: what the consent is for: all videos of a child, those of a session, or one video.
        name: the child's id as in the covariate ``child``, the session's name, or the video's id.
        state: ``not recorded`` takes earlier records back.
        project: the project in which it holds; None: in all.
        who: who recorded it.
        at: when, UTC.
        note: for example where the signed form is kept.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    about: ConsentSubject
    name: Name
    state: ConsentState
    project: str | None = None
    who: Name
    at: str
    note: str = Field(default="", max_length=500)


class ProjectRules(BaseModel):
    """The rules that are set for a project; each that is None is that of the whole store.

    Attributes:
        consent_required: whether videos without a recorded consent may not be exported.
        retain_until: the last day on which its videos may be kept; ``never``: there is none, whatever the store says.
        erase_when_due: whether a running service erases what is due by itself.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    consent_required: bool | None = None
    retain_until: date | Literal["never"] | None = None
    erase_when_due: bool | None = None


@dataclass(frozen=True, slots=True)
class AppliedRules:
    """The rules that hold in a project: its own, and where it has none, those of the whole store.

    Attributes:
        consent_required: whether videos without a recorded consent may not be exported.
        retain_until: the last day on which its videos may be kept; None: no such day.
        erase_when_due: whether a running service erases what is due by itself.
    """

    consent_required: bool
    retain_until: date | None
    erase_when_due: bool


class DataProtection(BaseModel):
    """The content of the file.

    Attributes:
        schema_version: of the file.
        projects: project, or :data:`WHOLE_STORE` → the rules that are set for it.
        consents: records of consent, oldest first.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[1] = 1
    projects: Mapping[str, ProjectRules] = {}
    consents: tuple[ConsentRecord, ...] = ()

    def rules_of(self, project: str) -> AppliedRules:
        """The rules that hold in a project: each its own, else that of the whole store."""
        layers = [self.own_rules_of(project), self.own_rules_of(WHOLE_STORE)]
        until = next((one.retain_until for one in layers if one.retain_until is not None), None)
        return AppliedRules(
            next((one.consent_required for one in layers if one.consent_required is not None), False),
            None if until == "never" else until,
            next((one.erase_when_due for one in layers if one.erase_when_due is not None), False),
        )

    def own_rules_of(self, project: str) -> ProjectRules:
        """The rules that are set for a project, or for :data:`WHOLE_STORE`."""
        return self.projects.get(project) or ProjectRules()


def read_data_protection(store: StrPath) -> DataProtection:
    """Read the file of a store.

    Args:
        store: the store's folder.

    Returns:
        Its content; empty if there is none.

    Raises:
        StoreError: if it is damaged. Nothing is exported then.
    """
    path = Path(store) / FILE
    try:
        return DataProtection.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return DataProtection()
    except (OSError, ValidationError) as error:
        raise StoreError(
            "What is recorded about consent cannot be read.",
            expected=f"a {FILE} as `visionllm consent` writes it",
            found=" ".join(str(error).split())[:300],
            where=str(path),
            fix="restore the file from a backup",
        ) from error


def record_consent(
    store: StrPath,
    about: ConsentSubject,
    name: str,
    state: ConsentState,
    *,
    who: str,
    project: str | None = None,
    note: str = "",
) -> ConsentRecord:
    """Record the consent for a child, a session or a video.

    Args:
        store: the store's folder.
        about: ``child``, ``session`` or ``video``.
        name: the child's id, the session's name, or the video's id.
        state: ``given``, ``withdrawn``, or ``not recorded`` to take earlier records back.
        who: who records it.
        project: the project in which it holds; None: in all.
        note: for example where the signed form is kept.

    Returns:
        The record.

    Raises:
        StoreError: if there is no store, or its file is damaged.
        UsageError: if a name is blank or too long.
    """
    try:
        record = ConsentRecord(
            about=about, name=name, state=state, project=project, who=who, at=utc_now(), note=note.strip()
        )
    except ValidationError as error:
        problem = error.errors()[0]
        found = f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}"
        raise UsageError("The consent cannot be recorded.", expected="a name, and a short note", found=found) from error
    check_store(store)
    with wait_for_lock(Path(store)):
        former = read_data_protection(store)
        _write(store, former.model_copy(update={"consents": (*former.consents, record)}))
    return record


def set_rules(store: StrPath, project: str, rules: ProjectRules) -> None:
    """Set rules of a project.

    Args:
        store: the store's folder.
        project: the project, or :data:`WHOLE_STORE`.
        rules: its rules; those that are not named in it stay as they are.

    Raises:
        StoreError: if there is no store, or its file is damaged.
    """
    check_store(store)
    with wait_for_lock(Path(store)):
        former = read_data_protection(store)
        changed = former.own_rules_of(project).model_copy(update=rules.model_dump(exclude_unset=True))
        _write(store, former.model_copy(update={"projects": {**former.projects, project: changed}}))


def forget_consent_of_video(store: StrPath, video_id: str) -> None:
    """Delete the records about a video that is erased and is not in the store itself.

    Args:
        store: the store's folder.
        video_id: the video.
    """
    if (Path(store) / FILE).is_file():
        with wait_for_lock(Path(store)):
            forget_consent_under_lock(store, video_id)


def forget_consent_under_lock(store: StrPath, video_id: str) -> None:
    """Delete the records about a video that is erased, for callers that hold the store's lock."""
    with suppress(StoreError):  # one that is damaged blocks exports, and must not stop an erasure
        former = read_data_protection(store)
        kept = tuple(one for one in former.consents if (one.about, one.name) != ("video", video_id))
        if len(kept) != len(former.consents):
            _write(store, former.model_copy(update={"consents": kept}))


def _write(store: StrPath, content: DataProtection) -> None:
    write_file(Path(store) / FILE, (content.model_dump_json(indent=1) + "\n").encode())
