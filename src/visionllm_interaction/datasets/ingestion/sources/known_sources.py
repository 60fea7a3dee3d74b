"""Names and addresses in ``data.source``: which files on which server they mean."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from urllib.parse import unquote, urldefrag, urlsplit

from visionllm_interaction.downloads.remote_file_info import Checksum, Remote
from visionllm_interaction.errors import ConfigError

_DIGEST_LENGTHS = {"sha256": 64, "md5": 32}


_COCO = "http://images.cocodataset.org/"
KNOWN: dict[str, tuple[Remote, ...]] = {
    # COCO's server speaks plain HTTP; the checksums, which several projects list alike, make up for that.
    "coco-2017": (
        Remote(
            f"{_COCO}annotations/annotations_trainval2017.zip",
            "annotations_trainval2017.zip",
            252_907_541,
            Checksum("md5", "f4bbac642086de4f52a3fdda2de5fa2c"),
        ),
        Remote(
            f"{_COCO}zips/val2017.zip",
            "val2017.zip",
            815_585_330,
            Checksum("md5", "442b8da7639aecaf257c1dceb8ba8c80"),
        ),
        Remote(
            f"{_COCO}zips/train2017.zip",
            "train2017.zip",
            19_336_861_798,
            Checksum("md5", "cced6f7f71b7629ddf16f17bbcfab6b2"),
        ),
    )
}
"""Data sets that can be asked for by name."""


def remotes_of(sources: Sequence[str]) -> tuple[Remote, ...]:
    """Resolve data set names and addresses to remote files.

    An address may end in ``#sha256=…`` or ``#md5=…``. ``${NAME}`` in it is replaced from the environment.

    Args:
        sources: names of :data:`KNOWN` data sets, or addresses.

    Returns:
        The remote files, in order.

    Raises:
        ConfigError: if one is neither, or two files have one name.
    """
    remotes = [remote for source in sources for remote in KNOWN.get(source) or (_from_url(source),)]
    names = [remote.name for remote in remotes]
    if len(set(names)) < len(names):
        raise ConfigError(
            "Two of the files to download have one name.",
            expected="a name of its own for each file in data.source",
            found=", ".join(sorted(names)),
            fix="take the one that is named twice out of data.source, or download them and set -o data.root=FOLDER",
        )
    return tuple(remotes)


def _from_url(text: str) -> Remote:
    url, fragment = urldefrag(os.path.expandvars(text))
    parts = urlsplit(url)
    name = unquote(parts.path).rsplit("/", 1)[-1]
    if parts.scheme not in ("http", "https") or not parts.hostname or not _is_plain(name):
        raise ConfigError(
            "data.source is not something that can be downloaded.",
            expected=f"{', '.join(KNOWN)}, kaggle:OWNER/NAME, or an http(s) address that ends in a file name",
            found=urldefrag(text)[0],
            where="section data",
            fix="for a folder, an archive or an annotation file on this machine set data.root instead",
        )
    return Remote(url, name, checksum=_checksum(fragment) if fragment else None)


def _is_plain(name: str) -> bool:
    return bool(re.fullmatch(r"[\w][\w .+()@=-]{0,200}", name))


def _checksum(fragment: str) -> Checksum:
    algorithm, _, value = fragment.partition("=")
    if not re.fullmatch(r"[0-9a-fA-F]+", value) or len(value) != _DIGEST_LENGTHS.get(algorithm):
        raise ConfigError(
            "The checksum of a download cannot be used.",
            expected="#sha256=<64 hex digits> or #md5=<32 hex digits>",
            found=f"#{fragment}",
            where="data.source",
            fix="copy the whole digest, or leave out # and what follows: size and length are still checked",
        )
    return Checksum(algorithm, value.lower())
