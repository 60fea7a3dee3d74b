"""Files that are erased while they are asked for: 404, or a connection that ends, and no name in the log."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
from coded_videos import make_video
from starlette.testclient import TestClient

from visionllm_interaction.analysis import AnalysisConfig
from visionllm_interaction.reasoning.config import ReasonConfig
from visionllm_interaction.server.app import create_app
from visionllm_interaction.server.config import ServeConfig
from visionllm_interaction.server.http import stored_files
from visionllm_interaction.server.jobs.exports import ExportOptions

NAME = "Zanzibarina.csv"


@pytest.mark.parametrize("moment", ["before it is looked at", "before it is opened"])
def test_a_file_that_is_erased_while_it_is_asked_for_is_told_and_not_logged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, moment: str
) -> None:
    config = ServeConfig(data_dir=tmp_path, page=False, insecure=True)
    make_video(config.store_dir, {"child": [(0, 5)]}, "anna")
    app = create_app(config, analysis=AnalysisConfig(), reason=ReasonConfig())
    with TestClient(app, base_url="http://127.0.0.1:8000", raise_server_exceptions=True) as client:
        exports = app.state.service.exports
        made = exports.create("anna", ExportOptions(format="csv"))
        exports.keep_outcome(made, {"status": "done", "result": {"files": [{"name": NAME}]}, "error": None})
        file = exports.folder(made) / "files" / NAME
        file.parent.mkdir()
        file.write_text("begin_s\n" * 1000)
        address = f"/v1/videos/anna/exports/{made.job_id}/files/{NAME}"
        assert client.get(address).status_code == 200
        stat = stored_files.StoredFileResponse.set_stat_headers

        def erased_then(response: stored_files.StoredFileResponse, found: object) -> None:
            file.unlink()
            stat(response, found)  # type: ignore[arg-type]

        if moment == "before it is looked at":
            monkeypatch.setattr(type(exports), "file", lambda *_: file)
            file.unlink()
        else:
            monkeypatch.setattr(stored_files.StoredFileResponse, "set_stat_headers", erased_then)
        with caplog.at_level(logging.INFO):
            answer = client.get(address)  # raises what nobody has handled
        if moment == "before it is looked at":
            assert (answer.status_code, answer.json()["code"]) == (404, "NOT-FOUND")
        else:
            assert answer.content == b"", "the answer had begun"
        said = [record.getMessage() for record in caplog.records if not record.name.startswith("httpx")]
        assert not [line for line in said if NAME in line]
