"""The lowest point of a function of a few numbers, without derivatives: Nelder and Mead's simplex (1965).

For likelihoods, which may be flat, have corners, and be infinite outside the parameters that make sense.
"""

from collections.abc import Callable
from typing import Final

import numpy as np

from kilonode.check.statistics import Floats

MOST_EVALUATIONS: Final = 900


def minimize(
    function: Callable[[Floats], float], start: Floats, steps: Floats, *, exact: float = 1e-5, rounds: int = 2
) -> Floats:
    """Where `function` is lowest near `start`, whose numbers are first varied by `steps`.

    Ends when the values at the corners differ by less than `exact`; begun anew there in each further round, for a
    simplex may shrink too early.
    """
    best = start
    for number in range(rounds):
        best = _descend(function, best, steps / (1 + 3 * number), exact)
    return best


def _descend(function: Callable[[Floats], float], start: Floats, steps: Floats, exact: float) -> Floats:
    corners = [start, *(start + step for step in np.diag(steps))]
    values = [function(corner) for corner in corners]
    evaluations = len(corners)
    while evaluations < MOST_EVALUATIONS:
        order = sorted(range(len(values)), key=values.__getitem__)
        corners, values = [corners[place] for place in order], [values[place] for place in order]
        if values[-1] - values[0] < exact:
            break
        middle = sum(corners[1:-1], corners[0]) / (len(corners) - 1)
        away = middle - corners[-1]
        reflected = middle + away
        value = function(reflected)
        evaluations += 1
        if value < values[0]:
            expanded = middle + 2 * away
            further = function(expanded)
            evaluations += 1
            corners[-1], values[-1] = (expanded, further) if further < value else (reflected, value)
        elif value < values[-2]:
            corners[-1], values[-1] = reflected, value
        else:
            contracted = middle + (0.5 if value < values[-1] else -0.5) * away
            nearer = function(contracted)
            evaluations += 1
            if nearer < min(value, values[-1]):
                corners[-1], values[-1] = contracted, nearer
            else:
                corners = [corners[0], *((corners[0] + corner) / 2 for corner in corners[1:])]
                values = [values[0], *(function(corner) for corner in corners[1:])]
                evaluations += len(corners) - 1
    return np.asarray(corners[int(np.argmin(values))])
