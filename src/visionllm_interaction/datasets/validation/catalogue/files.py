"""Issues of image files: missing, unreadable, of another size."""

from __future__ import annotations

from visionllm_interaction.datasets.validation.catalogue.types import IssueType

_AGAIN = "copy the file from its source again, or drop the image"

FILES = (
    IssueType(
        "FILE-MISSING",
        "an image is not on disk",
        "000000000009.jpg is listed and not there",
        "training stops when it gets there",
        "copy the file to the image folder, or delete its record",
        "image",
    ),
    IssueType(
        "FILE-OUTSIDE",
        "a file_name leads out of the image folder",
        "../../private/child.jpg",
        "files that are not part of the data would be read",
        "copy the image below the image folder, or delete its record; no file there has that end of its path",
        "image",
    ),
    IssueType(
        "FILE-CASE",
        "a file has its name in other case on disk",
        "frame1.jpg is listed, Frame1.JPG is there",
        "works on macOS and Windows, fails on Linux and on clusters",
        "rename the file, or correct file_name",
        "image",
    ),
    IssueType(
        "FILE-UNICODE",
        "a file has its name in another Unicode form on disk",
        "ä as one character in the JSON and as a + ¨ on a disk written by macOS",
        "the names look the same and the file is not found",
        "rename the file to the composed form (NFC), or correct file_name",
        "image",
    ),
    IssueType(
        "FILE-UNLISTED",
        "an image on disk is not in the annotation file",
        "train2017/extra.jpg without a record",
        "perhaps annotations are lost; the image is never used",
        "add a record, or move the image away",
        "file",
        action="warn",
    ),
    IssueType(
        "FILE-EMPTY",
        "an image file has no bytes",
        "0 bytes after a copy to a full disk",
        "training stops when it gets there",
        _AGAIN,
        "image",
    ),
    IssueType(
        "FILE-TRUNCATED",
        "an image file is cut short or damaged",
        "the lower half of a JPEG is missing",
        "training stops, or learns from grey areas",
        _AGAIN,
        "image",
    ),
    IssueType(
        "FILE-NOT-IMAGE",
        "a file is no image in a known format",
        "an HTML error page saved as 17.jpg",
        "training stops when it gets there",
        _AGAIN,
        "image",
    ),
    IssueType(
        "FILE-TOO-LARGE",
        "an image has more pixels than allowed",
        "a PNG of 40 kB that says 50,000 × 50,000 (a decompression bomb)",
        "decoding it takes all memory",
        "scale it down, drop it, or raise images.max_megapixels",
        "image",
    ),
    IssueType(
        "FILE-KILLS-DECODER",
        "decoding the file took too long, too much memory, or ended the process",
        "a crafted file that makes a decoder loop",
        "training stops, or the machine does",
        _AGAIN,
        "image",
    ),
    IssueType(
        "FILE-CHANGED",
        "a file is not the one stage 1 took in",
        "an image edited after ingest",
        "results cannot be traced to the raw data any more",
        "restore the file, or run stage 1 again",
        "file",
    ),
    IssueType(
        "FILE-FORMAT",
        "the name's ending says another format than the content",
        "scan.jpg is a PNG",
        "tools that trust the ending fail",
        "rename the file, or convert it",
        "image",
        action="warn",
    ),
    IssueType(
        "FILE-SEVERAL-FRAMES",
        "an image file holds several frames",
        "an animated GIF, a TIFF with pages",
        "only the first is used",
        "save the frames as images of their own",
        "image",
        action="warn",
    ),
)
