"""Simulated outages: what a generator in an open loop would have seen of a service whose truth is known.

A service is a function of the instant at which a request is due: lost or not, and how long its answer takes. Requests
are due evenly or as a Poisson process; good answers take a lognormal time. All of it in arrays.
"""

from dataclasses import dataclass, field

import numpy as np

from kilonode.check.recovery.episodes import Disruption, Seen, measure_episode
from kilonode.check.recovery.records import Episode
from kilonode.check.recovery.samples import Probes
from kilonode.check.statistics import Booleans, Floats

USUAL_S = 0.02
SPREAD = 0.4
TIMEOUT_S = 2.0
OBJECTIVE_S = 0.2
SLOWER = 50.0
REFUSED_S = 0.001


@dataclass(frozen=True)
class Truth:
    """What is true of an outage, in seconds from the effect of the disruption; None: there is no such truth."""

    unavailable_s: float | None = None
    recovery_time_s: float | None = None
    time_to_first_success_s: float | None = None
    longest_gap_s: float | None = None
    slow_s: float | None = None
    degradation: float | None = None
    onset_s: float | None = None
    lasts: bool = False
    """It outlives the observation: what a figure says is at most the truth, and has to say so."""


@dataclass(frozen=True)
class Outage:
    """One seeded run of one kind of outage."""

    episode: Episode
    truth: Truth
    due_s: Floats = field(repr=False)


KINDS = (
    "refuse",
    "hang",
    "short hang",
    "slow",
    "flapping",
    "never recovering",
    "at the start",
    "at the end",
    "nothing",
)


def simulate(kind: str, seed: int, *, noise: float = 0.0) -> Outage:
    """One run of this kind; `noise` is the share of requests that are lost anyway."""
    random = np.random.default_rng([seed, KINDS.index(kind)])
    rate = float(random.choice([5.0, 10.0, 20.0, 50.0]))
    ends_s = 60.0
    effect_s = {"at the start": 0.3, "at the end": ends_s - 1.5}.get(kind, float(random.uniform(12, 20)))
    onset_s = effect_s + float(random.uniform(0.0, 0.3 if kind == "at the start" else 0.5))
    took_s = float(random.uniform(2.5, 12))
    if kind == "short hang":
        took_s = float(random.uniform(0.5, TIMEOUT_S - 0.1))
    over_s = onset_s + took_s if kind not in ("never recovering", "at the end") else np.inf
    due_s = _due(random, rate, ends_s)
    usual_s = USUAL_S * np.exp(SPREAD * random.standard_normal(len(due_s)))
    inside = (due_s >= onset_s) & (due_s < over_s)
    lost, latency_s, truth = np.zeros(len(due_s), dtype=np.bool_), usual_s, Truth()
    since_s = onset_s - effect_s
    match kind:
        case "refuse" | "at the start" | "never recovering" | "at the end":
            lost, latency_s = inside, np.where(inside, REFUSED_S, usual_s)
            lasting = min(over_s, ends_s) - onset_s
            recovered_s = over_s - effect_s
            truth = Truth(lasting, recovered_s, recovered_s, lasting, 0.0, None, since_s, lasts=over_s == np.inf)
        case "hang" | "short hang":
            answer_s = over_s - due_s + usual_s
            lost = inside & (answer_s > TIMEOUT_S)
            latency_s = np.where(inside, np.minimum(answer_s, TIMEOUT_S), usual_s)
            mean_s = USUAL_S * float(np.exp(SPREAD**2 / 2))
            gone_s = max(0.0, took_s + mean_s - TIMEOUT_S)
            slow_s = took_s - gone_s - (OBJECTIVE_S - mean_s)
            first_s = over_s - effect_s if gone_s > 0 else None
            truth = Truth(gone_s, over_s - effect_s, first_s, took_s, slow_s, None, since_s)
        case "slow":
            latency_s = np.where(inside, SLOWER * usual_s, usual_s)
            ratio = (since_s + SLOWER * took_s) / (since_s + took_s)
            truth = Truth(0.0, over_s - effect_s, None, None, took_s, ratio, since_s)
        case "flapping":
            down_s, up_s = float(random.uniform(0.5, 1.0)), float(random.uniform(0.7, 1.5))
            times = int(random.integers(3, 7))
            inside, lasting = np.zeros(len(due_s), dtype=np.bool_), down_s * times
            for number in range(times):
                from_s = onset_s + number * (down_s + up_s)
                inside |= (due_s >= from_s) & (due_s < from_s + down_s)
            lost, latency_s = inside, np.where(inside, REFUSED_S, usual_s)
            over_s = onset_s + (times - 1) * (down_s + up_s) + down_s
            truth = Truth(lasting, over_s - effect_s, since_s + down_s, down_s, 0.0, None, since_s)
        case "nothing":
            truth = Truth(0.0, 0.0, None, None, 0.0, None, None)
    if noise:
        lost = lost | (random.random(len(due_s)) < noise)
    probes = Probes(due_s, latency_s, lost, lost & (latency_s >= TIMEOUT_S))
    healed_s = min(over_s, ends_s) if kind != "nothing" else effect_s + 5.0
    disruption = Disruption(kind, 0, effect_s, effect_s, healed_s, ends_s)
    return Outage(measure_episode(disruption, _seen(random, kind, probes, effect_s)), truth, due_s)


def _seen(random: np.random.Generator, kind: str, probes: Probes, effect_s: float) -> Seen:
    baseline, source = probes.due_between(0.0, effect_s), "before"
    if kind == "at the start":  # there is no before: another run without the disruption stands for it
        count = 300
        control_s = USUAL_S * np.exp(SPREAD * random.standard_normal(count))
        none: Booleans = np.zeros(count, dtype=np.bool_)
        baseline, source = Probes(np.arange(count) / 10.0, control_s, none, none), "control run"
    return Seen("probe", baseline, source, probes, 0.0, OBJECTIVE_S, {}, 0)


def _due(random: np.random.Generator, rate: float, ends_s: float) -> Floats:
    if random.random() < 0.5:
        return np.arange(0.0, ends_s, 1 / rate)
    due_s = np.cumsum(random.exponential(1 / rate, round(2 * rate * ends_s)))
    return due_s[due_s < ends_s]
