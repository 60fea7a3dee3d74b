"""Stage 3 on a file of COCO's size against reading and writing it with Python's json.

    python benchmarks/datasets/transform.py [--rounds 3] [--work FOLDER]

Both sides take 50 annotations out of the same 403 MB file and keep every other field. Ours is the whole stage: digests
of what is read and written, the log of changes, the audit of leakage, and the written file read back and counted. Each
round runs each side once, in a process of its own, so that peak memory is that side's. Prints ratios; the figures go to
benchmarks/results/transform.json.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from coco_size import ANNOTATIONS, image_id, write_coco_size

GOAL = 0.15
DROPPED = [900_100 + 3 * 17_000 * number for number in range(1, 51)]
RESULTS = Path(__file__).parents[1] / "results" / "transform.json"


def main() -> None:
    options = _options()
    if options.side:
        _SIDES[options.side](options.work)
        return
    work = options.work or Path(tempfile.mkdtemp(prefix="bench-transform-"))
    _prepare(work)
    runs: dict[str, list[dict[str, float]]] = {side: [] for side in _SIDES}
    for _ in range(options.rounds):
        for side in _SIDES:
            runs[side].append(_measure(side, work))
            print(f"{side:10}  {runs[side][-1]['seconds']:7.2f} s  {runs[side][-1]['rss_mb']:6.0f} MB", flush=True)
    _compare(work)
    _report(runs, size_mb=(work / "data/annotations/instances_train2017.json").stat().st_size / 1e6)
    if not options.work:
        shutil.rmtree(work)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--work", type=Path, help="keep the files there for the next time")
    parser.add_argument("--side", choices=_SIDES, help=argparse.SUPPRESS)
    return parser.parse_args()


def _prepare(work: Path) -> None:
    """The annotation files, and what stages 1 and 2 say about them; there are no images, stage 3 reads none."""
    from visionllm_interaction.artifacts.manifest import STAGE_MANIFESTS, FileRef
    from visionllm_interaction.artifacts.raw_file_index import IndexedFile, write_index
    from visionllm_interaction.artifacts.stage_manifests import DataManifest, ValidationReport

    data, run = work / "data", work / "run"
    train = write_coco_size(data / "annotations/instances_train2017.json")
    val = write_coco_size(data / "annotations/instances_val2017.json", images=5000, annotations=36_000, seed=1)
    shutil.rmtree(run, ignore_errors=True)
    for stage in ("ingest", "validate"):
        (run / STAGE_MANIFESTS[stage]).parent.mkdir(parents=True)
    common = {"created_at": "", "duration_s": 0, "code_version": "", "config": {}, "inputs": (), "outputs": ()}
    files = [
        IndexedFile(str(data / f"{split}2017" / f"{image_id(n):012d}.jpg"), 1, 0, f"{split}{n:059d}", 640, 480, split)
        for split, count in (("train", 118_287), ("val", 5000))
        for n in range(count)
    ]
    write_index(files, run / "data_ingestion/files.parquet")
    manifest = run / STAGE_MANIFESTS["ingest"]
    DataManifest(
        **common,
        stage="ingest",
        dataset_name="coco-size",
        dataset_format="coco",
        ingestion={"mode": "register"},
        paths={f"{split}_images": str(data / f"{split}2017") for split in ("train", "val")},
        annotations={"train": str(train), "val": str(val)},
        root=str(data),
        index="data_ingestion/files.parquet",
        files=len(files),
        total_bytes=0,
    ).save(manifest)
    _write_orders(run / "data_validation/faults.parquet")
    ValidationReport(
        **{**common, "inputs": [FileRef.of(path, run=run) for path in (manifest, train, val)]},
        stage="validate",
        status="PASS",
        reasons=(),
        faults={"BOX-NON-POSITIVE": len(DROPPED)},
        counts={},
        tolerance={"found": len(DROPPED), "allowed": 100, "dropped": True},
        drop={"train": DROPPED, "val": ()},
        findings=(),
        faults_file="data_validation/faults.parquet",
    ).save(run / STAGE_MANIFESTS["validate"])


def _write_orders(path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    row = {"code": "BOX-NON-POSITIVE", "action": "drop", "split": "train", "entity": "annotation", "image_id": None}
    rows = [{**row, "annotation_id": number, "position": (number - 900_100) // 3} for number in DROPPED]
    types = [(name, pa.int64() if name.endswith("id") or name == "position" else pa.string()) for name in rows[0]]
    pq.write_table(pa.Table.from_pylist(rows, schema=pa.schema(types)), path)


def _measure(side: str, work: Path) -> dict[str, float]:
    command = [sys.executable, __file__, "--side", side, "--work", str(work)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout
    text = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{side} failed")
    return {"seconds": float(text.split()[-1]), "rss_mb": usage.ru_maxrss / 1024}


def _json(work: Path) -> None:
    begin = time.perf_counter()
    with (work / "data/annotations/instances_train2017.json").open(encoding="utf-8") as stream:
        content = json.load(stream)
    gone = set(DROPPED)
    content["annotations"] = [a for a in content["annotations"] if a["id"] not in gone]
    with (work / "json.json").open("w", encoding="utf-8") as stream:
        json.dump(content, stream)
    print(time.perf_counter() - begin)


def _ours(work: Path) -> None:
    from visionllm_interaction.artifacts.manifest import STAGE_MANIFESTS
    from visionllm_interaction.datasets.transformation.config import TransformConfig
    from visionllm_interaction.datasets.transformation.stage import run

    folder, out = work / "run", work / "run/data_transformation"
    shutil.rmtree(out, ignore_errors=True)
    begin = time.perf_counter()
    run(
        TransformConfig(),
        data_manifest=folder / STAGE_MANIFESTS["ingest"],
        validation_report=folder / STAGE_MANIFESTS["validate"],
        out=out,
    )
    print(time.perf_counter() - begin)


def _compare(work: Path) -> None:
    """The two results hold the same values."""
    ours = work / "run/data_transformation/annotations/instances_train2017.cleaned.json"
    import msgspec

    equal = msgspec.json.decode(ours.read_bytes()) == msgspec.json.decode((work / "json.json").read_bytes())
    (work / "json.json").unlink()
    if not equal:
        raise SystemExit("the two sides wrote different values")


def _report(runs: dict[str, list[dict[str, float]]], *, size_mb: float) -> None:
    median = {s: {k: statistics.median(run[k] for run in runs[s]) for k in ("seconds", "rss_mb")} for s in runs}
    ratio = median["transform"]["seconds"] / median["json"]["seconds"]
    result = {
        "what": "50 annotations taken out, every other field kept; the whole of stage 3 against json.load + json.dump",
        "file_mb": round(size_mb),
        "annotations": ANNOTATIONS,
        "median": {side: {k: round(v, 2) for k, v in values.items()} for side, values in median.items()},
        "ratio": round(ratio, 3),
        "goal": GOAL,
        "rounds": {side: [{k: round(v, 2) for k, v in run.items()} for run in listed] for side, listed in runs.items()},
        "machine": {"cpus": os.cpu_count(), "python": platform.python_version(), "processor": platform.machine()},
    }
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(result, indent=2) + "\n")
    print(f"transform / (json.load + json.dump) = {ratio:.3f} (goal {GOAL})")


_SIDES = {"json": _json, "transform": _ours}

if __name__ == "__main__":
    main()
