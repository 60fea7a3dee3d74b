"""Downloads from a real server that drops, lies, refuses and changes its mind."""

from __future__ import annotations

import hashlib
import random
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from faulty_server import Server, faulty_server

from visionllm_interaction.datasets.ingestion.sources.known_sources import KNOWN, remotes_of
from visionllm_interaction.downloads.batch import download_all
from visionllm_interaction.downloads.config import DownloadConfig
from visionllm_interaction.downloads.resumable_download import Downloaded
from visionllm_interaction.errors import ConfigError, DownloadFailed, InputDataError, SpaceError

QUICK = DownloadConfig(first_pause_s=0.001, longest_pause_s=0.002, retries=3, timeout_s=5)
CONTENT = random.Random(7).randbytes(3_000_000)


@pytest.fixture
def server() -> Iterator[Server]:
    with faulty_server() as running:
        yield running


def fetch(folder: Path, *urls: str, config: DownloadConfig = QUICK) -> list[Downloaded]:
    return download_all(remotes_of(urls), folder, config=config, reserve_bytes=0)


def right(result: Downloaded, content: bytes = CONTENT) -> bool:
    expected = hashlib.sha256(content).hexdigest()
    return result.sha256 == expected == hashlib.sha256(result.path.read_bytes()).hexdigest()


def test_a_plain_download_leaves_the_file_and_its_receipt(server: Server, tmp_path: Path) -> None:
    (result,) = fetch(tmp_path, server.add("a.zip", CONTENT))
    assert right(result)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.zip", "a.zip.json"]


@pytest.mark.parametrize("checked", [True, False], ids=["with checksum", "without"])
@pytest.mark.parametrize("case", range(50))
def test_dropped_at_a_random_offset_with_a_lie_and_two_503(
    server: Server, tmp_path: Path, case: int, checked: bool
) -> None:
    dice = random.Random(case)
    content = CONTENT[: dice.randrange(100_000, len(CONTENT))]
    url = server.add(
        "a.zip",
        content,
        drops=[dice.randrange(1, len(content))],
        lies=[dice.choice([-1, 1]) * dice.randrange(1, 50_000)],
        statuses=[(503, {}), (503, {"Retry-After": "0"})],
    )
    (result,) = fetch(tmp_path, url + f"#sha256={server.sha256('a.zip')}" * checked)
    assert right(result, content)


def test_dropped_fifty_times_in_one_download_it_goes_on_where_it_was(server: Server, tmp_path: Path) -> None:
    drops = sorted(random.Random(3).sample(range(1, len(CONTENT)), 50))
    (result,) = fetch(tmp_path, server.add("a.zip", CONTENT, drops=list(drops)))
    assert right(result)
    begins = [int(asked.removeprefix("bytes=").rstrip("-")) for _, asked, _ in server.requests if asked]
    assert begins[:51] == [0, *drops], "every request starts where the last one ended"
    assert {condition for _, _, condition in server.requests[1:51]} == {'"v1"'}


def test_another_process_continues_what_the_first_left(server: Server, tmp_path: Path) -> None:
    url = server.add("a.zip", CONTENT, drops=[1_000_000], statuses=[])
    with pytest.raises(DownloadFailed):
        server.faults["a.zip"].drops += [1_000_000] * 9
        fetch(tmp_path, url)
    assert (tmp_path / "a.zip.part").stat().st_size == 1_000_000 and not (tmp_path / "a.zip").exists()
    server.faults["a.zip"].drops.clear()
    server.requests.clear()
    (result,) = fetch(tmp_path, url)
    assert right(result)
    assert server.requests[0] == ("a.zip", "bytes=1000000-", '"v1"')


def test_a_file_that_changed_in_between_is_not_glued_together(server: Server, tmp_path: Path) -> None:
    url = server.add("a.zip", CONTENT, drops=[500_000], tags=['"v1"', '"v2"'])
    (result,) = fetch(tmp_path, url)
    assert right(result) and result.validator == '"v2"'


def test_a_server_that_ignores_ranges_starts_again(server: Server, tmp_path: Path) -> None:
    url = server.add("a.zip", CONTENT, drops=[200_000], no_ranges=True)
    (result,) = fetch(tmp_path, url)
    assert right(result)


def test_without_entity_tag_or_checksum_it_starts_again_and_with_a_checksum_it_continues(
    server: Server, tmp_path: Path
) -> None:
    fetch(tmp_path / "1", server.add("a.zip", CONTENT, drops=[200_000], tags=[None]))
    assert server.requests[1][1] == "bytes=0-"
    server.requests.clear()
    url = server.add("b.zip", CONTENT, drops=[200_000], tags=[None])
    (result,) = fetch(tmp_path / "2", f"{url}#sha256={server.sha256('b.zip')}")
    assert right(result) and server.requests[1][1] == "bytes=200000-"


