"""Why the published view and ours differ, in sentences, each only where it applies."""

from collections.abc import Sequence

from kilonode.base.units import format_seconds
from kilonode.check.recovery.published import PublishedFigures
from kilonode.check.recovery.records import Episode, Repeated


def why_they_differ(
    episodes: Sequence[Episode], repeated: Sequence[Repeated], published: PublishedFigures, *, open_model: bool
) -> tuple[str, ...]:
    """The reasons, the weightiest first."""
    ours = {one.figure: one.measure for one in repeated}
    lossless = sum(not any(episode.lost.values()) for episode in episodes)
    recovery, unavailable = ours["recovery_time"], ours["unavailable"]
    sentences: list[str] = []
    if recovery.at_least:
        theirs = published.time_to_recover_s
        words = f"says {format_seconds(theirs.value)} as if it was" if theirs else "says nothing"
        sentences.append(f"It was not over at the end: ours is a lower limit, the published method {words}.")
    if not open_model:
        sentences.append(
            "Operations were due one after the other (a closed loop): a stall hides its own samples from both; ours "
            "says so by wide intervals."
        )
    if published.downtime_s is not None and lossless:
        sentences.append(
            f"The published downtime is a mean over the repeats that had failures; {lossless} of {len(episodes)} had "
            "none, and count as zero in ours."
        )
    if published.downtime_s is not None and unavailable.value is not None:
        sentences.append(
            "Published downtime runs from failure to failure with up to six good operations inside, and takes failures "
            "from before the disruption and long after it; ours is the time in which what was due was lost."
        )
    if published.time_to_recover_s is not None:
        sentences.append(
            "Published time to recover is the width of all stretches whose mean over 21 operations is four standard "
            "deviations above the baseline, wherever they are; ours runs from the instant at which the disruption took "
            "effect to the first clean windows."
        )
    elif any(episode.impaired for episode in episodes):
        sentences.append(
            "The published method drops failures before it looks for slowness: what fails has no time to recover there."
        )
    if published.degradation_ratio is not None:
        sentences.append(
            "Published degradation adds up the ratios of separate stretches; ours is one ratio over all operations "
            "from the effect to the recovery."
        )
    if published.without_baseline:
        sentences.append(
            f"The published method cannot look at {published.without_baseline} of {published.repeats} repeats: nothing "
            "came before the disruption but its warm-up of ten operations."
        )
    return tuple(sentences)
