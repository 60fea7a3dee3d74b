"""The SQL of the measures: constants with bound parameters, put together from a few named parts.

Parameters: ``$subject``, ``$object``, ``$predicate`` (names), ``$person_categories``, ``$video_id`` (or NULL for all),
``$begin_s``, ``$end_s``, ``$gap_s``, ``$min_together_s``. Nothing is ever pasted in from outside this file.
"""
# ruff: noqa: S608

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

# Frames looked at, cut to the window [$begin_s, $end_s).
_LOOKED_FRAMES = """
looked AS (
    SELECT video_id, frame_index, greatest(timestamp_s, $begin_s) AS b, least(timestamp_s + duration_s, $end_s) AS e
    FROM frames
    WHERE processed AND timestamp_s + duration_s > $begin_s AND timestamp_s < $end_s
      AND ($video_id IS NULL OR video_id = $video_id)
)"""


def _chosen(name: str, parameter: str) -> str:
    return f"""
{name} AS (
    SELECT video_id, track_id FROM tracks
    WHERE ($video_id IS NULL OR video_id = $video_id)
      AND (category = {parameter} OR role = {parameter}
           OR ({parameter} = 'person' AND list_contains($person_categories, category)))
)"""


def _seen(name: str, chosen: str) -> str:
    return f"""
{name} AS (
    SELECT l.video_id, l.frame_index, l.b, l.e, d.track_id
    FROM detections d
    JOIN {chosen} USING (video_id, track_id)
    JOIN looked l USING (video_id, frame_index)
    WHERE ($video_id IS NULL OR d.video_id = $video_id)
)"""


_SUBJECT_SEEN = f"WITH {_LOOKED_FRAMES}, {_chosen('subjects', '$subject')}, {_seen('seen', 'subjects')}"

_TOGETHER = f"""{_SUBJECT_SEEN}, {_chosen("objects", "$object")}, {_seen("others", "objects")},
together AS (
    SELECT s.video_id, s.frame_index, s.b, s.e, list_distinct(flatten(list([s.track_id, o.track_id]))) AS ids
    FROM seen s JOIN others o USING (video_id, frame_index)
    WHERE s.track_id <> o.track_id
    GROUP BY ALL
)"""

_IDS = "list_sort(list_distinct(list({column}))) AS track_ids"
_FLAT_IDS = "list_sort(list_distinct(flatten(list({column})))) AS track_ids"

VISIBLE_DURATION = f"""{_SUBJECT_SEEN},
per_frame AS (SELECT video_id, b, e, list(track_id) AS ids FROM seen GROUP BY video_id, frame_index, b, e)
SELECT video_id, sum(e - b) AS value, min(b) AS begin_s, max(e) AS end_s, {_FLAT_IDS.format(column="ids")}
FROM per_frame GROUP BY video_id"""

INSTANCE_COUNT = f"""{_SUBJECT_SEEN},
per_frame AS (
    SELECT video_id, b, e, count(DISTINCT track_id) AS n, list(DISTINCT track_id) AS ids
    FROM seen GROUP BY video_id, frame_index, b, e
),
levels AS (
    SELECT video_id, n, sum(sum(e - b)) OVER (PARTITION BY video_id ORDER BY n DESC) AS at_least_s,
           sum(sum(e - b)) OVER (PARTITION BY video_id) AS all_s
    FROM per_frame GROUP BY video_id, n
),
best AS (
    SELECT video_id, max(n) AS n FROM levels
    WHERE at_least_s >= least($min_together_s, all_s / 2) - 1e-6 GROUP BY video_id
)
SELECT video_id, n AS value, min(b) AS begin_s, max(e) AS end_s, {_FLAT_IDS.format(column="ids")}
FROM per_frame JOIN best USING (video_id, n) GROUP BY video_id, n"""

FIRST_SEEN = f"""{_SUBJECT_SEEN}
SELECT video_id, b AS value, b AS begin_s, e AS end_s, {_IDS.format(column="track_id")}
FROM seen GROUP BY video_id, frame_index, b, e
QUALIFY row_number() OVER (PARTITION BY video_id ORDER BY frame_index) = 1"""

LAST_SEEN = FIRST_SEEN.replace("ORDER BY frame_index", "ORDER BY frame_index DESC")

