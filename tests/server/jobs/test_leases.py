"""Signs of life: whose jobs are taken over, when, and by how many."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from visionllm_interaction.server.jobs import leases
from visionllm_interaction.server.jobs.leases import LEASE_S, Leases


class Hosts:
    """Services on one folder, with a clock that the test sets and jobs that the database knows as running."""

    def __init__(self, folder: Path, *names: str) -> None:
        folder.mkdir(exist_ok=True)
        self.now, self.pending, self.taken = 1000.0, set[str](), list[tuple[str, str]]()
        self.one_by_name = {name: self._made(folder, name) for name in names}

    def _made(self, folder: Path, name: str) -> Leases:
        def take_over(dead: str) -> None:
            self.taken.append((dead, name))
            self.pending.discard(dead)

        return Leases(folder, name, pending=lambda: self.pending, take_over=take_over)

    def live(self, *names: str, seconds: float) -> None:
        """Let some of them live on for a while."""
        for _ in range(int(seconds / leases.BEAT_S)):
            self.now += leases.BEAT_S
            for name in names:
                self.one_by_name[name].beat()
                self.one_by_name[name].look()


@pytest.fixture
def hosts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Hosts:
    made = Hosts(tmp_path / "leases", "one", "two", "three")
    monkeypatch.setattr(leases.time, "monotonic", lambda: made.now)
    return made


def test_the_jobs_of_a_dead_host_are_taken_over_once(hosts: Hosts) -> None:
    hosts.pending = {"one", "two", "three"}
    hosts.live("one", "two", "three", seconds=120)
    assert hosts.taken == []
    hosts.live("two", "three", seconds=LEASE_S)
    assert hosts.taken == [], "not before its lease is over"
    hosts.live("two", "three", seconds=120)
    assert [dead for dead, _ in hosts.taken] == ["one"]


def test_a_host_that_left_jobs_and_no_sign_of_life_is_dead(hosts: Hosts) -> None:
    hosts.pending = {"long gone"}
    hosts.live("two", seconds=60)
    assert hosts.taken == [("long gone", "two")]


def test_a_host_whose_clock_is_wrong_lives(hosts: Hosts, tmp_path: Path) -> None:
    hosts.pending = {"one", "two"}
    for n in range(20):
        hosts.live("two", seconds=leases.BEAT_S)
        hosts.one_by_name["one"].beat()
        past = 1e9 - 1000 * n  # its clock is years behind, and runs backwards
        os.utime(tmp_path / "leases" / "one.lease", (past, past))
    assert hosts.taken == []


def test_a_sign_of_life_that_another_host_removes_just_then_is_no_error(
    hosts: Hosts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hosts.live("one", "two", seconds=10)
    glob = Path.glob

    def removed_meanwhile(path: Path, pattern: str) -> list[Path]:
        found = list(glob(path, pattern))
        (tmp_path / "leases" / "one.lease").unlink(missing_ok=True)
        return found

    monkeypatch.setattr(Path, "glob", removed_meanwhile)
    assert hosts.one_by_name["two"].look() == []
