"""Names and types of the columns of a store's Parquet files; loads without Arrow."""

from __future__ import annotations

from collections.abc import Mapping

SCHEMA_VERSION = 2
"""Version of the store's layout, kept in ``store.yaml``; ``store.migrations`` upgrades older stores."""

COLUMNS: Mapping[str, Mapping[str, str]] = {
    "frames": {
        "frame_index": "int64",
        "timestamp_s": "float64",
        "duration_s": "float64",
        "processed": "bool",
        "quality": "string",
    },
    "detections": {
        "detection_id": "int64",
        "frame_index": "int64",
        "timestamp_s": "float64",
        "category": "string",
        "confidence": "float32",
        "x1": "float32",
        "y1": "float32",
        "x2": "float32",
        "y2": "float32",
        "track_id": "int64",
        "interpolated": "bool",
    },
    "tracks": {
        "track_id": "int64",
        "category": "string",
        "role": "string",
        "begin_s": "float64",
        "end_s": "float64",
        "n_detections": "int64",
        "mean_confidence": "float64",
    },
    "relations": {
        "subject_track_id": "int64",
        "predicate": "string",
        "object_track_id": "int64",
        "begin_s": "float64",
        "end_s": "float64",
        "confidence": "float64",
    },
    "events": {
        "event_id": "string",
        "kind": "string",
        "track_ids": "list<int64>",
        "begin_s": "float64",
        "end_s": "float64",
        "confidence": "float64",
    },
    "sightings": {
        "track_id": "int64",
        "first_frame": "int64",
        "last_frame": "int64",
        "begin_s": "float64",
        "end_s": "float64",
    },
    "codes": {
        "code_id": "string",
        "tier": "string",
        "kind": "string",
        "participant": "string",
        "label": "string",
        "begin_s": "float64",
        "end_s": "float64",
        "source": "string",
    },
}
"""File name without ``.parquet`` → its columns and their types, in Arrow's names."""

OPTIONAL_COLUMNS: Mapping[str, Mapping[str, str]] = {
    "recordings": {
        "recording": "string",
        "kind": "string",
        "offset_s": "float64",
        "drift_ppm": "float64",
        "known_by": "string",
        "residual_s": "float64",
        "follows": "string",
    },
    "imported": COLUMNS["codes"],
    "gaze": {
        "recording": "string",
        "wearer": "string",
        "t": "float64",
        "x": "float32",
        "y": "float32",
        "valid": "bool",
    },
    "motion": {
        "recording": "string",
        "wearer": "string",
        "t": "float64",
        "speed_dps": "float32",
        "acceleration": "float32",
    },
}
"""As :data:`COLUMNS`, for files that a video has only where something was imported for it."""

QUALITY_COLUMNS: Mapping[str, Mapping[str, str]] = {
    "quality": {
        "begin_s": "float64",
        "end_s": "float64",
        "light": "float32",
        "blur": "float32",
        "camera_motion": "float32",
        "person_px": "float32",
        "edge_share": "float32",
        "dark": "bool",
        "blurred": "bool",
        "moving_camera": "bool",
        "small": "bool",
        "edge": "bool",
    },
}
"""As :data:`COLUMNS`, for the quality of each stretch; a video that was analysed by an earlier version has none."""

_BODY_PART = {
    "frame_index": "int64",
    "timestamp_s": "float64",
    "track_id": "int64",
    "confidence": "float32",
}
_BOX = {"x1": "float32", "y1": "float32", "x2": "float32", "y2": "float32"}
BODY_COLUMNS: Mapping[str, Mapping[str, str]] = {
    "hands": {**_BODY_PART, "side": "string", **_BOX, "points": "list<float32>"},
    "faces": {**_BODY_PART, **_BOX, "yaw_deg": "float32", "pitch_deg": "float32", "age_years": "float32"},
    "poses": {
        **_BODY_PART,
        "posture": "string",
        "points": "list<float32>",
        "visibility": "list<float32>",
        "child_look": "float32",
    },
    "postures": {
        "track_id": "int64",
        "posture": "string",
        "begin_s": "float64",
        "end_s": "float64",
        "share": "float64",
    },
    "holdings": {
        "subject_track_id": "int64",
        "object_track_id": "int64",
        "begin_s": "float64",
        "end_s": "float64",
        "frames": "int64",
        "touching": "int64",
        "evidence": "string",
    },
    "roles": {
        "track_id": "int64",
        "role": "string",
        "child_probability": "float64",
        "frames": "int64",
        "evidence": "list<string>",
    },
}
"""As :data:`COLUMNS`, for files that a video has only where bodies were analysed; elsewhere they count as empty."""

DERIVED_COLUMNS: Mapping[str, Mapping[str, str]] = {**BODY_COLUMNS, **QUALITY_COLUMNS}
"""Files that a video may lack, and that then count as empty."""

CORRECTION_COLUMNS: Mapping[str, Mapping[str, str]] = {
    "corrections": {
        "correction_id": "int64",
        "kind": "string",
        "action": "string",
        "target": "string",
        "old": "string",
        "new": "string",
        "who": "string",
        "made_at": "string",
        "undoes": "int64",
        "undone_by": "int64",
        "anchors": "string",
        "analysis": "string",
    },
}
"""As :data:`COLUMNS`, for files in the folder ``corrected`` of a video that people have corrected."""
