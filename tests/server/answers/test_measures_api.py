"""Files of a measure: the same rows as CSV and as Parquet."""

from __future__ import annotations

import io
from pathlib import Path

import pyarrow.csv as pc
import pyarrow.parquet as pq
from moving_scene import publish_scene
from starlette.testclient import TestClient

from visionllm_interaction.analysis import AnalysisConfig
from visionllm_interaction.measures.table import TIDY_SCHEMA
from visionllm_interaction.reasoning.config import ReasonConfig
from visionllm_interaction.server.app import create_app
from visionllm_interaction.server.config import ServeConfig
from visionllm_interaction.server.intake.uploads import Uploads


def test_csv_and_parquet_have_the_rows_that_are_shown(tmp_path: Path) -> None:
    config = ServeConfig(data_dir=tmp_path, page=False, insecure=True)
    Uploads(config.uploads_dir, config.incoming_dir).prepare()
    publish_scene(config.store_dir)
    http = TestClient(
        create_app(config, analysis=AnalysisConfig(), reason=ReasonConfig()), base_url="http://127.0.0.1:8000"
    )
    shown = http.get("/v1/measures/near_duration", params={"subject": "child"}).json()["rows"]
    files = {
        ending: http.get(f"/v1/measures/near_duration/{ending}", params={"subject": "child"})
        for ending in ("csv", "parquet")
    }
    assert files["parquet"].headers["content-disposition"] == 'attachment; filename="near_duration.parquet"'
    parquet = pq.read_table(io.BytesIO(files["parquet"].content))
    csv = pc.read_csv(io.BytesIO(files["csv"].content))
    assert parquet.schema.names == csv.schema.names == list(TIDY_SCHEMA.names)
    assert parquet.schema.field("value").type == TIDY_SCHEMA.field("value").type
    values = [row["value"] for row in shown]
    assert parquet["value"].to_pylist() == csv["value"].to_pylist() == values
    assert len(values) > 1
