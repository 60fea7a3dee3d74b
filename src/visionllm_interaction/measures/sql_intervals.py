"""SQL of the measures on intervals of time: constants with bound parameters, composed of named parts.

Parameters: ``$subject``, ``$object``, ``$predicate`` (names), ``$person_categories``, ``$body_categories``,
``$video_id`` (or NULL for all), ``$begin_s``, ``$end_s``, ``$gap_s``, ``$min_together_s``, ``$max_gap_s``,
``$max_overlap_s``. No text from outside this file becomes part of a query.
"""
# ruff: noqa: S608

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

# Processed frames, clipped to the window [$begin_s, $end_s).
PROCESSED_FRAMES = """
processed_frames AS (
    SELECT video_id, frame_index, greatest(timestamp_s, $begin_s) AS b, least(timestamp_s + duration_s, $end_s) AS e
    FROM frames
    WHERE processed AND timestamp_s + duration_s > $begin_s AND timestamp_s < $end_s
      AND ($video_id IS NULL OR video_id = $video_id)
)"""
_SECONDS = f"""{PROCESSED_FRAMES},
seconds AS (SELECT video_id, sum(e - b) AS processed_s FROM processed_frames GROUP BY video_id)"""


def chosen(name: str, parameter: str) -> str:
    """SQL of the tracks that the name in ``parameter`` stands for: a category, a role, *person* or *thing*."""
    return f"""
{name} AS (
    SELECT video_id, track_id, list_contains($person_categories, category) AS is_person FROM tracks
    WHERE ($video_id IS NULL OR video_id = $video_id)
      AND (category = {parameter} OR role = {parameter}
           OR ({parameter} = 'person' AND list_contains($person_categories, category))
           OR ({parameter} = 'thing' AND NOT list_contains($person_categories, category)
               AND NOT list_contains($body_categories, category)))
)"""


def _seen(name: str, tracks: str) -> str:
    return f"""
{name} AS (
    SELECT s.video_id, s.track_id, greatest(s.begin_s, $begin_s) AS b, least(s.end_s, $end_s) AS e
    FROM sightings s JOIN {tracks} USING (video_id, track_id)
    WHERE s.end_s > $begin_s AND s.begin_s < $end_s AND ($video_id IS NULL OR s.video_id = $video_id)
)"""


SUBJECT_SEEN = f"WITH {chosen('subjects', '$subject')}, {_seen('seen', 'subjects')}"

_IDS = "list_sort(list_distinct(list({column}))) AS track_ids"
_FLAT_IDS = "list_sort(list_distinct(flatten(list({column})))) AS track_ids"

# What a bout is made of: intervals (video_id, b, e, ids), overlaps and all.
_VISIBLE = f"""{SUBJECT_SEEN},
intervals AS (SELECT video_id, b, e, [track_id] AS ids FROM seen)"""

_TOGETHER = f"""{SUBJECT_SEEN}, {chosen("objects", "$object")}, {_seen("others", "objects")},
intervals AS (
    SELECT s.video_id, greatest(s.b, o.b) AS b, least(s.e, o.e) AS e, [s.track_id, o.track_id] AS ids
    FROM seen s JOIN others o ON s.video_id = o.video_id AND s.b < o.e AND o.b < s.e
    WHERE s.track_id <> o.track_id
)"""

# $predicate between a subject and an object, in either order; no object = any.
_RELATION = f"""WITH {chosen("subjects", "$subject")}, {chosen("objects", "$object")},
sides AS (
    SELECT *, subject_track_id AS a, object_track_id AS z FROM relations
    UNION ALL SELECT *, object_track_id AS a, subject_track_id AS z FROM relations
),
intervals AS (
    SELECT DISTINCT r.video_id, greatest(r.begin_s, $begin_s) AS b, least(r.end_s, $end_s) AS e,
           list_sort([r.a, r.z]) AS ids
    FROM sides r
    JOIN subjects s ON s.video_id = r.video_id AND s.track_id = r.a
    WHERE r.predicate = $predicate AND r.end_s > $begin_s AND r.begin_s < $end_s
      AND ($video_id IS NULL OR r.video_id = $video_id)
      AND ($object IS NULL OR (r.video_id, r.z) IN (SELECT (video_id, track_id) FROM objects))
)"""

# As above, in one direction only: the subject is *left of* the object, *inside* it, approaches it.
_DIRECTED = _RELATION.replace(
    "\n    UNION ALL SELECT *, object_track_id AS a, subject_track_id AS z FROM relations", ""
)