def test_a_length_nobody_tells(server: Server, tmp_path: Path) -> None:
    (result,) = fetch(tmp_path, server.add("a.zip", CONTENT, no_length=True))
    assert right(result)


def test_an_empty_file(server: Server, tmp_path: Path) -> None:
    (result,) = fetch(tmp_path, server.add("a.zip", b""))
    assert right(result, b"")


def test_wrong_bytes_are_thrown_away_and_asked_for_again(server: Server, tmp_path: Path) -> None:
    url = server.add("a.zip", CONTENT, wrong_bytes=2)
    (result,) = fetch(tmp_path, f"{url}#md5={hashlib.md5(CONTENT).hexdigest()}")
    assert right(result)


def test_always_wrong_is_bad_input_and_nothing_is_kept(server: Server, tmp_path: Path) -> None:
    url = server.add("a.zip", CONTENT, wrong_bytes=99)
    with pytest.raises(InputDataError, match="wrong each time") as caught:
        fetch(tmp_path, f"{url}#sha256={server.sha256('a.zip')}")
    assert caught.value.exit_code == 3 and list(tmp_path.iterdir()) == []
    assert len(server.requests) == 3, "the same wrong file three times is what the server has"


@pytest.mark.parametrize(
    ("status", "requests"), [(404, 1), (403, 1), (410, 1), (503, 4), (429, 4)], ids=lambda value: str(value)
)
def test_refused_at_once_or_after_a_bounded_number_of_tries(
    server: Server, tmp_path: Path, status: int, requests: int
) -> None:
    url = server.add("a.zip", CONTENT, statuses=[(status, {})] * 99)
    with pytest.raises(DownloadFailed, match=str(status)) as caught:
        fetch(tmp_path, url)
    assert caught.value.exit_code == 4 and len(server.requests) == requests


def test_nobody_there(tmp_path: Path) -> None:
    with faulty_server() as gone:
        url = gone.url
    with pytest.raises(DownloadFailed, match="ConnectError"):
        fetch(tmp_path, f"{url}/a.zip")


def test_several_files_at_once_one_failure_stops_all_and_the_rest_continues(server: Server, tmp_path: Path) -> None:
    urls = [server.add(f"{n}.zip", CONTENT[n:]) for n in range(4)]
    with pytest.raises(DownloadFailed, match=r"gone\.zip"):
        fetch(tmp_path, *urls, f"{server.url}/gone.zip")
    results = fetch(tmp_path, *urls)
    assert all(right(result, CONTENT[n:]) for n, result in enumerate(results))


def test_what_is_there_and_right_is_not_asked_for_again_and_a_damaged_one_is(server: Server, tmp_path: Path) -> None:
    url = server.add("a.zip", CONTENT)
    fetch(tmp_path, url)
    server.requests.clear()
    assert right(*fetch(tmp_path, url)) and server.requests == []
    (tmp_path / "a.zip").write_bytes(CONTENT[:-1])
    assert right(*fetch(tmp_path, url)) and len(server.requests) > 0


def test_a_full_disk_is_noticed_before_the_first_byte(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(tmp_path)

    def two_megabytes(_: object) -> Any:
        """What is written takes up room, so that it does not matter which of two downloads is first."""
        return usage._replace(free=2_000_000 - sum(p.stat().st_size for p in tmp_path.rglob("*") if p.is_file()))

    monkeypatch.setattr(shutil, "disk_usage", two_megabytes)
    with pytest.raises(SpaceError, match="no room") as caught:
        fetch(tmp_path, server.add("a.zip", CONTENT))
    assert caught.value.exit_code == 3 and list(tmp_path.iterdir()) == []
    two = [server.add(name, CONTENT[:1_500_000]) for name in ("b.zip", "c.zip")]
    with pytest.raises(SpaceError):
        fetch(tmp_path, *two)


def test_secrets_in_an_address_are_not_written_down(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAB_TOKEN", "s3cret")
    url = server.add("a.zip", CONTENT).replace("http://", "http://user:pass@")
    (result,) = fetch(tmp_path, f"{url}?token=${{LAB_TOKEN}}")
    assert right(result) and result.url == f"{server.url}/a.zip"
    assert not any(word in (tmp_path / "a.zip.json").read_text() for word in ("s3cret", "pass", "user"))


def test_what_can_be_asked_for() -> None:
    assert [remote.name for remote in remotes_of(["coco-2017"])] == [remote.name for remote in KNOWN["coco-2017"]]
    for bad in ("coco-2018", "ftp://host/a.zip", "http://host/", "http://host/a.zip#sha256=12", "file:///etc/passwd"):
        with pytest.raises(ConfigError):
            remotes_of([bad])
    with pytest.raises(ConfigError, match="one name"):
        remotes_of(["http://host/1/a.zip", "http://host/2/a.zip"])
