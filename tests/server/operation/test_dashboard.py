"""Every query of the shipped dashboard, put to a real Prometheus that scrapes a real service."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import yaml
from running_service import REPO, RunningService, free_port, wait_for

DASHBOARD = REPO / "deploy" / "monitoring" / "grafana" / "dashboards" / "visionllm.json"
WITHOUT_DATA = {"Seconds of a detection", "Uploads", "Questions"} | {
    "Seconds of a job",
    "Drift from training",
    "Shares of categories",
    "Brightness of images",
}
"""Panels that are empty as long as nothing is detected, uploaded, answered or analysed."""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("prometheus") is None, reason="needs Debian's package prometheus"),
]


@pytest.fixture
def prometheus(tmp_path: Path) -> Iterator[httpx.Client]:
    service = RunningService(tmp_path, ["serve.public_metrics=true", "serve.page=false"])
    service.start()
    port = free_port()
    config = tmp_path / "prometheus.yml"
    scrape = {"job_name": "visionllm", "static_configs": [{"targets": [f"127.0.0.1:{service.port}"]}]}
    config.write_text(yaml.safe_dump({"global": {"scrape_interval": "1s"}, "scrape_configs": [scrape]}))
    command = ["prometheus", f"--config.file={config}", f"--storage.tsdb.path={tmp_path / 'data'}"]
    with (tmp_path / "prometheus.log").open("wb") as log:
        process = subprocess.Popen([*command, f"--web.listen-address=127.0.0.1:{port}"], stdout=log, stderr=log)
    try:
        with service.client() as client, httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=20) as asking:
            for _ in range(3):
                client.get("/v1/videos").raise_for_status()
                wait_for(lambda: _samples(asking) > 3, every=1.0, seconds=60)
            yield asking
    finally:
        process.terminate()
        process.wait(timeout=30)
        service.stop()


def _samples(prometheus: httpx.Client) -> float:
    try:
        reply = prometheus.get("/api/v1/query", params={"query": "count_over_time(visionllm_ready[1m])"})
        found = reply.json()["data"]["result"]
    except (httpx.HTTPError, ValueError):
        return 0
    return float(found[0]["value"][1]) if found else 0


def test_every_panel_has_data_or_is_known_to_have_none(prometheus: httpx.Client) -> None:
    dashboard = json.loads(DASHBOARD.read_text(encoding="utf-8"))
    empty = set()
    for panel in dashboard["panels"]:
        for target in panel["targets"]:
            reply = prometheus.get("/api/v1/query", params={"query": target["expr"]}).json()
            assert reply["status"] == "success", (panel["title"], reply)
            if not reply["data"]["result"]:
                empty.add(panel["title"])
    assert empty <= WITHOUT_DATA
