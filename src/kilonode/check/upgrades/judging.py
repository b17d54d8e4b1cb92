"""Criteria about upgrades: an assertion holds when it does of every upgrade of the run; the worst is shown."""

from kilonode.check.judgement import Measured
from kilonode.check.upgrades.records import Held, UpgradeResults


def measure_upgrades(assertion: str, results: UpgradeResults | None) -> Measured:
    """One where the assertion holds, zero where it does not, None where that is not known; and why."""
    if results is None:
        return Measured(None, 0, note="nothing was upgraded")
    order = list(Held)
    found = [
        (one, upgrade.sentence) for upgrade in results.upgrades for one in upgrade.assertions if one.name == assertion
    ]
    worst, sentence = max(found, key=lambda one: order.index(one[0].held))
    value = {Held.HELD: 1.0, Held.FAILED: 0.0, Held.UNKNOWN: None}[worst.held]
    return Measured(value, 0, note=f"{sentence}: {worst.text}")
