"""SQL of the measures on boxes: size, place, dominance, distance. Means are weighted by the duration of frames.

Parameters as in ``measures.sql_intervals``, and ``$naming_s``. Boxes are clipped to the image before areas are taken.
"""
# ruff: noqa: S608

from __future__ import annotations

from visionllm_interaction.measures.sql_intervals import MERGED, PROCESSED_FRAMES, chosen

_AREA = (
    "greatest(least(x2::DOUBLE, width) - greatest(x1::DOUBLE, 0), 0)"
    " * greatest(least(y2::DOUBLE, height) - greatest(y1::DOUBLE, 0), 0)"
)
_MEAN = """
SELECT video_id, sum({value} * (e - b)) / sum(e - b) AS value, min(b) AS begin_s, max(e) AS end_s,
       list_sort(list(DISTINCT track_id)) AS track_ids
FROM per_frame GROUP BY video_id"""

# The image's size is joined to the few tracks, not to the many boxes.
_SIZED = f"""WITH {PROCESSED_FRAMES}, {chosen("subjects", "$subject")},
sized AS (SELECT video_id, track_id, width, height FROM subjects JOIN videos USING (video_id))"""

# One row per frame in which the subject is seen: its largest box as a share of the image, and that box's centre.
_LARGEST = f"""{_SIZED},
areas AS (
    SELECT video_id, frame_index, track_id, {_AREA} / (width * height) AS share,
           sqrt((pow(x1::DOUBLE + x2 - width, 2) + pow(y1::DOUBLE + y2 - height, 2))
                / (pow(width, 2) + pow(height, 2))) AS off_centre
    FROM detections JOIN sized USING (video_id, track_id) WHERE ($video_id IS NULL OR video_id = $video_id)
),
largest AS (
    SELECT video_id, frame_index, max(share) AS size, arg_max(off_centre, share) AS off_centre,
           arg_max(track_id, share) AS track_id
    FROM areas GROUP BY video_id, frame_index
),
per_frame AS (SELECT * FROM processed_frames JOIN largest USING (video_id, frame_index))"""

SIZE = _LARGEST + _MEAN.format(value="size")
CENTREDNESS = _LARGEST + _MEAN.format(value="(1 - off_centre)")

# Competitors are other objects in view, neither persons nor body parts. One pass over the boxes finds both sides.
DOMINANCE = f"""{_SIZED}, {chosen("things", "'thing'")},
sides AS (
    SELECT video_id, track_id, s.track_id IS NOT NULL AS is_subject, v.width, v.height
    FROM things FULL JOIN sized s USING (video_id, track_id) JOIN videos v USING (video_id)
),
areas AS (
    SELECT video_id, frame_index, track_id, is_subject, {_AREA} AS area
    FROM detections JOIN sides USING (video_id, track_id) WHERE ($video_id IS NULL OR video_id = $video_id)
),
compared AS (
    SELECT video_id, frame_index, max(area) FILTER (is_subject) AS own,
           coalesce(sum(area) FILTER (NOT is_subject), 0) AS others,
           arg_max(track_id, area) FILTER (is_subject) AS track_id
    FROM areas GROUP BY video_id, frame_index HAVING own IS NOT NULL
),
per_frame AS (
    SELECT *, (own > 0 AND own >= others)::INT AS dominates
    FROM processed_frames JOIN compared USING (video_id, frame_index)
)""" + _MEAN.format(value="dominates")

SIZE_AT_NAMING = f"""{_LARGEST},
intervals AS (
    SELECT video_id, begin_s - $naming_s AS b, begin_s + $naming_s AS e, []::BIGINT[] AS ids FROM codes
    WHERE kind = 'naming' AND lower(trim(label)) = lower($subject) AND ($video_id IS NULL OR video_id = $video_id)
){MERGED},
around AS (
    SELECT l.video_id, l.frame_index, greatest(l.b, m.b) AS b, least(l.e, m.e) AS e
    FROM processed_frames l JOIN bouts m ON l.video_id = m.video_id AND l.b < m.e AND m.b < l.e
)
SELECT a.video_id, sum(coalesce(p.size, 0.0) * (a.e - a.b)) / sum(a.e - a.b) AS value,
       min(a.b) AS begin_s, max(a.e) AS end_s,
       list_sort(list_filter(list(DISTINCT p.track_id), lambda x: x IS NOT NULL)) AS track_ids
FROM around a LEFT JOIN largest p USING (video_id, frame_index) GROUP BY a.video_id"""


def _boxes(name: str, tracks: str) -> str:
    return f"""
{name} AS (
    SELECT d.video_id, d.frame_index, d.track_id, x1::DOUBLE AS x1, y1::DOUBLE AS y1, x2::DOUBLE AS x2,
           y2::DOUBLE AS y2, is_person
    FROM detections d JOIN {tracks} USING (video_id, track_id)
    WHERE ($video_id IS NULL OR d.video_id = $video_id)
)"""


# As core.predicates: gap between the edges over the mean height of the people in the pair; the nearest pair counts.
MEAN_GAP = f"""WITH {PROCESSED_FRAMES}, {chosen("subjects", "$subject")}, {chosen("objects", "$object")},
{_boxes("one", "subjects")}, {_boxes("two", "objects")},
gaps AS (
    SELECT s.video_id, s.frame_index, [s.track_id, o.track_id] AS ids,
           sqrt(pow(greatest(s.x1 - o.x2, o.x1 - s.x2, 0), 2) + pow(greatest(s.y1 - o.y2, o.y1 - s.y2, 0), 2))
           / greatest(CASE WHEN s.is_person AND o.is_person THEN (s.y2 - s.y1 + o.y2 - o.y1) / 2
                           WHEN s.is_person THEN s.y2 - s.y1 ELSE o.y2 - o.y1 END, 1) AS gap
    FROM one s JOIN two o USING (video_id, frame_index)
    WHERE s.track_id <> o.track_id AND (s.is_person OR o.is_person)
),
nearest AS (
    SELECT video_id, frame_index, min(gap) AS gap, arg_min(ids, gap) AS ids FROM gaps GROUP BY video_id, frame_index
),
per_frame AS (SELECT *, unnest(ids) AS track_id FROM processed_frames JOIN nearest USING (video_id, frame_index))
""" + _MEAN.format(value="gap")