_JOINT = f"""WITH {chosen("subjects", "$subject")}, {chosen("objects", "$object")},
intervals AS (
    SELECT DISTINCT j.video_id, greatest(j.begin_s, $begin_s) AS b, least(j.end_s, $end_s) AS e, j.track_ids AS ids
    FROM events j
    JOIN subjects s ON s.video_id = j.video_id AND list_contains(j.track_ids, s.track_id)
    JOIN objects o ON o.video_id = j.video_id AND list_contains(j.track_ids, o.track_id)
    WHERE j.kind = 'joint_handling' AND j.end_s > $begin_s AND j.begin_s < $end_s
      AND ($video_id IS NULL OR j.video_id = $video_id) AND s.track_id <> o.track_id
)"""

# Intervals coded by people: who (participant) and at what (label); the tracks of that name seen in the meantime.
_CODED = f"""WITH {chosen("subjects", "$subject")},
intervals AS (
    SELECT c.video_id, greatest(c.begin_s, $begin_s) AS b, least(c.end_s, $end_s) AS e,
           list_filter(list(s.track_id), lambda x : x IS NOT NULL) AS ids
    FROM codes c
    LEFT JOIN (SELECT t.video_id, t.track_id, t.begin_s, t.end_s FROM tracks t
               JOIN subjects USING (video_id, track_id)) s
      ON s.video_id = c.video_id AND s.begin_s < c.end_s AND s.end_s > c.begin_s
    WHERE c.kind = $predicate AND lower(c.participant) = lower($subject)
      AND ($object IS NULL OR lower(trim(c.label)) = lower($object))
      AND c.end_s >= $begin_s AND c.begin_s < $end_s AND ($video_id IS NULL OR c.video_id = $video_id)
    GROUP BY c.video_id, c.code_id, c.begin_s, c.end_s
)"""

# Intervals that touch or overlap, or are at most $gap_s apart, become one bout.
MERGED = """,
fresh AS (
    SELECT *, b > $gap_s + 1e-6 + max(e) OVER (
        PARTITION BY video_id ORDER BY b, e ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS is_new
    FROM intervals
),
numbered AS (
    SELECT *, sum(CASE WHEN is_new THEN 1 ELSE 0 END) OVER (
        PARTITION BY video_id ORDER BY b, e ROWS UNBOUNDED PRECEDING) AS bout
    FROM fresh
),
bouts AS (
    SELECT video_id, bout, min(b) AS b, max(e) AS e, flatten(list(ids)) AS ids FROM numbered GROUP BY video_id, bout
)"""

INTERVALS: Mapping[str, str] = MappingProxyType(
    {
        "visible": _VISIBLE,
        "together": _TOGETHER,
        "relation": _RELATION,
        "directed": _DIRECTED,
        "joint": _JOINT,
        "coded": _CODED,
    }
)
"""What bouts are made of → the SQL that finds the intervals."""

TOTAL = f"""{MERGED}
SELECT video_id, sum(e - b) AS value, min(b) AS begin_s, max(e) AS end_s, {_FLAT_IDS.format(column="ids")}
FROM bouts GROUP BY video_id"""
COUNT = TOTAL.replace("sum(e - b)", "count(*)")
MEAN = TOTAL.replace("sum(e - b)", "avg(e - b)")
LONGEST = f"""{MERGED}
SELECT video_id, e - b AS value, b AS begin_s, e AS end_s, list_sort(list_distinct(ids)) AS track_ids
FROM bouts QUALIFY row_number() OVER (PARTITION BY video_id ORDER BY round(e - b, 6) DESC, b) = 1"""
_PER_SECOND = f"""{MERGED}, {_SECONDS}
SELECT video_id, {{value}} AS value, min(b) AS begin_s, max(e) AS end_s, {_FLAT_IDS.format(column="ids")}
FROM bouts JOIN seconds USING (video_id) GROUP BY video_id"""
SHARE = _PER_SECOND.format(value="sum(e - b) / any_value(processed_s)")
RATE = _PER_SECOND.format(value="60.0 * count(*) / any_value(processed_s)")

