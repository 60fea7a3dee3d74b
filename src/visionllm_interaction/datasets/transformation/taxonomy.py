"""Merge, rename and leave out categories by name, in both splits alike, and prove that no id shifted on the way."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import msgspec
import numpy as np

from visionllm_interaction.core.categories import nearest_names
from visionllm_interaction.datasets.transformation.config import TaxonomyConfig
from visionllm_interaction.datasets.transformation.editing.byte_editor import ByteEditor
from visionllm_interaction.datasets.validation.reading.chunking import cut
from visionllm_interaction.errors import AnnotationError, ConfigError

CODE = "taxonomy"
Names = dict[int, str]


@dataclass(frozen=True)
class Taxonomy:
    """What becomes of each category: name in the file → name in training (``None``: left out), and name → id."""

    name_of: Mapping[str, str | None]
    id_of: Mapping[str, int]


def apply_taxonomy(config: TaxonomyConfig, editors: Mapping[str, ByteEditor]) -> None:
    """Change the categories of both splits, and their annotations, as configured.

    Args:
        config: categories to rename, merge and drop.
        editors: split → annotation file to edit.

    Raises:
        ConfigError: if it names a category that neither split has.
        AnnotationError: if two categories would have one id, or the splits would not mean the same by an id.
    """
    if config.is_empty:
        return
    names = {split: names_of(editor) for split, editor in editors.items()}
    _require_known(config, {name for listed in names.values() for name in listed.values()})
    for split, editor in editors.items():
        reference = names["train"] if config.align and split != "train" else names[split]
        _apply(editor, names[split], taxonomy=_plan(config, names[split], reference=reference))


def names_of(editor: ByteEditor) -> Names:
    """Category id → name, of the categories still there."""
    raw, changed = editor.ids("categories").tolist(), editor.values_set("categories", "id")
    return {changed.get(row, raw[row]): str(editor.get("categories", row, "name")) for row in editor.rows("categories")}


def _require_known(config: TaxonomyConfig, known: set[str]) -> None:
    sources = [name for group in config.merge.values() for name in group] + list(config.rename)
    targets = {*config.merge, *config.rename.values()}
    staying = known - set(sources)
    after = staying | targets
    problems = [_unknown(name, known) for name in sources if name not in known]
    problems += [f"{name} is a category already; join them by listing both in merge" for name in targets & staying]
    problems += [_unknown(name, after) for name in [*(config.keep or ()), *config.ids] if name not in after]
    if problems:
        raise ConfigError(
            "The taxonomy names categories that are not there.",
            expected=f"names among {', '.join(sorted(known | after))}",
            found="; ".join(problems),
            where="section transform.taxonomy",
            problems=tuple(problems),
            fix="correct the names; keep and ids name categories as they are after merge and rename",
        )


def _unknown(name: str, known: Iterable[str]) -> str:
    near = nearest_names(name, known)
    return f"{name}" + (f" (did you mean {' or '.join(near)}?)" if near else "")


def _plan(config: TaxonomyConfig, names: Names, *, reference: Names) -> Taxonomy:
    """What becomes of the categories ``names``; ids come from ``reference``, the categories of train if aligned."""
    joined = {source: target for target, group in config.merge.items() for source in group}
    renamed = {name: {**joined, **config.rename}.get(name, name) for name in {*names.values(), *reference.values()}}
    keep = set(renamed.values()) if config.keep is None else set(config.keep)
    ids: dict[str, int] = {}
    for category_id, name in sorted(reference.items(), key=lambda item: (item[1] != renamed[item[1]], item[0])):
        ids.setdefault(renamed[name], category_id)  # the category that has the name already gives its id
    for category_id, name in sorted(names.items()):
        ids.setdefault(renamed[name], category_id)
    ids = {name: config.ids.get(name, number) for name, number in ids.items() if name in keep}
    _require_unique(ids)
    return Taxonomy({old: new if new in keep else None for old, new in renamed.items()}, ids)


def _require_unique(ids: Mapping[str, int]) -> None:
    twice = [number for number, count in Counter(ids.values()).items() if count > 1]
    if twice:
        clash = {number: sorted(name for name, n in ids.items() if n == number) for number in sorted(twice)}
        raise AnnotationError(
            "Two categories would have one id.",
            expected="an id of its own for each category",
            found="; ".join(f"{number}: {', '.join(group)}" for number, group in clash.items()),
            where="section transform.taxonomy",
            fix="give them ids with transform.taxonomy.ids",
        )


def _apply(editor: ByteEditor, names: Names, *, taxonomy: Taxonomy) -> None:
    new_id = {old: taxonomy.id_of[new] if (new := taxonomy.name_of[name]) else None for old, name in names.items()}
    category_ids = editor.source.keys("annotations")[2]
    for row in np.flatnonzero(np.isin(category_ids, [old for old, new in new_id.items() if new != old])).tolist():
        target = new_id[int(category_ids[row])]
        if editor.is_gone("annotations", row):
            continue
        if target is None:
            editor.drop("annotations", row, code=CODE, action="map")
        else:
            editor.set("annotations", row, "category_id", target, code=CODE, action="map")
    _apply_to_categories(editor, taxonomy)


def _apply_to_categories(editor: ByteEditor, taxonomy: Taxonomy) -> None:
    """Keep one record per category: the one that has its name already, else the first that becomes it."""
    rows = {row: str(editor.get("categories", row, "name")) for row in editor.rows("categories")}
    bearer: dict[str, int] = {}
    for row, name in sorted(rows.items(), key=lambda item: (item[1] != taxonomy.name_of[item[1]], item[0])):
        if new := taxonomy.name_of[name]:
            bearer.setdefault(new, row)
    for row, name in rows.items():
        new = taxonomy.name_of[name]
        if new is None or bearer[new] != row:
            editor.drop("categories", row, code=CODE, action="map")
            continue
        editor.set("categories", row, "id", taxonomy.id_of[new], code=CODE, action="map")
        editor.set("categories", row, "name", new, code=CODE, action="map")


_Int64 = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]


class _WrittenCategory(msgspec.Struct):
    id: _Int64
    name: str


class _WrittenAnnotation(msgspec.Struct, gc=False):
    category_id: _Int64


class _WrittenFile(msgspec.Struct):
    images: list[msgspec.Raw]
    annotations: list[_WrittenAnnotation]
    categories: list[_WrittenCategory]


_WRITTEN = msgspec.json.Decoder(_WrittenFile)
_WRITTEN_PIECE = msgspec.json.Decoder(list[_WrittenAnnotation])
_PIECE_BYTES = 4 << 20


@dataclass(frozen=True)
class Contents:
    """What is in a file as it was written: its categories, and annotations counted by category name."""

    images: int
    annotations: int
    categories: tuple[tuple[int, str], ...]
    by_name: Mapping[str, int]


def read_back(path: Path, *, where: str) -> Contents:
    """Read a written annotation file again, from its bytes alone; a piece at a time, where it can be cut.

    Args:
        path: the written file.
        where: path of the file that it was made from, for messages.

    Returns:
        Its categories, and the number of annotations of each.

    Raises:
        AnnotationError: if it is no COCO file that training could use.
    """
    try:
        return _read_in_pieces(path) or _contents(_WRITTEN.decode(path.read_bytes()))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise AnnotationError(
            "The annotation file cannot be used, also after the repairs.",
            expected="standard JSON with usable ids",
            found=str(error),
            where=where,
            fix="see what stage 2 only warns about (JSON-SCHEMA); let it be dropped or correct it at its source",
        ) from error


def _read_in_pieces(path: Path) -> Contents | None:
    """The same without the whole file in memory; ``None`` if it cannot be cut, or is not what it must be."""
    slices = cut(path, piece_bytes=_PIECE_BYTES)
    if slices is None:
        return None
    try:
        rest = {key: bytes(value) for key, value in slices.rest.items()}
        around = b'{"images": %b, "annotations": [], "categories": %b}' % (rest["images"], rest["categories"])
        counts = Counter[int]()
        with path.open("rb") as stream:
            for _, begin, end in slices.places:
                stream.seek(begin)
                piece = _WRITTEN_PIECE.decode(b"".join((b"[", stream.read(end - begin), b"]")))
                counts.update(annotation.category_id for annotation in piece)
        return _contents(_WRITTEN.decode(around), counts)
    except (KeyError, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None  # read as a whole, which says what is wrong and where


def _contents(written: _WrittenFile, more: Mapping[int, int] | None = None) -> Contents:
    """What a file holds, with ``more`` annotations by category that were read apart."""
    counts = Counter(annotation.category_id for annotation in written.annotations) + Counter(more)
    names = {category.id: category.name for category in written.categories}
    by_name = Counter[str]()
    for number, count in sorted(counts.items()):
        by_name[names.get(number, f"category_id {number}")] += count
    pairs = tuple((category.id, category.name) for category in written.categories)
    return Contents(len(written.images), counts.total(), pairs, dict(by_name))


def require_same_meaning(categories: Mapping[str, Iterable[tuple[int, str]]]) -> None:
    """Refuse splits that mean different categories by one ``category_id``.

    Args:
        categories: split → (``category_id``, name) pairs.

    Raises:
        AnnotationError: if val has a category that is not, with this id and name, one of train's.
    """
    expected = dict(categories["train"])
    odd = [(number, name) for number, name in categories["val"] if expected.get(number) != name]
    if odd:
        raise AnnotationError(
            "The splits mean different things by their category ids.",
            expected="; ".join(f"{number} = {expected.get(number, 'nothing')}" for number, _ in odd[:10]),
            found="; ".join(f"{number} = {name}" for number, name in odd[:10]),
            where="categories of val, against those of train",
            fix="set transform.taxonomy.align, or give the ids with transform.taxonomy.ids",
        )


def expected_counts(config: TaxonomyConfig, editors: Sequence[ByteEditor]) -> Counter[str]:
    """Annotations by the name they must have in training, worked out from the raw files and the log of drops alone."""
    joined = {source: target for target, group in config.merge.items() for source in group} | config.rename
    counts: Counter[str] = Counter()
    for editor in editors:
        raw = _raw_names(editor)
        column = editor.source.keys("annotations")[2].copy()
        found, numbers = np.unique(column, return_counts=True)
        by_id = Counter(dict(zip(found.tolist(), numbers.tolist(), strict=True)))
        by_id.subtract(
            change.category_id
            for change in editor.log
            if change.entity == "annotation" and change.field is None and change.action in ("drop", "repair")
        )
        for number, count in by_id.items():
            name = raw.get(number, f"category_id {number}")
            counts[joined.get(name, name)] += count
    keep = set(counts) if config.keep is None else set(config.keep)
    return Counter({name: count for name, count in counts.items() if name in keep and count})


def _raw_names(editor: ByteEditor) -> Names:
    source = editor.source
    records = [json.loads(source.row_bytes("categories", row)) for row in range(source.count("categories"))]
    return {r["id"]: r["name"] for r in records if isinstance(r, dict) and {"id", "name"} <= r.keys()}


def require_conserved(expected: Mapping[str, int], contents: Iterable[Contents]) -> None:
    """Compare the written annotations with the count that raw files, drops and taxonomy imply.

    Args:
        expected: category name → number of annotations.
        contents: what was read back from the files of both splits.

    Raises:
        AnnotationError: if a category has more or fewer annotations than that; nothing is published then.
    """
    found: Counter[str] = Counter()
    for part in contents:
        found.update(part.by_name)
    shifted = sorted(name for name in expected.keys() | found.keys() if expected.get(name, 0) != found[name])
    if shifted:
        raise AnnotationError(
            "Annotations changed their category on the way.",
            expected="; ".join(f"{name}: {expected.get(name, 0)}" for name in shifted[:10]),
            found="; ".join(f"{name}: {found[name]}" for name in shifted[:10]),
            where="annotations per category, raw files against cleaned files",
            fix="this is an error of the program; please report it with the categories of your files",
        )
