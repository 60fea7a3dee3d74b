"""The list of ready-made models, as ``models.yaml`` tells it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from importlib import resources
from typing import Literal, Self
from urllib.parse import unquote, urlsplit

from pydantic import ConfigDict, Field, model_validator

from visionllm_interaction.core.categories import nearest_names
from visionllm_interaction.errors import UsageError
from visionllm_interaction.utils.schema_from_docstrings import DescribedModel
from visionllm_interaction.utils.strict_yaml import load_yaml

Kind = Literal["people", "hands", "faces", "pose", "speech"]
"""What a model is for."""
Part = Literal["detector", "landmarks", "age"]
"""``detector`` finds something in an image; ``landmarks`` reads points in what a detector found, ``age`` its age."""
KINDS: tuple[Kind, ...] = ("people", "hands", "faces", "pose", "speech")
_SHA256 = "^[0-9a-f]{64}$"


class _Record(DescribedModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ModelFile(_Record):
    """A file by its content."""

    sha256: str = Field(pattern=_SHA256)
    """Digest of all its bytes."""
    bytes: int = Field(gt=0)
    """Its size."""
    note: str = ""
    """How it differs from the file at the model's address."""


class ModelInput(_Record):
    """What a model takes."""

    size: str
    """Of an image in pixels, or how many samples of sound."""
    scale: str
    """The range of its values."""
    colour: Literal["RGB", "BGR"] | None = None
    """Order of an image's channels."""
    layout: Literal["NCHW", "NHWC"] | None = None
    """Order of an image's axes."""


class ModelEntry(_Record):
    """One ready-made model."""

    name: str = Field(pattern="^[a-z0-9_]+$")
    """How commands call it."""
    kind: Kind
    """What it is for."""
    part: Part
    """Which step of its kind it is."""
    finds: str
    """What it finds, in words."""
    architecture: str
    """What it is, in words."""
    url: str = Field(pattern="^https?://")
    """Where its authors offer the file."""
    file: str
    """Name of the file; by default the last part of the address."""
    sha256: str = Field(pattern=_SHA256)
    """Digest of the file at the address."""
    bytes: int = Field(gt=0)
    """Size of the file at the address."""
    variants: tuple[ModelFile, ...] = ()
    """Other files that are the same network."""
    package: str | None = None
    """A package that carries the file."""
    licence: str
    """Of the file, as an SPDX identifier."""
    licence_url: str
    """The licence in full."""
    input: ModelInput
    """What it takes."""
    ap: Mapping[str, float] | None
    """Average precision and related metrics, measured with ``visionllm evaluate`` on coco-mini val."""
    ap_note: str = ""
    """How ``ap`` was measured, or why it is missing."""
    published: Mapping[str, float] = Field(default_factory=dict)
    """What the authors report, on COCO val2017."""
    card: str
    """The model's page, below ``docs/``."""

    @model_validator(mode="before")
    @classmethod
    def _file_of_the_address(cls, content: object) -> object:
        if isinstance(content, dict) and "file" not in content and isinstance(content.get("url"), str):
            return {**content, "file": unquote(urlsplit(content["url"]).path).rsplit("/", 1)[-1]}
        return content

    @property
    def files(self) -> tuple[ModelFile, ...]:
        """Every file that is this model: the one at the address first."""
        return (ModelFile(sha256=self.sha256, bytes=self.bytes), *self.variants)

    @property
    def size(self) -> str:
        """The size of the file at the address, for people."""
        return f"{self.bytes / 1e6:.1f} MB"


class Defaults(_Record):
    """Which models to try for one step of a kind, best first."""

    cpu: tuple[str, ...] = Field(min_length=1)
    """On a machine without a GPU."""
    cuda: tuple[str, ...] = ()
    """With a GPU; empty: the same."""


class Registry(_Record):
    """All ready-made models."""

    defaults: Mapping[Kind, Mapping[Part, Defaults]]
    """What is used where no model is named."""
    models: Mapping[str, ModelEntry]
    """By name."""

    @model_validator(mode="before")
    @classmethod
    def _names_into_entries(cls, content: object) -> object:
        if not isinstance(content, dict) or not isinstance(content.get("models"), dict):
            return content
        models = {name: {**entry, "name": name} for name, entry in content["models"].items()}
        return {**content, "models": models}

    @model_validator(mode="after")
    def _defaults_are_models(self) -> Self:
        for kind, parts in self.defaults.items():
            for part, names in parts.items():
                for name in (*names.cpu, *names.cuda):
                    entry = self.models.get(name)
                    if entry is None or (entry.kind, entry.part) != (kind, part):
                        raise ValueError(f"defaults.{kind}.{part}: {name} is no {part} of {kind}")
        return self

    def __iter__(self) -> Iterator[ModelEntry]:  # type: ignore[override]
        return iter(self.models.values())

    def entry(self, name: str) -> ModelEntry:
        """The model of a name.

        Args:
            name: as ``visionllm models list`` shows it; hyphens count as underscores.

        Returns:
            The model.

        Raises:
            UsageError: if there is none, with the nearest names.
        """
        found = self.models.get(name.strip().lower().replace("-", "_"))
        if found is None:
            near = nearest_names(name, self.models)
            raise UsageError(
                "There is no model of this name.",
                expected=", ".join(self.models),
                found=name,
                fix=f"did you mean {' or '.join(near)}?" if near else "visionllm models list",
            )
        return found

    def with_digest(self, sha256: str) -> ModelEntry | None:
        """The model that a file is, by the file's digest; None if it is none of them."""
        return next((entry for entry in self for file in entry.files if file.sha256 == sha256), None)

    @property
    def sizes(self) -> frozenset[int]:
        """The sizes in bytes that a file of any model may have."""
        return frozenset(file.bytes for entry in self for file in entry.files)


@cache
def read_registry() -> Registry:
    """The list that ships with this package."""
    text = resources.files(__package__).joinpath("models.yaml").read_text(encoding="utf-8")
    return Registry.model_validate(load_yaml(text))
