"""Whether the service is ready, and the state of each part."""

from __future__ import annotations

from datetime import UTC, datetime

from visionllm_interaction.server.jobs.data_folder import is_writable
from visionllm_interaction.server.service import Service

CLOCK_TOLERANCE_S = 60.0


def part_states(service: Service) -> dict[str, str]:
    """The state of each part; :func:`is_ready` evaluates it."""
    service.detector.follow_in_background()  # a detector that failed here may have been changed by another process
    full = service.room.free_bytes() < service.config.limits.min_free_disk_mb * 1e6
    return {
        "detector": {"none": "not configured"}.get(service.detector.state, service.detector.state),
        "store": "writable" if is_writable(service.config.store_dir) else "not writable",
        "jobs": "running" if service.jobs.running else "stopped",
        "disk": "nearly full" if full else "enough space",
        "clock": "set back" if clock_is_set_back(service) else "going forward",
        "videos": "some damaged" if service.damaged_videos.find() else "readable",
    }


def part_reasons(service: Service) -> dict[str, str]:
    """Why parts of :func:`part_states` failed, as far as it is known and names no video."""
    found = {"detector": service.detector.reason} if service.detector.reason else {}
    if clock_is_set_back(service):
        found["clock"] = "It is before the last row of the audit log: sessions end, and expired keys open again."
    damaged = len(service.damaged_videos.find())
    if damaged:
        found["videos"] = f"{damaged} of the store cannot be read; the list of videos says which, and why."
    return found


def clock_is_set_back(service: Service) -> bool:
    """Whether the clock shows an earlier time than the last row of the audit log."""
    latest = service.audit.latest()
    return latest is not None and (latest - datetime.now(UTC)).total_seconds() > CLOCK_TOLERANCE_S


def is_ready(states: dict[str, str]) -> bool:
    """Whether all parts are ready; a service without a detector is ready for questions."""
    good = {"ready", "not configured", "writable", "running", "enough space", "going forward", "readable"}
    good |= {"set back", "some damaged"}  # to be mended, but everything else is served
    return all(state in good for state in states.values())
