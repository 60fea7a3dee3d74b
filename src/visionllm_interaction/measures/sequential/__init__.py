"""Sequential and interpersonal measures of the field, as pure functions of intervals and moments.

Intervals are arrays (N, 2) of seconds (:mod:`visionllm_interaction.core.intervals`), moments are arrays (N,). Each
function takes what was *observed* (the processed or coded time) as well: only that counts, and rates and shares are
over exactly that time. Results are frozen dataclasses whose numbers are
:class:`.value_or_reason.Statistic`: a finite value, or the reason why there is none.
"""
