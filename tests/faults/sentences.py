"""Strategies for values of the language, for property tests."""

from hypothesis import strategies as st

from kilonode.base.units import Duration
from kilonode.faults.cursor import LONGEST, SHORTEST
from kilonode.faults.model import (
    Action,
    Choice,
    Fault,
    Kind,
    Link,
    Means,
    Nodes,
    Part,
    Partition,
    Pick,
    Requests,
    Resource,
    Sentence,
    Shape,
    Stress,
    Target,
)
from kilonode.faults.tokens import is_name
from kilonode.faults.words import KINDS, METHODS, PASSING, POWER, QUOTED, RUNNABLE

durations = st.one_of(
    st.integers(1, 3_000).map(Duration),
    st.integers(1, 5_000).map(lambda milliseconds: Duration(milliseconds / 1000)),
    st.floats(float(SHORTEST), float(LONGEST)).map(Duration),
)
percents = st.one_of(st.integers(1, 100).map(float), st.floats(1e-6, 100))
names = st.one_of(
    st.sampled_from(["scheduler", "api-1", "node-1.domain.tld", "10.0.0.1", "nova_api", "/var/lib/mysql", "ünï", "a"]),
    st.sampled_from(sorted(QUOTED)),
    st.sampled_from(["2", "50%", "10s", "it's", 'say "x"', "two words", "a,b", "+5", "-", " x "]),
    st.text(min_size=1, max_size=20).filter(is_name),
)
some_names = st.lists(names, min_size=1, max_size=4).map(tuple)
numbers = st.tuples(st.integers(1, 100_000), st.integers(0, 100_000)).map(
    lambda both: Choice(Pick.NUMBER, both[0], both[1] if both[1] >= both[0] else 0)
)
counts = st.one_of(
    st.sampled_from([Choice(Pick.ALL), Choice(Pick.MINORITY), Choice(Pick.MAJORITY), Choice(Pick.NUMBER, 1)]),
    numbers,
    percents.map(lambda percent: Choice(Pick.PERCENT, percent=percent)),
)
choices = st.one_of(st.just(Choice()), counts)
services = st.one_of(st.just(()), some_names)
nodes = st.one_of(
    st.builds(Nodes, choices, some_names, services),
    st.builds(Nodes, counts, st.just(()), services),
)
where = st.one_of(st.none(), nodes)


def members(kinds: frozenset[Kind]) -> st.SearchStrategy[Target]:
    some = st.sampled_from(sorted(kinds))
    nameless = st.sampled_from(sorted(kinds - {Kind.PROCESS}))
    return st.one_of(
        st.builds(Target, some, some_names, choices, where), st.builds(Target, nameless, st.just(()), counts, where)
    )


def lasting(action: Action) -> st.SearchStrategy[Duration | None]:
    return st.none() if action in PASSING else st.one_of(st.none(), durations)


def runnable_faults(action: Action) -> st.SearchStrategy[Fault]:
    means = st.sampled_from([None, *Means]) if action is Action.FREEZE else st.none()
    return st.builds(Fault, st.just(action), members(KINDS[action]), lasting(action), means=means)


