"""Category names that formats leave out of their files: COCO's, and those of MOT Challenge."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

YOLO_NAMES: tuple[str, ...] = (
    *("person", "bicycle", "car", "motorcycle", "airplane", "bus", "train", "truck", "boat", "traffic light"),
    *("fire hydrant", "stop sign", "parking meter", "bench", "bird", "cat", "dog", "horse", "sheep", "cow"),
    *("elephant", "bear", "zebra", "giraffe", "backpack", "umbrella", "handbag", "tie", "suitcase", "frisbee"),
    *("skis", "snowboard", "sports ball", "kite", "baseball bat", "baseball glove", "skateboard", "surfboard"),
    *("tennis racket", "bottle", "wine glass", "cup", "fork", "knife", "spoon", "bowl", "banana", "apple"),
    *("sandwich", "orange", "broccoli", "carrot", "hot dog", "pizza", "donut", "cake", "chair", "couch"),
    *("potted plant", "bed", "dining table", "toilet", "tv", "laptop", "mouse", "remote", "keyboard", "cell phone"),
    *("microwave", "oven", "toaster", "sink", "refrigerator", "book", "clock", "vase", "scissors", "teddy bear"),
    *("hair drier", "toothbrush"),
)
"""COCO's 80 categories as classes 0 to 79, as detectors of the YOLO family write them."""
_UNUSED_IDS = frozenset({12, 26, 29, 30, 45, 66, 68, 69, 71, 83})
COCO_NAMES: Mapping[int, str] = MappingProxyType(
    dict(zip((n for n in range(1, 91) if n not in _UNUSED_IDS), YOLO_NAMES, strict=True))
)
"""COCO's ``category_id`` → name."""
MOT_NAMES: Mapping[int, str] = MappingProxyType(
    {1: "person", 2: "person", 3: "car", 4: "bicycle", 5: "motorcycle", 7: "person"}
)
"""Classes of MOT Challenge that are people or vehicles → name; 2 are riders, 7 people who stand still."""