CO_PRESENCE = f"""{_TOGETHER}
SELECT video_id, sum(e - b) AS value, min(b) AS begin_s, max(e) AS end_s, {_FLAT_IDS.format(column="ids")}
FROM together GROUP BY video_id"""

# Bouts of $predicate between a subject and an object, in either order, cut to the window; no object = any.
_BOUTS = f"""WITH {_chosen("subjects", "$subject")}, {_chosen("objects", "$object")},
sides AS (
    SELECT *, subject_track_id AS a, object_track_id AS z FROM relations
    UNION ALL SELECT *, object_track_id AS a, subject_track_id AS z FROM relations
),
stretches AS (
    SELECT DISTINCT r.video_id, greatest(r.begin_s, $begin_s) AS b, least(r.end_s, $end_s) AS e,
           list_sort([r.a, r.z]) AS ids
    FROM sides r
    JOIN subjects s ON s.video_id = r.video_id AND s.track_id = r.a
    WHERE r.predicate = $predicate AND r.end_s > $begin_s AND r.begin_s < $end_s
      AND ($video_id IS NULL OR r.video_id = $video_id)
      AND ($object IS NULL OR (r.video_id, r.z) IN (SELECT (video_id, track_id) FROM objects))
)"""

_VISIBLE_STRETCHES = f"""{_SUBJECT_SEEN},
stretches AS (
    SELECT video_id, b, e, list(track_id) AS ids FROM seen GROUP BY video_id, frame_index, b, e
)"""

_TOGETHER_STRETCHES = f"""{_TOGETHER}, stretches AS (SELECT video_id, b, e, ids FROM together)"""

# Stretches that meet or overlap, or are closer than $gap_s, become one bout.
_MERGED = """,
fresh AS (
    SELECT *, b > $gap_s + 1e-6 + max(e) OVER (
        PARTITION BY video_id ORDER BY b, e ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS is_new
    FROM stretches
),
numbered AS (
    SELECT *, sum(CASE WHEN is_new THEN 1 ELSE 0 END) OVER (
        PARTITION BY video_id ORDER BY b, e ROWS UNBOUNDED PRECEDING) AS bout
    FROM fresh
),
bouts AS (
    SELECT video_id, bout, min(b) AS b, max(e) AS e, flatten(list(ids)) AS ids FROM numbered GROUP BY video_id, bout
)"""

_TOTAL = f"""
SELECT video_id, sum(e - b) AS value, min(b) AS begin_s, max(e) AS end_s, {_FLAT_IDS.format(column="ids")}
FROM bouts GROUP BY video_id"""
_COUNT = _TOTAL.replace("sum(e - b)", "count(*)")
_LONGEST = """
SELECT video_id, e - b AS value, b AS begin_s, e AS end_s, list_sort(list_distinct(ids)) AS track_ids
FROM bouts QUALIFY row_number() OVER (PARTITION BY video_id ORDER BY round(e - b, 6) DESC, b) = 1"""

RELATION_DURATION = f"{_BOUTS}{_MERGED}{_TOTAL}"
_RELATION_PREFIX = f"{_BOUTS}{_MERGED}"

BOUT_PREFIXES: Mapping[str, str] = MappingProxyType(
    {
        "relation": _RELATION_PREFIX,
        "visible": f"{_VISIBLE_STRETCHES}{_MERGED}",
        "together": f"{_TOGETHER_STRETCHES}{_MERGED}",
    }
)
"""What a bout is made of → the SQL that finds bouts; measures of bouts add their last SELECT."""

LOOKED = f"""WITH {_LOOKED_FRAMES}
SELECT video_id, sum(e - b) AS looked_s, min(b) AS begin_s, max(e) AS end_s,
       min(frame_index) AS first_frame, max(frame_index) AS last_frame
FROM looked GROUP BY video_id"""
"""Per video: the seconds looked at within the window, and the frames."""

BOUT_COUNT = f"{_RELATION_PREFIX}{_COUNT}"
LONGEST_BOUT = f"{_RELATION_PREFIX}{_LONGEST}"


def bouts_of(sql: str, kind: str) -> str:
    """The SQL of a measure of relation bouts, for bouts of another ``kind``."""
    return BOUT_PREFIXES[kind] + sql.removeprefix(_RELATION_PREFIX)