links = st.builds(
    lambda delay, jitter, loss, bandwidth: Link(delay, jitter if delay else None, loss, bandwidth),
    st.one_of(st.none(), durations),
    st.one_of(st.none(), durations),
    st.one_of(st.none(), percents),
    st.one_of(st.none(), st.integers(1, 10**13)),
).filter(lambda link: link != Link())
groups = st.one_of(members(KINDS[Action.PARTITION]), st.builds(lambda some: Target(Kind.NODE, nodes=some), nodes))
alone = st.builds(
    Partition, st.sampled_from([shape for shape in Shape if shape not in (Shape.SETS, Shape.REST)]), st.just(False)
)
partitions = st.one_of(
    st.builds(Fault, st.just(Action.PARTITION), groups, lasting(Action.PARTITION), partition=alone),
    st.builds(
        Fault,
        st.just(Action.PARTITION),
        groups,
        lasting(Action.PARTITION),
        partition=st.builds(Partition, st.just(Shape.REST), st.booleans()),
    ),
    st.builds(
        Fault,
        st.just(Action.PARTITION),
        groups,
        lasting(Action.PARTITION),
        peer=groups,
        partition=st.builds(Partition, st.just(Shape.SETS), st.booleans()),
    ),
)
degraded = st.one_of(
    st.builds(Fault, st.just(Action.DEGRADE), members(KINDS[Action.DEGRADE]), lasting(Action.DEGRADE), link=links),
    st.builds(Fault, st.just(Action.DEGRADE), groups, lasting(Action.DEGRADE), peer=groups, link=links),
    st.builds(
        Fault,
        st.just(Action.DEGRADE),
        st.builds(Target, st.just(Kind.NETWORK), services, nodes=nodes),
        lasting(Action.DEGRADE),
        link=links,
    ),
)
networks = st.sampled_from([Action.CONNECT, Action.DISCONNECT]).flatmap(
    lambda action: st.builds(
        Fault, st.just(action), st.builds(Target, st.just(Kind.NETWORK), some_names, nodes=nodes), lasting(action)
    )
)
powers = st.sampled_from(sorted(POWER)).flatmap(
    lambda action: st.builds(
        Fault, st.just(action), st.builds(lambda some: Target(Kind.NODE, nodes=some), nodes), lasting(action)
    )
)
stresses = st.builds(
    Fault,
    st.just(Action.STRESS),
    st.builds(lambda some: Target(Kind.NODE, nodes=some), nodes),
    lasting(Action.STRESS),
    stress=st.builds(Stress, st.sampled_from(Resource), percents),
)
fills = st.builds(
    Fault,
    st.just(Action.FILL),
    st.builds(Target, st.just(Kind.DISK), st.one_of(st.just(()), names.map(lambda name: (name,))), nodes=nodes),
    lasting(Action.FILL),
    fill_percent=st.one_of(st.none(), percents),
)
skews = st.builds(
    Fault,
    st.just(Action.SKEW),
    st.builds(Target, st.just(Kind.CLOCK), nodes=nodes),
    lasting(Action.SKEW),
    skew_s=st.tuples(durations, st.sampled_from([-1, 1])).map(lambda both: float(both[0]) * both[1]),
)
skews_of_members = st.builds(
    Fault,
    st.just(Action.SKEW),
    members(KINDS[Action.SKEW]),
    lasting(Action.SKEW),
    skew_s=st.tuples(durations, st.sampled_from([-1, 1])).map(lambda both: float(both[0]) * both[1]),
)
endpoints = st.builds(Target, st.just(Kind.ENDPOINT), some_names)
methods = st.sampled_from(["", *METHODS])
paths = st.one_of(st.just(""), names)
aborts = st.builds(
    Fault,
    st.just(Action.ABORT),
    endpoints,
    lasting(Action.ABORT),
    requests=st.builds(Requests, percents, methods, paths, st.one_of(st.none(), st.integers(400, 599))),
)
delays = st.builds(
    Fault,
    st.just(Action.DELAY),
    endpoints,
    lasting(Action.DELAY),
    requests=st.builds(Requests, percents, methods, paths, st.none(), durations, st.one_of(st.none(), durations)),
)
runnable = st.sampled_from(
    sorted(action for action, kinds in KINDS.items() if kinds <= RUNNABLE and action is not Action.SKEW)
).flatmap(runnable_faults)
of_machines = st.one_of(powers, stresses, fills, skews)
faults = st.one_of(runnable, partitions, degraded, networks, of_machines, skews_of_members, aborts, delays)
parts = st.builds(Part, faults, st.lists(faults, max_size=2).map(tuple), st.one_of(st.just(Duration(0)), durations))
sentences = st.lists(parts, min_size=1, max_size=3).map(lambda some: Sentence(tuple(some)))