# The time in which the files that code $predicate of the subject were coded, where all of them say so.
_CODED_TIME = """
coding_files AS (
    SELECT DISTINCT video_id, source FROM codes
    WHERE kind = $predicate AND lower(participant) = lower($subject) AND ($video_id IS NULL OR video_id = $video_id)
),
coded_spans AS (
    SELECT c.video_id, c.source, c.begin_s, c.end_s FROM codes c JOIN coding_files USING (video_id, source)
    WHERE c.kind = 'coded'
),
partly_coded AS (
    SELECT video_id FROM coding_files LEFT JOIN (SELECT DISTINCT video_id, source, true AS is_known FROM coded_spans) k
    USING (video_id, source) GROUP BY video_id HAVING bool_and(coalesce(is_known, false))
),
clipped AS (
    SELECT video_id, greatest(begin_s, $begin_s) AS b, least(end_s, $end_s) AS e
    FROM coded_spans WHERE end_s > $begin_s AND begin_s < $end_s
),
uncovered AS (
    SELECT video_id, e, greatest(b, coalesce(max(e) OVER (
        PARTITION BY video_id ORDER BY b, e ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), b)) AS b FROM clipped
),
coded_time AS (
    SELECT p.video_id, coalesce(sum(greatest(u.e - u.b, 0)), 0.0) AS coded_s
    FROM partly_coded p LEFT JOIN uncovered u USING (video_id) GROUP BY p.video_id
)"""
CODED_TIME = f"WITH {_CODED_TIME}\nSELECT video_id, coded_s FROM coded_time"
"""Video id and coded seconds within the window, of videos whose files say what was coded."""
CODED_RATE = f"""{MERGED}, {_SECONDS}, {_CODED_TIME}
SELECT video_id, 60.0 * count(*) / nullif(any_value(coalesce(coded_s, processed_s)), 0) AS value,
       min(b) AS begin_s, max(e) AS end_s, {_FLAT_IDS.format(column="ids")}
FROM bouts LEFT JOIN seconds USING (video_id) LEFT JOIN coded_time USING (video_id)
WHERE coalesce(coded_s, processed_s) IS NOT NULL GROUP BY video_id"""

MEAN_COUNT = f"""{SUBJECT_SEEN}, {_SECONDS}
SELECT video_id, sum(e - b) / any_value(processed_s) AS value, min(b) AS begin_s, max(e) AS end_s,
       {_IDS.format(column="track_id")}
FROM seen JOIN seconds USING (video_id) GROUP BY video_id"""

INSTANCE_COUNT = f"""{SUBJECT_SEEN},
edges AS (
    SELECT video_id, t, sum(step) AS step
    FROM (SELECT video_id, b AS t, 1 AS step FROM seen UNION ALL SELECT video_id, e, -1 FROM seen)
    GROUP BY video_id, t
),
levels AS (
    SELECT video_id, t AS b, lead(t) OVER in_order AS e, sum(step) OVER in_order::BIGINT AS n
    FROM edges WINDOW in_order AS (PARTITION BY video_id ORDER BY t)
),
seconds_at AS (
    SELECT video_id, n, sum(sum(e - b)) OVER (PARTITION BY video_id ORDER BY n DESC) AS at_least_s,
           sum(sum(e - b)) OVER (PARTITION BY video_id) AS all_s
    FROM levels WHERE n > 0 GROUP BY video_id, n
),
best AS (
    SELECT video_id, max(n) AS n FROM seconds_at
    WHERE at_least_s >= least($min_together_s, all_s / 2) - 1e-6 GROUP BY video_id
),
moments AS (SELECT * FROM levels JOIN best USING (video_id, n))
SELECT m.video_id, n AS value, min(m.b) AS begin_s, max(m.e) AS end_s, {_IDS.format(column="track_id")}
FROM moments m JOIN seen s ON s.video_id = m.video_id AND s.b < m.e AND m.b < s.e GROUP BY m.video_id, n"""

# Mean number of other objects in view while the subject is.
COMPETITORS = f"""{_VISIBLE}{MERGED},
total AS (SELECT video_id, sum(e - b) AS s, min(b) AS b, max(e) AS e FROM bouts GROUP BY video_id),
{chosen("things", "'thing'")},
rivals AS (SELECT video_id, track_id FROM things ANTI JOIN subjects USING (video_id, track_id)),
{_seen("others", "rivals")},
shared AS (
    SELECT o.video_id, sum(least(o.e, m.e) - greatest(o.b, m.b)) AS s, list(DISTINCT o.track_id) AS ids
    FROM others o JOIN bouts m ON o.video_id = m.video_id AND o.b < m.e AND m.b < o.e GROUP BY o.video_id
)
SELECT video_id, coalesce(shared.s, 0.0) / total.s AS value, b AS begin_s, e AS end_s,
       list_sort(coalesce(ids, [])) AS track_ids
FROM total LEFT JOIN shared USING (video_id)"""

