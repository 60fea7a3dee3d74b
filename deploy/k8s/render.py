"""Render the overlays without a cluster or kustomize, to check what they come to.

    python deploy/k8s/render.py deploy/k8s/overlays/cpu [MORE …] --out FOLDER

Only what these files use is known: resources, strategic merge patches, namespace and labels. For a cluster use
``kubectl apply -k``, which knows the rest. Writes one YAML file for each folder. Of a RayJob it has the pods, since
Kubernetes' own schemas know no other part; ``ray/`` has the RayJob, for ``rayjob.schema.json``.
"""

from __future__ import annotations

import argparse
import copy
from pathlib import Path
from typing import Any

import yaml

KNOWN = {"apiVersion", "kind", "namespace", "labels", "resources", "patches"}
MERGE_KEYS = ("name", "mountPath", "topologyKey", "key")
"""By which key entries of a list belong together, as in the API's own definition of a strategic merge."""


def render(folder: Path) -> list[dict[str, Any]]:
    """The objects of a kustomization, or of all files of a folder without one.

    Args:
        folder: a folder with ``kustomization.yaml``, or with plain files.

    Returns:
        The objects, patches applied.

    Raises:
        SystemExit: if the kustomization uses what is not known here, or a patch fits no object.
    """
    path = folder / "kustomization.yaml"
    if not path.exists():
        return [item for file in sorted(folder.glob("*.yaml")) for item in _load(file)]
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    if unknown := set(content) - KNOWN:
        raise SystemExit(f"{path}: not known to this script: {', '.join(sorted(unknown))}")
    objects: list[dict[str, Any]] = []
    for name in content.get("resources", ()):
        target = folder / name
        objects += render(target) if target.is_dir() else _load(target)
    for patch in content.get("patches", ()):
        for change in _load(folder / patch["path"]):
            fitting = [item for item in objects if _identity(item) == _identity(change)]
            if len(fitting) != 1:
                raise SystemExit(f"{folder / patch['path']}: {_identity(change)} fits {len(fitting)} objects, not one")
            _merge(fitting[0], change)
    for item in objects:
        if "namespace" in content:
            item["metadata"]["namespace"] = content["namespace"]
        for labels in content.get("labels", ()):
            item["metadata"].setdefault("labels", {}).update(labels["pairs"])
    return objects


def pods_of(job: dict[str, Any]) -> list[dict[str, Any]]:
    """The pods of a RayJob's head and workers, as objects of Kubernetes.

    Args:
        job: the RayJob.

    Returns:
        One pod for each template.
    """
    cluster = job["spec"]["rayClusterSpec"]
    groups = {"head": cluster["headGroupSpec"]} | {group["groupName"]: group for group in cluster["workerGroupSpecs"]}
    pods = []
    for name, group in groups.items():
        template = copy.deepcopy(group["template"])
        template["metadata"] = {**template.get("metadata", {}), "name": f"{file_name(job)}-{name}"}
        pods.append({"apiVersion": "v1", "kind": "Pod", **template})
    return pods


def file_name(item: dict[str, Any]) -> str:
    """The name of an object, or what its name will begin with."""
    return str(item["metadata"].get("name") or item["metadata"]["generateName"].rstrip("-"))


def _load(file: Path) -> list[dict[str, Any]]:
    return [item for item in yaml.safe_load_all(file.read_text(encoding="utf-8")) if item]


def _identity(item: dict[str, Any]) -> tuple[str, str, str]:
    return item["apiVersion"], item["kind"], file_name(item)


def _merge(target: dict[str, Any], change: dict[str, Any]) -> None:
    for key, value in change.items():
        old = target.get(key)
        if value is None:
            target.pop(key, None)
        elif isinstance(value, dict) and isinstance(old, dict):
            _merge(old, value)
        elif isinstance(value, list) and isinstance(old, list) and (by := _merge_key(value)):
            _merge_lists(old, value, by)
        else:
            target[key] = value


def _merge_key(items: list[Any]) -> str | None:
    maps = all(isinstance(item, dict) for item in items)
    return next((key for key in MERGE_KEYS if all(key in item for item in items)), None) if maps and items else None


def _merge_lists(old: list[dict[str, Any]], changes: list[dict[str, Any]], by: str) -> None:
    for change in changes:
        fitting = next((item for item in old if item.get(by) == change[by]), None)
        if fitting is None:
            old.append(change)
        else:
            _merge(fitting, change)


def main() -> None:
    """Write what each folder comes to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "ray").mkdir(exist_ok=True)
    for folder in options.folders:
        objects = render(folder)
        ray = [item for item in objects if item["apiVersion"].startswith("ray.io/")]
        known = [item for item in objects if item not in ray] + [pod for job in ray for pod in pods_of(job)]
        _write(options.out / f"{folder.name}.yaml", *known)
        for job in ray:
            _write(options.out / "ray" / f"{file_name(job)}.yaml", job)


def _write(path: Path, *objects: dict[str, Any]) -> None:
    # Copies: what two objects share would be written as an alias.
    path.write_text(yaml.safe_dump_all(map(copy.deepcopy, objects), sort_keys=False), encoding="utf-8")


if __name__ == "__main__":
    main()
