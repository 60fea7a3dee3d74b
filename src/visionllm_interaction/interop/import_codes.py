"""Import coded timelines into a store; what a tier means follows from its name or from the caller."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from visionllm_interaction.core.categories import PERSON_CATEGORIES
from visionllm_interaction.core.tracks_relations_events import Code
from visionllm_interaction.errors import InputDataError
from visionllm_interaction.interop.config import InteropConfig
from visionllm_interaction.interop.formats.columns import ColumnMap, parse_columns
from visionllm_interaction.interop.naming_moments import LemmaTable, naming_codes
from visionllm_interaction.interop.participants import role_table
from visionllm_interaction.interop.registry import read_timelines
from visionllm_interaction.interop.tier_meaning import KINDS, TierMeaning, coded_intervals, codes_of
from visionllm_interaction.interop.tiers import Medium, RefusedRow, Timeline
from visionllm_interaction.interop.timeline_selection import check_known, select_medium, select_timeline
from visionllm_interaction.store.reader import open_store
from visionllm_interaction.store.recordings.clocks import KnownBy, Misplaced, Recording
from visionllm_interaction.store.recordings.imported_data import write_imported
from visionllm_interaction.store.video_record import VideoRecord
from visionllm_interaction.utils.path_type import StrPath

_MEASURED_KINDS = ("speech", "gaze")
_SHOWN = 5


@dataclass(frozen=True)
class ImportedTier:
    """One imported tier: how measures read it (:data:`KINDS`), all whom it is about, and its number of codes."""

    kind: str
    participant: str
    codes: int


@dataclass(frozen=True)
class ImportOptions:
    """What the caller says about a coded file. Everything has a default.

    Attributes:
        kinds: tier → how measures read it, one of :data:`KINDS`. By default a tier whose name holds ``gaze`` or
            ``look``, ``naming``, ``speech`` or ``utterance`` is read as that, one called ``coded`` or ``transcribed``
            as intervals of time that were coded, any other as ``code``.
        participants: tier → whom it is about, a role or a category; by default the tier's own participant.
        speakers: name in the file → role or category; goes before the table of names.
        observation: which one, if the file holds several.
        medium: which of the recordings that the file names is the video.
        columns: of a table, which column means what, as for :func:`.columns.parse_columns`, or a preset's name.
        skip_bad: whether rows that cannot be used are left out; otherwise one of them refuses the file.
        coded: intervals of the file's time that were coded; None: as the file says, else all of it.
        offset_s: seconds of the video (or of ``on``) at the file's 0, beside the file's own offset; None: 0.
        drift_ppm: by how many millionths the file's seconds are too long.
        on: the recording that was coded, whose clock is known to the store; None: the video.
        naming: whether words that name a category become naming moments; None: of transcripts only.
    """

    kinds: Mapping[str, str] | None = None
    participants: Mapping[str, str] | None = None
    speakers: Mapping[str, str] | None = None
    observation: str | None = None
    medium: str | None = None
    columns: str | ColumnMap | None = None
    skip_bad: bool = False
    coded: Sequence[tuple[float, float]] | None = None
    offset_s: float | None = None
    drift_ppm: float = 0.0
    on: str | None = None
    naming: bool | None = None


@dataclass(frozen=True)
class ImportResult:
    """The result of an import.

    Attributes:
        store: the store's folder.
        video_id: the video that was coded, or the session.
        source: name of the coded file.
        codes: how many codes were imported, without ``coded`` intervals.
        tiers: by the tier's name.
        recording: the file's clock.
        refused: rows that were left out.
        unmatched: participants that are neither in the store nor in the table of names → how many codes they have.
        without_participant: tiers of speech and gaze that say nobody; they are not measured.
        notes: what should be known of the file.
        videos: of a session, the videos that the codes were imported for; empty otherwise.
    """

    store: Path
    video_id: str
    source: str
    codes: int
    tiers: Mapping[str, ImportedTier]
    recording: Recording
    refused: tuple[RefusedRow, ...] = ()
    unmatched: Mapping[str, int] = field(default_factory=dict)
    without_participant: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    videos: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """The JSON of ``visionllm import``."""
        tiers = {name: asdict(tier) for name, tier in self.tiers.items()}
        of_session = {"session": self.video_id, "videos": list(self.videos)} if self.videos else {}
        return {
            "store": str(self.store),
            "video_id": self.video_id,
            **of_session,
            "source": self.source,
            "codes": self.codes,
            "tiers": tiers,
            "recording": self.recording.to_dict(),
            "refused": [asdict(row) for row in self.refused],
            "unmatched": dict(self.unmatched),
            "without_participant": list(self.without_participant),
            "notes": list(self.notes),
        }


def import_codes(
    file: StrPath,
    store: StrPath,
    *,
    video_id: str,
    kinds: Mapping[str, str] | None = None,
    participants: Mapping[str, str] | None = None,
    observation: str | None = None,
    options: ImportOptions | None = None,
    config: InteropConfig = InteropConfig(),
) -> ImportResult:
    """Import codes from another program.

    Times are kept as they came and put on the video's clock: by the file's own offset (ELAN's ``TIME_ORIGIN``, BORIS's
    time offset, Datavyu's offset of a video) and what ``options`` say. Earlier codes from a file of the same name are
    replaced, also where the file holds none any more.

    Args:
        file: a coded file, a transcript or a table; see docs/exchange.md.
        store: the store's folder.
        video_id: the video that was coded.
        kinds: as ``options.kinds``.
        participants: as ``options.participants``.
        observation: as ``options.observation``.
        options: everything that can be said about the file.
        config: names of participants, presets of columns, words of categories.

    Returns:
        The tiers and how many codes each brought, and what was left out or matches nobody.

    Raises:
        InputDataError: if the file cannot be read, or a row of it cannot be used and ``skip_bad`` is not given.
        UsageError: if tiers, kinds, the observation or the medium are not known.
        StoreError: if the store or video is not there.
    """
    path, store = Path(file), Path(store)
    options = options or ImportOptions(kinds, participants, observation=observation)
    with open_store(store) as opened:
        record = opened.record(video_id)
        names = StoreNames.of([record], opened.names(video_id))
    timeline = read_timeline(path, options, config, video=record.source.name)
    medium = select_medium(timeline, options.medium, video=record.source.name)
    read = read_codes(path, timeline, medium, names, options, config)
    recording = recording_of(path.name, medium.offset_s, options, follows=options.on)
    if timeline.refused and not options.skip_bad:
        raise refusal(path, timeline.refused, total=len(read.codes) + len(timeline.refused))
    placed, misplaced = write_imported(store, video_id, recording, read.codes, skip_misplaced=options.skip_bad)
    refused = (*timeline.refused, *(read.as_row(item) for item in misplaced))
    if misplaced and not options.skip_bad:
        raise refusal(path, refused, total=len(read.codes))
    return result_of(store, video_id, recording, placed, refused, read)


@dataclass(frozen=True)
class StoreNames:
    """The names that a coded file may use.

    Attributes:
        known: roles and categories of people and objects.
        categories: categories that are no people, sorted.
    """

    known: frozenset[str]
    categories: tuple[str, ...]

    @classmethod
    def of(cls, records: Sequence[VideoRecord], names: Collection[str]) -> StoreNames:
        """Those of some videos.

        Args:
            records: the videos' records.
            names: categories and roles of their tracks.

        Returns:
            The names.
        """
        searched = {name for record in records for name in record.detector.categories}
        roles = {role for record in records for role in record.roles.values()}
        return cls(frozenset({*names, *searched, *roles}), tuple(sorted(searched - PERSON_CATEGORIES)))


@dataclass(frozen=True)
class ReadCodes:
    """The codes of a file.

    Attributes:
        codes: the codes, times as they came.
        meaning: what its tiers mean.
        notes: what should be known of the file.
    """

    codes: Sequence[Code]
    meaning: TierMeaning
    notes: Sequence[str]

    def as_row(self, item: Misplaced) -> RefusedRow:
        """A code that cannot be placed, as a row of the file."""
        code = item.code
        places = {one.code_id: place for one, place in self.meaning.places([code])}
        where = places.get(code.code_id) or f"a code of tier {code.tier}"
        return RefusedRow(where, item.reason, f"{code.tier}: {code.label}"[:80])


def read_timeline(path: Path, options: ImportOptions, config: InteropConfig, *, video: str) -> Timeline:
    """Read the timeline that is meant from a coded file.

    Args:
        path: the file.
        options: what the caller says about it.
        config: presets of columns.
        video: name of the video's file, or of the session.

    Returns:
        The timeline.

    Raises:
        InputDataError: if the file cannot be read.
        UsageError: if a tier, a kind or the observation is not known.
    """
    if not path.is_file():
        raise InputDataError(
            "There is no such file to import.",
            expected="a coded file, a transcript or a table; the folder of an eye tracker",
            found="a folder that no eye tracker wrote" if path.is_dir() else "no file at this path",
            where=str(path),
            fix="correct the path",
        )
    timelines = read_timelines(path, columns=_columns(options.columns, config))
    timeline = select_timeline(timelines, options.observation, video=video)
    names = [tier.name for tier in timeline.tiers]
    for name in {**(options.kinds or {}), **(options.participants or {})}:
        check_known("tier", name, names)
    for kind in (options.kinds or {}).values():
        check_known("kind", kind, KINDS)
    return timeline


def read_codes(
    path: Path, timeline: Timeline, medium: Medium, names: StoreNames, options: ImportOptions, config: InteropConfig
) -> ReadCodes:
    """The codes of a timeline, and what they mean.

    Args:
        path: the file.
        timeline: its timeline.
        medium: the video among its media; one without begin and end: all codes are taken.
        names: the names that it may use.
        options: what the caller says about it.
        config: names of participants, words of categories.

    Returns:
        The codes.
    """
    table = role_table(config.participants) | {k.casefold(): v for k, v in (options.speakers or {}).items()}
    meaning = TierMeaning(options.kinds or {}, options.participants or {}, names.known, table)
    codes, notes = codes_of(timeline, medium, meaning, source=path.name)
    if options.coded is not None:
        codes = [code for code in codes if code.kind != "coded"]
    codes += coded_intervals(timeline, codes, options.coded, source=path.name)
    lemmas = LemmaTable(list(names.categories), config.words)
    codes += naming_codes(codes, timeline, lemmas, wanted=options.naming, source=path.name)
    return ReadCodes(codes, meaning, (*timeline.notes, *notes))


def _columns(columns: str | ColumnMap | None, config: InteropConfig) -> ColumnMap | None:
    if columns is None or isinstance(columns, ColumnMap):
        return columns
    return parse_columns(config.columns.get(columns, columns))


def recording_of(name: str, own_offset_s: float, options: ImportOptions, *, follows: str | None) -> Recording:
    """The recording that a coded file is, with its clock.

    Args:
        name: name of the file.
        own_offset_s: what the file itself says of its offset.
        options: what the caller says.
        follows: the recording on whose clock it counts; None: the video's.

    Returns:
        The recording.
    """
    by_hand = options.offset_s is not None or options.drift_ppm != 0.0
    known_by: KnownBy = "hand" if by_hand else "file" if own_offset_s else "own"
    offset_s = own_offset_s * (1.0 + options.drift_ppm * 1e-6) + (options.offset_s or 0.0)
    return Recording(name, "codes", offset_s, options.drift_ppm, known_by, follows=follows)


def refusal(path: Path, rows: Sequence[RefusedRow], *, total: int) -> InputDataError:
    """The error for a file with rows that cannot be used.

    Args:
        path: the file.
        rows: those rows.
        total: how many rows there are.

    Returns:
        The error, which names the first ones.
    """
    shown = "; ".join(f"{row.where}: {row.reason}" for row in rows[:_SHOWN])
    more = f"; and {len(rows) - _SHOWN} more" if len(rows) > _SHOWN else ""
    return InputDataError(
        "Some rows of the file cannot be imported; nothing was.",
        expected="times that are numbers, end after they begin and lie in the video",
        found=f"{len(rows)} of {total} rows: {shown}{more}",
        where=str(path),
        fix="correct them, or import the others with --skip-bad",
    )


def result_of(
    store: Path,
    video_id: str,
    recording: Recording,
    codes: Sequence[Code],
    refused: Sequence[RefusedRow],
    read: ReadCodes,
    *,
    videos: Sequence[str] = (),
    notes: Sequence[str] = (),
) -> ImportResult:
    """The result of an import.

    Args:
        store: the store's folder.
        video_id: the video, or the session.
        recording: the file's clock.
        codes: the codes that were imported.
        refused: rows that were left out.
        read: what was read from the file.
        videos: of a session, the videos that they were imported for.
        notes: further notes.

    Returns:
        The result.
    """
    meaning = read.meaning
    real = [code for code in codes if code.kind != "coded"]
    unmatched = Counter(code.participant for code in real if code.participant in meaning.unmatched)
    nobody = sorted({code.tier for code in real if code.kind in _MEASURED_KINDS and not code.participant})
    return ImportResult(
        store,
        video_id,
        recording.recording,
        len(real),
        _tiers(codes),
        recording,
        tuple(refused),
        dict(unmatched),
        tuple(nobody),
        (*read.notes, *notes),
        tuple(videos),
    )


def _tiers(codes: Sequence[Code]) -> dict[str, ImportedTier]:
    """Each tier with all of its codes, whoever they are about."""
    by_tier: dict[str, list[Code]] = {}
    for code in codes:
        by_tier.setdefault(code.tier, []).append(code)
    return {
        tier: ImportedTier(
            ", ".join(dict.fromkeys(code.kind for code in own)),
            ", ".join(dict.fromkeys(code.participant for code in own if code.participant)),
            len(own),
        )
        for tier, own in by_tier.items()
    }


__all__ = ["KINDS", "ImportOptions", "ImportResult", "ImportedTier", "import_codes"]