# The frame in which the subject is seen first (last), cut to the window, and who is seen in it.
_END_FRAME = f"""{SUBJECT_SEEN}, {PROCESSED_FRAMES},
ends AS (SELECT video_id, {{end}} AS t FROM seen GROUP BY video_id),
frame AS (SELECT l.video_id, l.b, l.e FROM processed_frames l JOIN ends USING (video_id) WHERE {{inside}})
SELECT f.video_id, f.b AS value, f.b AS begin_s, f.e AS end_s, {_IDS.format(column="s.track_id")}
FROM frame f JOIN seen s ON s.video_id = f.video_id AND s.b < f.e - 1e-7 AND s.e > f.b + 1e-7
GROUP BY f.video_id, f.b, f.e"""
FIRST_SEEN = _END_FRAME.format(end="min(b)", inside="l.b <= t + 1e-7 AND l.e > t + 1e-7")
LAST_SEEN = _END_FRAME.format(end="max(e)", inside="l.b < t - 1e-7 AND l.e >= t - 1e-7")

EVENT_COUNT = f"""WITH {chosen("subjects", "$subject")}, {chosen("objects", "$object")},
found AS (
    SELECT DISTINCT v.video_id, v.event_id, v.begin_s AS b, v.end_s AS e, v.track_ids AS ids
    FROM events v JOIN subjects s ON s.video_id = v.video_id AND s.track_id = v.track_ids[1]
    WHERE v.kind = $predicate AND v.begin_s >= $begin_s AND v.begin_s < $end_s
      AND ($video_id IS NULL OR v.video_id = $video_id)
      AND ($object IS NULL OR EXISTS (
          SELECT 1 FROM objects o WHERE o.video_id = v.video_id AND list_contains(v.track_ids[2:], o.track_id)))
)"""
EVENT_RATE = f"""{EVENT_COUNT}, {_SECONDS}
SELECT video_id, 60.0 * count(*) / any_value(processed_s) AS value, min(b) AS begin_s, max(e) AS end_s,
       {_FLAT_IDS.format(column="ids")}
FROM found JOIN seconds USING (video_id) GROUP BY video_id"""
EVENT_COUNT += f"""
SELECT video_id, count(*) AS value, min(b) AS begin_s, max(e) AS end_s, {_FLAT_IDS.format(column="ids")}
FROM found GROUP BY video_id"""

# From the end of what the subject says to the begin of what the object says next, the subject not having gone on in
# between. What lies wholly inside an utterance of the other one is no turn. A turn belongs to the window in which the
# subject's utterance begins; its answer may lie outside.
_TURNS = """WITH said AS (
    SELECT video_id, lower(participant) AS who, begin_s AS b, end_s AS e FROM codes
    WHERE kind = 'speech' AND lower(participant) IN (lower($subject), lower($object))
      AND ($video_id IS NULL OR video_id = $video_id)
),
utterances AS (
    SELECT s.* FROM said s WHERE NOT EXISTS (
        SELECT 1 FROM said o WHERE o.video_id = s.video_id AND o.who <> s.who
          AND o.b <= s.b AND s.e <= o.e AND s.b < o.e)
),
own AS (
    SELECT *, lead(b) OVER (PARTITION BY video_id ORDER BY b, e) AS next_own FROM utterances
    WHERE who = lower($subject)
),
replies AS (
    SELECT o.video_id, o.b, o.e, o.next_own, min(r.b) AS reply
    FROM own o JOIN utterances r ON r.video_id = o.video_id AND r.who = lower($object) AND r.b > o.b
      AND r.b >= o.e - $max_overlap_s - 1e-6 AND r.b <= o.e + $max_gap_s + 1e-6
    WHERE o.b >= $begin_s AND o.b < $end_s
    GROUP BY ALL
),
turns AS (SELECT * FROM replies WHERE next_own IS NULL OR reply <= next_own)
SELECT video_id, {value} AS value, min(b) AS begin_s, max(greatest(reply, e)) AS end_s, []::BIGINT[] AS track_ids
FROM turns GROUP BY video_id"""
TURN_LAG = _TURNS.format(value="median(reply - e)")
TURN_COUNT = _TURNS.format(value="count(*)")

PROCESSED_TIME = f"""WITH {PROCESSED_FRAMES}
SELECT video_id, sum(e - b) AS processed_s, min(b) AS begin_s, max(e) AS end_s,
       min(frame_index) AS first_frame, max(frame_index) AS last_frame
FROM processed_frames GROUP BY video_id"""
"""Per video: the processed seconds within the window, and the first and last frame."""
