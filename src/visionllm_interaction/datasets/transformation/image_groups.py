"""Which images belong together: the same child, household or session, or the same bytes."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from visionllm_interaction.artifacts.image_group_columns import GROUP_COLUMNS
from visionllm_interaction.artifacts.raw_file_index import IndexedFile
from visionllm_interaction.datasets.transformation.editing.byte_editor import ByteEditor


@dataclass(frozen=True, slots=True)
class GroupedImage:
    """One image of a split: its row in the annotation file, digest of its file, and its groups (column → value)."""

    split: str
    row: int
    image_id: int
    file_name: str
    sha256: str | None
    groups: Mapping[str, str]
    turn: bool = False
    """Whether it is to be written upright."""


def list_grouped_images(
    editor: ByteEditor, *, folder: Path, index: Mapping[str, IndexedFile], turned: Collection[int]
) -> list[GroupedImage]:
    """The split's images with what stage 1 knows about their files.

    ``folder`` is where ``file_name`` starts; ``turned``: rows of those that are to be written upright.
    """
    ids, names = editor.ids("images").tolist(), editor.source.file_names()
    images = []
    for row in editor.rows("images"):
        name = names[row]
        file = index.get(f"{folder}/{name}")
        groups = {column: value for column in GROUP_COLUMNS if (value := getattr(file, column, None)) is not None}
        images.append(
            GroupedImage(editor.split, row, ids[row], name, file.sha256 if file else None, groups, row in turned)
        )
    return images
