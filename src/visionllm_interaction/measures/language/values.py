"""What the parts of an expression give: streams, samples of times, and values for outputs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from visionllm_interaction.core.grouped_arrays import Floats, Ints
from visionllm_interaction.measures.streams.boxes import BoxQuantity
from visionllm_interaction.measures.streams.stream import Stream


class Samples(Struct, frozen=True, eq=False):
    """Times, one for each row of what proves them.

    Attributes:
        rows: from the begin to the end of each.
        value: (N,) seconds.
    """

    rows: Stream
    value: Floats


class Values(Struct, frozen=True, eq=False):
    """A value for each output.

    Attributes:
        value: (O,) NaN where there is none.
        proof: the rows that it comes from, by group.
        found: (O,) whether anything was found.
        n: (O,) how many it is of; None: not counted.
        expected: (O,) what chance would give; None: not known.
        p: (O,) share of random shifts with as much or more; None: not known.
        why: (O,) why there is no value; None: nothing more is known.
    """

    value: Floats
    proof: Stream
    found: NDArray[np.bool_]
    n: Ints | None = None
    expected: Floats | None = None
    p: Floats | None = None
    why: Sequence[str | None] | None = None


Evaluated = Stream | Samples | BoxQuantity


class Outputs(Struct, frozen=True, eq=False):
    """How groups make values together.

    Attributes:
        of_group: (G,) the output that each group belongs to.
        count: number of outputs.
    """

    of_group: Ints
    count: int
