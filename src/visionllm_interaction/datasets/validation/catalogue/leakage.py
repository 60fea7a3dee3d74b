"""Issues of leakage between splits."""

from __future__ import annotations

from visionllm_interaction.datasets.validation.catalogue.types import IssueType

LEAKAGE = (
    IssueType(
        "LEAK-SAME-FILE",
        "the same file is in both splits",
        "train2017/17.jpg and val2017/90.jpg are equal byte for byte",
        "validation measures memory instead of skill",
        "remove it from one of the splits",
        "image",
    ),
    IssueType(
        "LEAK-NEAR-DUPLICATE",
        "the same image is in both splits, encoded, scaled or cropped anew",
        "the original in train, its thumbnail in val",
        "validation measures memory instead of skill",
        "remove it from one of the splits",
        "image",
        action="warn",
    ),
    IssueType(
        "LEAK-GROUP",
        "images of one child, household or session are in both splits",
        "household 12 has images in train and in val",
        "the figures do not say how well the detector does with new families",
        "split by group (transform.splits)",
        "dataset",
        action="warn",
    ),
    IssueType(
        "LEAK-ADJACENT-FRAME",
        "frames of one video, close in time, are in both splits",
        "session3_000100.jpg in train, session3_000101.jpg in val",
        "neighbouring frames are almost the same image: validation measures memory instead of skill",
        "split by video, not by frame",
        "image",
        action="warn",
    ),
)
