"""Ready-made models: the list, the folder of models, getting them from servers and files."""

from __future__ import annotations

import hashlib
import json
import random
import shutil
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from faulty_server import Server, faulty_server

from visionllm_interaction.cli import app
from visionllm_interaction.cli.output import run_app
from visionllm_interaction.detection.registry import acquire, cache, defaults, entries
from visionllm_interaction.detection.registry.acquire import add_model, get_model, list_models
from visionllm_interaction.detection.registry.cache import find_cached, models_folder
from visionllm_interaction.detection.registry.defaults import resolve, resolve_kind, suggested
from visionllm_interaction.detection.registry.entries import Registry, read_registry
from visionllm_interaction.downloads.config import DownloadConfig
from visionllm_interaction.errors import (
    CheckpointError,
    DownloadFailed,
    InputDataError,
    ModelMissing,
    SpaceError,
    UsageError,
)

REPO = Path(__file__).resolve().parents[3]
QUICK = DownloadConfig(first_pause_s=0.001, longest_pause_s=0.002, retries=2, timeout_s=5)
CONTENT = random.Random(5).randbytes(400_000)
OTHER = random.Random(6).randbytes(300_000)
POINTS = random.Random(7).randbytes(200_000)


@pytest.fixture
def server() -> Iterator[Server]:
    with faulty_server() as running:
        yield running


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of models of a test."""
    monkeypatch.setenv("VISIONLLM_MODELS", str(tmp_path / "models"))
    return tmp_path / "models"


def entry(url: str, content: bytes, **other: Any) -> dict[str, Any]:
    return {
        "kind": "people",
        "part": "detector",
        "finds": "people",
        "architecture": "a test",
        "url": url,
        "sha256": hashlib.sha256(content).hexdigest(),
        "bytes": len(content),
        "licence": "MIT",
        "licence_url": "https://example.org/licence",
        "input": {"size": "1 x 1", "scale": "0 to 1"},
        "ap": None,
        "card": "models/test.md",
        **other,
    }


@pytest.fixture
def registry(server: Server) -> Registry:
    found = entry(server.add("found.onnx", CONTENT), CONTENT)
    found["variants"] = [{"sha256": hashlib.sha256(OTHER).hexdigest(), "bytes": len(OTHER), "note": "other export"}]
    points = entry(server.add("points.tflite", POINTS), POINTS, kind="hands", part="landmarks")
    palms = entry(server.add("palms.tflite", CONTENT[:-1]), CONTENT[:-1], kind="hands")
    return Registry.model_validate(
        {
            "defaults": {
                "people": {"detector": {"cpu": ["found"]}},
                "hands": {"detector": {"cpu": ["palms"]}, "landmarks": {"cpu": ["points"]}},
            },
            "models": {"found": found, "points": points, "palms": palms},
        }
    )


def files_in(folder: Path) -> list[str]:
    """Every file below a folder, without lock files."""
    if not folder.exists():
        return []
    found = (path for path in folder.rglob("*") if path.is_file() and path.name != ".lock")
    return sorted(path.relative_to(folder).as_posix() for path in found)


# --- the list -------------------------------------------------------------------------------------------------------


def test_the_list_that_ships_holds_together() -> None:
    registry = read_registry()
    digests = [file.sha256 for one in registry for file in one.files]
    assert len(set(digests)) == len(digests), "a file is one model"
    assert set(registry.defaults) == set(entries.KINDS)
    assert all((REPO / "docs" / one.card).is_file() for one in registry), "every model has a page"
    assert all(one.ap or one.ap_note for one in registry), "what was not measured says why"


def test_torchvision_models_have_the_addresses_and_digests_of_torchvision() -> None:
    from torchvision.models import get_model_weights

    ours = [one for one in read_registry() if one.name.startswith("fasterrcnn_")]
    assert len(ours) == 4
    for one in ours:
        url = get_model_weights(one.name).DEFAULT.url
        assert one.url == url
        assert one.sha256.startswith(url.rsplit("-", 1)[1].removesuffix(".pth"))


def test_an_unknown_name_gets_the_nearest() -> None:
    with pytest.raises(UsageError) as caught:
        read_registry().entry("yolox-nanno")
    assert "yolox_nano" in (caught.value.fix or "")
    assert read_registry().entry("YOLOX-nano").name == "yolox_nano"


def test_a_default_that_is_no_such_model_is_refused(registry: Registry) -> None:
    content = registry.model_dump()
    content["defaults"]["people"]["detector"]["cpu"] = ["points"]
    for one in content["models"].values():
        del one["name"]
    with pytest.raises(ValueError, match="points is no detector of people"):
        Registry.model_validate(content)


def test_the_folder_follows_the_variables(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert models_folder() == tmp_path / "models"
    monkeypatch.delenv("VISIONLLM_MODELS")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert models_folder() == tmp_path / "xdg/visionllm_interaction/models"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert models_folder() == Path.home() / ".cache/visionllm_interaction/models"


def test_listing_makes_no_folder_and_loads_no_torch(folder: Path) -> None:
    assert all(cached is None for _, cached in list_models())
    assert not folder.exists()


# --- from a server --------------------------------------------------------------------------------------------------


def test_get_fetches_once_and_says_the_licence_before(server: Server, registry: Registry, folder: Path) -> None:
    told: list[tuple[str, int]] = []
    for _ in range(2):
        cached = get_model(
            "found",
            registry=registry,
            config=QUICK,
            before=lambda one: told.append((one.licence, len(server.requests))),
        )
    assert told == [("MIT", 0)], "before the first request, and not for what is here"
    assert cached.path.read_bytes() == CONTENT and cached.source == server.url + "/found.onnx"
    assert len(server.requests) == 1
    assert files_in(folder) == ["found/found.onnx", "found/model.json"]


def test_an_interrupted_download_goes_on_where_it_stopped(server: Server, registry: Registry, folder: Path) -> None:
    server.faults["found.onnx"].drops += [150_000] * 9
    with pytest.raises(DownloadFailed):
        get_model("found", registry=registry, config=QUICK)
    assert find_cached(registry.entry("found")) is None
    server.faults["found.onnx"].drops.clear()
    server.requests.clear()
    assert get_model("found", registry=registry, config=QUICK).path.read_bytes() == CONTENT
    assert server.requests[0][1] == "bytes=150000-"
    assert files_in(folder) == ["found/found.onnx", "found/model.json"]


@pytest.mark.parametrize("wrong", [bytes(len(CONTENT)), CONTENT + b"x", CONTENT[:-9], b""], ids=lambda b: len(b))
def test_a_wrong_file_is_refused_and_nothing_is_left(
    server: Server, registry: Registry, folder: Path, wrong: bytes
) -> None:
    server.files["found.onnx"] = wrong
    with pytest.raises((InputDataError, DownloadFailed)):
        get_model("found", registry=registry, config=QUICK)
    assert files_in(folder) == []
    assert find_cached(registry.entry("found")) is None


def test_a_wrong_digest_is_refused_and_nothing_is_left(server: Server, registry: Registry, folder: Path) -> None:
    server.files["found.onnx"] = bytes(len(CONTENT))
    with pytest.raises(InputDataError) as caught:
        get_model("found", registry=registry, config=QUICK)
    assert registry.entry("found").sha256 in str(caught.value) and caught.value.exit_code == 3
    assert files_in(folder) == []


def test_a_missing_file_and_a_server_that_is_gone_say_how_to_go_on(server: Server, registry: Registry) -> None:
    server.faults["found.onnx"].statuses += [(404, {})]
    with pytest.raises(DownloadFailed, match="404") as caught:
        get_model("found", registry=registry, config=QUICK)
    assert caught.value.exit_code == 4
    assert get_model("found", registry=registry, config=QUICK).path.is_file(), "a second try may succeed"


def test_a_full_disk_is_said_before_a_byte_is_fetched(
    server: Server, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil._ntuple_diskusage(10**9, 10**9, 100_000)
    monkeypatch.setattr("visionllm_interaction.downloads.disk_space.shutil.disk_usage", lambda _: usage)
    with pytest.raises(SpaceError) as caught:
        get_model("found", registry=registry, config=QUICK)
    assert "VISIONLLM_MODELS" in (caught.value.fix or "")
    with pytest.raises(SpaceError):
        get_model("found", registry=registry, config=QUICK)


def test_a_damaged_model_is_fetched_again(server: Server, registry: Registry) -> None:
    cached = get_model("found", registry=registry, config=QUICK)
    cached.path.write_bytes(bytes(len(CONTENT)))
    with pytest.raises(CheckpointError, match="damaged") as caught:
        resolve("found", registry=registry)
    assert "visionllm models get found" in (caught.value.fix or "")
    get_model("found", registry=registry, config=QUICK)
    assert resolve("found", registry=registry).read_bytes() == CONTENT


# --- from files -----------------------------------------------------------------------------------------------------


def test_a_file_is_recognised_whatever_it_is_called(registry: Registry, tmp_path: Path, folder: Path) -> None:
    given = tmp_path / "download (1)"
    given.write_bytes(OTHER)
    (cached,) = add_model(given, registry=registry)
    assert (cached.entry.name, cached.path.name, cached.file.note) == ("found", "found.onnx", "other export")
    assert resolve("found", registry=registry).read_bytes() == OTHER
    assert find_cached(registry.entry("found")) == cached
    assert files_in(folder) == ["found/found.onnx", "found/model.json"]


def test_a_package_and_a_folder_are_searched(registry: Registry, tmp_path: Path, folder: Path) -> None:
    given = tmp_path / "given"
    given.mkdir()
    with zipfile.ZipFile(given / "pack-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("pack/found.onnx", CONTENT)
        wheel.writestr("pack/same_size.onnx", bytes(len(CONTENT)))
    (given / "points.tflite").write_bytes(POINTS)
    with tarfile.open(given / "package.tgz", "w:gz") as packed:
        (tmp_path / "x").write_bytes(CONTENT[:-1])
        packed.add(tmp_path / "x", "package/palms.tflite")
    added = {cached.entry.name: cached for cached in add_model(given, registry=registry)}
    assert set(added) == {"found", "points", "palms"}
    assert added["found"].source is not None and added["found"].source.endswith(".whl: pack/found.onnx")
    assert files_in(folder) == sorted(
        f"{name}/{file}" for name, one in added.items() for file in (one.path.name, "model.json")
    )


@pytest.mark.parametrize("through", ["add", "get --from"])
def test_another_file_than_the_named_one_is_refused(registry: Registry, tmp_path: Path, through: str) -> None:
    (tmp_path / "f.onnx").write_bytes(CONTENT[:-2])
    with pytest.raises(InputDataError, match="is not found") as caught:
        if through == "add":
            add_model(tmp_path / "f.onnx", name="found", registry=registry)
        else:
            get_model("found", source=tmp_path / "f.onnx", registry=registry)
    message = str(caught.value)
    assert registry.entry("found").sha256 in message and hashlib.sha256(CONTENT[:-2]).hexdigest() in message
    assert find_cached(registry.entry("found")) is None


def test_a_file_that_is_no_model_says_what_it_is(registry: Registry, tmp_path: Path) -> None:
    (tmp_path / "mine.onnx").write_bytes(b"mine")
    with pytest.raises(InputDataError) as caught:
        add_model(tmp_path / "mine.onnx", registry=registry)
    assert hashlib.sha256(b"mine").hexdigest() in str(caught.value) and "--detector" in (caught.value.fix or "")
    with pytest.raises(InputDataError, match="no such file"):
        add_model(tmp_path / "absent.onnx", registry=registry)
    with pytest.raises(InputDataError, match="not in there"):
        get_model("found", source=tmp_path, registry=registry)


def test_from_a_folder_takes_the_named_model_only(server: Server, registry: Registry, tmp_path: Path) -> None:
    (tmp_path / "a.bin").write_bytes(POINTS)
    (tmp_path / "b.bin").write_bytes(CONTENT)
    assert get_model("found", source=tmp_path, registry=registry).path.read_bytes() == CONTENT
    assert find_cached(registry.entry("points")) is None and server.requests == []


# --- defaults -------------------------------------------------------------------------------------------------------


def test_a_missing_model_is_one_line_to_paste(registry: Registry) -> None:
    with pytest.raises(ModelMissing) as caught:
        resolve_kind("people", registry=registry)
    error = caught.value
    assert error.exit_code == 2 and error.fix is not None and error.fix.startswith("visionllm models get found")
    assert "0.4 MB" in str(error) and "MIT" in str(error)
    with pytest.raises(ModelMissing, match="visionllm models get hands"):
        resolve_kind("hands", registry=registry)


def test_parts_of_a_kind_are_found_one_by_one(registry: Registry, tmp_path: Path) -> None:
    (tmp_path / "p").write_bytes(POINTS)
    add_model(tmp_path / "p", registry=registry)
    assert set(resolve_kind("hands", parts=["landmarks"], registry=registry)) == {"landmarks"}
    with pytest.raises(ModelMissing, match="visionllm models get palms"):
        resolve_kind("hands", registry=registry)
    assert [one.name for one in suggested("hands", registry=registry)] == ["palms", "points"]


def test_what_runs_best_on_the_machine_comes_first(tmp_path: Path) -> None:
    registry = read_registry()
    assert [suggested("people", cuda=cuda)[0].name for cuda in (False, True)] == [
        "yolox_s",
        "fasterrcnn_resnet50_fpn_v2",
    ]
    for name in ("yolox_nano", "fasterrcnn_resnet50_fpn_v2"):
        one = registry.entry(name)
        (models_folder() / name).mkdir(parents=True)
        with (models_folder() / name / one.file).open("wb") as stream:
            stream.truncate(one.bytes)
    for cuda, name in ((False, "yolox_nano"), (True, "fasterrcnn_resnet50_fpn_v2")):
        with pytest.raises(CheckpointError, match="damaged") as caught:
            resolve_kind("people", cuda=cuda)
        assert f"models get {name}" in (caught.value.fix or "")


# --- commands -------------------------------------------------------------------------------------------------------


@pytest.fixture
def listed(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> Registry:
    for module in (acquire, defaults):
        monkeypatch.setattr(module, "read_registry", lambda: registry)
    return registry


def test_commands_list_get_and_add(
    listed: Registry, server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(*arguments: str) -> dict[str, Any]:
        assert run_app(app, ["models", *arguments, "--json"]) == 0
        return dict(json.loads(capsys.readouterr().out))

    assert [one["path"] for one in run("list")["models"]] == [None, None, None]
    assert run_app(app, ["models", "get", "hands"]) == 0
    output = capsys.readouterr()
    assert "points" in output.out and "licence MIT (https://example.org/licence)" in output.err
    (tmp_path / "f").write_bytes(OTHER)
    (added,) = run("add", str(tmp_path / "f"))["models"]
    assert added["name"] == "found" and added["path_sha256"] == hashlib.sha256(OTHER).hexdigest()
    assert all(Path(one["path"]).is_file() for one in run("list")["models"])
    assert {name for name, _, _ in server.requests} == {"palms.tflite", "points.tflite"}


def test_commands_end_with_documented_codes(listed: Registry, server: Server, tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"no model")
    assert run_app(app, ["models", "get", "nothing"]) == 2
    assert run_app(app, ["models", "add", str(tmp_path / "f")]) == 3
    assert run_app(app, ["models", "add", str(tmp_path / "f"), "--name", "found"]) == 3
    server.faults["found.onnx"].statuses += [(404, {})]
    assert run_app(app, ["models", "get", "found"]) == 4


def test_records_survive_what_is_written_there(registry: Registry, tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(OTHER)
    (cached,) = add_model(tmp_path / "f", registry=registry)
    cached.path.with_name(cache.RECORD).write_text("{broken")
    again = find_cached(registry.entry("found"))
    assert again is not None and again.file == cached.file and again.source is None
