"""Measures one can publish: audits, corrected estimates, agreement, study design and reports.

A detector is a coder that errs, and its errors change with age, child and camera. Here its numbers are compared with
people's, corrected by a probability sample of people's labels, or refused where neither helps.
"""

from __future__ import annotations

from visionllm_interaction.utils.lazy_attributes import lazy_attributes

__getattr__ = lazy_attributes(
    __name__,
    {
        "agree": "agreement.agree",
        "compare": "estimation.side_by_side",
        "constant_rates": "estimation.rogan_gladen",
        "simple_units": "estimation.audited_units",
    },
)
