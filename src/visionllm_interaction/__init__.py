"""VisionLLM Interaction Analysis: images → detector → interaction store → answers with evidence.

The names below are the front door for notebooks and scripts; each loads what it needs when it is first used, so that
importing the package does no work, starts no logging, reads no environment and costs almost nothing.

Example:
    >>> import visionllm_interaction as v
    >>> v.analyze(["visit1.mp4"], "store", detector="fasterrcnn_best.pt")   # doctest: +SKIP
    >>> store = v.open_store("store")                                      # doctest: +SKIP
    >>> v.ask("How long were the child and the caregiver near each other?", store.path)   # doctest: +SKIP
    >>> v.query("total(holding(child, ball)) by video", store)             # doctest: +SKIP
    >>> v.measures(store).to_pandas()                                      # doctest: +SKIP
"""

from __future__ import annotations

from visionllm_interaction.utils.lazy_attributes import lazy_attributes

TYPE_CHECKING = False  # as typing.TYPE_CHECKING, without the time that importing typing takes
if TYPE_CHECKING:
    from visionllm_interaction.analysis import AnalysisResult, VideoResult, analyze
    from visionllm_interaction.api import run_pipeline
    from visionllm_interaction.core.detections import Detections
    from visionllm_interaction.detection.evaluation.evaluate import Evaluation, evaluate
    from visionllm_interaction.detection.models import Detector, load_detector
    from visionllm_interaction.errors import VisionLLMError
    from visionllm_interaction.interop.import_codes import ImportResult, import_codes
    from visionllm_interaction.interop.registry import ExportResult, export
    from visionllm_interaction.measures.language.result import QueryResult, QueryRow
    from visionllm_interaction.measures.language.run import query
    from visionllm_interaction.measures.table import MeasuresTable, measures
    from visionllm_interaction.pipeline import PipelineResult
    from visionllm_interaction.reasoning import Answer, Claim, ask, ask_async
    from visionllm_interaction.store.reader import Store, open_store
    from visionllm_interaction.store.video_view import VideoTable, VideoView
    from visionllm_interaction.validity.agreement.agree import AgreementReport, agree
    from visionllm_interaction.validity.audit.measure_correction import Correction, correct

__version__ = "0.2.0"

__all__ = [
    "AgreementReport",
    "AnalysisResult",
    "Answer",
    "Claim",
    "Correction",
    "Detections",
    "Detector",
    "Evaluation",
    "ExportResult",
    "ImportResult",
    "MeasuresTable",
    "PipelineResult",
    "QueryResult",
    "QueryRow",
    "Store",
    "VideoResult",
    "VideoTable",
    "VideoView",
    "VisionLLMError",
    "__version__",
    "agree",
    "analyze",
    "ask",
    "ask_async",
    "correct",
    "evaluate",
    "export",
    "import_codes",
    "load_detector",
    "measures",
    "open_store",
    "query",
    "run_pipeline",
]

__getattr__ = lazy_attributes(
    __name__,
    {
        "AgreementReport": "validity.agreement.agree",
        "AnalysisResult": "analysis.video_outcomes",
        "Answer": "reasoning.answers",
        "Claim": "reasoning.answers",
        "Correction": "validity.audit.measure_correction",
        "Detections": "core.detections",
        "Detector": "detection.runtimes.detector_interface",
        "Evaluation": "detection.evaluation.evaluate",
        "ExportResult": "interop.registry",
        "ImportResult": "interop.import_codes",
        "MeasuresTable": "measures.table",
        "PipelineResult": "pipeline",
        "QueryResult": "measures.language.result",
        "QueryRow": "measures.language.result",
        "Store": "store.reader",
        "VideoResult": "analysis.video_outcomes",
        "VideoTable": "store.video_view",
        "VideoView": "store.video_view",
        "VisionLLMError": "errors",
        "agree": "validity.agreement.agree",
        "analyze": "analysis.analyze_videos",
        "ask": "reasoning.pipeline",
        "ask_async": "reasoning.pipeline",
        "correct": "validity.audit.measure_correction",
        "evaluate": "detection.evaluation.evaluate",
        "export": "interop.registry",
        "import_codes": "interop.import_codes",
        "load_detector": "detection.runtimes.factory",
        "measures": "measures.table",
        "open_store": "store.reader",
        "query": "measures.language.run",
        "run_pipeline": "api",
    },
)


def __dir__() -> list[str]:
    return sorted(__all__)
