"""When disruptions are due: instants that are known before the load, or what has to happen first. Pure.

Seconds count from the start of the load.
"""

from kilonode.base.errors import InputError
from kilonode.base.randomness import Randomness
from kilonode.base.units import Duration
from kilonode.run.disruptions import MOST_TIMES, Disruption


def read_between(text: str) -> tuple[float, float]:
    """`10s..50s` as two instants. Raises InputError."""
    first, dots, last = text.partition("..")
    if not dots:
        raise InputError("not a range of time", expected="two instants, such as 10s..50s", got=repr(text))
    from_s, to_s = float(Duration.parse(first.strip())), float(Duration.parse(last.strip()))
    if to_s <= from_s:
        raise InputError("the range ends before it begins", expected="the earlier instant first", got=repr(text))
    return from_s, to_s


def read_at_iteration(text: str) -> tuple[str, int]:
    """`boots 500` as a workload and a number."""
    workload, number = text.split()
    return workload, int(number)


def instants_s(disruption: Disruption, end_s: float, randomness: Randomness) -> tuple[float, ...] | None:
    """When it is due, before the load's end at `end_s`; None: that shows during the load.

    Raises InputError when these are too many.
    """
    if disruption.at is not None:
        return (float(disruption.at),)
    if disruption.random is not None:
        from_s, to_s = read_between(disruption.random.between)
        stream = randomness.child("instants").stream()
        return tuple(sorted(stream.uniform(from_s, to_s) for _ in range(disruption.random.times)))
    if disruption.every is None:
        return None
    every_s = float(disruption.every)
    first_s = every_s if disruption.start is None else float(disruption.start)
    fitting = max(0, -int((first_s - end_s) // every_s))  # those that begin before the end
    wanted = fitting if disruption.times is None else min(fitting, disruption.times)
    if wanted > MOST_TIMES:
        raise InputError(
            "too many times", expected=f"at most {MOST_TIMES:,}", got=f"{wanted:,}", hint="say how often: times"
        )
    return tuple(first_s + number * every_s for number in range(wanted))


def when_words(disruption: Disruption) -> str:
    """When it is due, for people: `at 20s`, `every 30s`, `when boots count > 100`."""
    if disruption.at is not None:
        return f"at {disruption.at}"
    if disruption.every is not None:
        first = "" if disruption.start is None else f" from {disruption.start} on"
        often = "" if disruption.times is None else f", {disruption.times} times"
        return f"every {disruption.every}{first}{often}"
    if disruption.random is not None:
        return f"{disruption.random.times} times at random between {disruption.random.between}"
    return f"at iteration {disruption.at_iteration}" if disruption.at_iteration else f"when {disruption.when}"
