"""Hypothesis strategies: valid experiments of every shape."""

from typing import Any, Literal

from hypothesis import strategies as st

from kilonode.base.units import Duration, Rate, Size
from kilonode.load.models import (
    ConstantArrivalRate,
    ConstantVus,
    LoadModel,
    PerVuIterations,
    PoissonArrivalRate,
    RampingArrivalRate,
    RampingVus,
    RateStage,
    SharedIterations,
    Step,
    ThinkTime,
    VuStage,
)
from kilonode.run.disruptions import Disruption, Expectation
from kilonode.run.experiment import (
    Cloud,
    ComputeQuotas,
    CriterionItem,
    EmulatedCloud,
    Experiment,
    FlavorSpec,
    ImageSpec,
    NetworkQuotas,
    Quotas,
    RoleProcesses,
    Setup,
    VolumeQuotas,
    Workload,
)

names = st.from_regex(r"\A[A-Za-z][A-Za-z0-9_-]{0,20}\Z")
some_time = st.floats(min_value=1e-3, max_value=1e4, allow_nan=False).map(Duration)
time = some_time | st.just(Duration(0))
some_rate = st.floats(min_value=1e-3, max_value=1e5, allow_nan=False).map(Rate)
rate = some_rate | st.just(Rate(0))
vus = st.integers(1, 1000)
text = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=30)
quota = st.none() | st.integers(-1, 10**6)

think_times = st.none() | st.tuples(time, time).map(lambda pair: ThinkTime(*sorted(pair)))
rate_stages = st.lists(st.builds(RateStage, rate, some_time), min_size=1, max_size=4).map(tuple)
vu_stages = st.lists(st.builds(VuStage, vus, some_time), min_size=1, max_size=4).map(tuple)
loads: st.SearchStrategy[LoadModel] = st.one_of(
    st.builds(SharedIterations, vus, vus, some_time, think_times),
    st.builds(PerVuIterations, vus, vus, some_time, think_times),
    st.builds(ConstantVus, vus, some_time, think_times),
    st.builds(RampingVus, vu_stages, vus, think_times),
    st.builds(ConstantArrivalRate, some_rate, some_time, vus),
    st.builds(RampingArrivalRate, rate_stages, some_rate, vus),
    st.builds(PoissonArrivalRate, some_rate, some_time, vus),
    st.builds(Step, rate, some_rate, some_time, st.integers(1, 50), vus),
)
workloads = st.builds(
    Workload,
    scenario=st.just("noop"),
    args=st.just({}),
    load=loads,
    start=time,
    iteration_timeout=some_time,
    objective=st.none() | some_time,
)
clouds = st.one_of(
    st.builds(
        Cloud,
        emulated=st.builds(
            EmulatedCloud,
            nodes=st.integers(1, 100_000),
            stages=st.sampled_from(["instant", "fast", "liberty-1000"]),
            roles=st.sampled_from(["separate", "together"])
            | st.builds(RoleProcesses, api=st.integers(1, 64), fleet=st.integers(1, 64), volume=st.integers(0, 1)),
        ),
    ),
    st.builds(Cloud, openstack=text),
)
quotas = st.sampled_from(["unlimited", "unchanged"]) | st.builds(
    Quotas,
    compute=st.builds(ComputeQuotas, quota, quota, quota, quota, quota),
    network=st.builds(NetworkQuotas, *([quota] * 7)),
    volume=st.builds(VolumeQuotas, quota, quota, quota),
)
mebibytes = st.integers(1, 10**6).map(lambda count: Size(count * 2**20))
gibibytes = st.integers(0, 1000).map(lambda count: Size(count * 2**30))
setups = st.builds(
    Setup,
    projects=st.integers(1, 50),
    users_per_project=st.integers(1, 5),
    networks_per_project=st.integers(1, 5),
    subnets_per_network=st.integers(1, 5),
    routers_per_project=st.integers(0, 5),
    external_network=text | st.just(""),
    security_group_rules=st.integers(0, 100),
    quotas=quotas,
    flavors=st.dictionaries(
        names,
        st.builds(FlavorSpec, st.integers(1, 64), mebibytes, gibibytes, st.dictionaries(names, text, max_size=2)),
        max_size=2,
    ),
    images=st.dictionaries(names, st.builds(ImageSpec, mebibytes, st.sampled_from(["raw", "qcow2"])), max_size=2),
    concurrency=st.integers(1, 1000),
)
parameters: st.SearchStrategy[Any] = st.one_of(
    st.booleans(), st.integers(-(2**62), 2**62), st.floats(-1e6, 1e6, allow_nan=False), text
)


auto: Literal["auto"] = "auto"
workers: st.SearchStrategy[Literal["auto"] | int] = st.one_of(st.just(auto), st.integers(1, 256))


disruptions = st.builds(
    Disruption,
    fault=st.sampled_from(["kill one scheduler", "freeze api", "restart fleet, then after 1s kill api"]),
    at=st.just(Duration(0)),
    expect=st.none() | st.builds(Expectation, found=st.integers(1, 9)),
) | st.builds(Disruption, fault=st.just("freeze api"), at=st.just(Duration(0)), lasts=some_time.map(Duration))


@st.composite
def experiments(draw: st.DrawFn) -> Experiment:
    """A valid experiment."""
    load = draw(st.dictionaries(names, workloads, min_size=1, max_size=3))
    cloud = draw(st.none() | clouds)
    criterion = st.sampled_from([f"{name} p(99) < 5s" for name in load])
    items = st.one_of(criterion, st.builds(CriterionItem, criterion, st.booleans(), time, some_time))
    return Experiment(
        name=draw(text),
        cloud=cloud,
        seed=draw(st.none() | st.integers(0, 2**53)),
        setup=draw(setups) if cloud is not None else Setup(),
        workloads=load,
        criteria=tuple(draw(st.lists(items, max_size=3))),
        disruptions=tuple(draw(st.lists(disruptions, max_size=3))) if cloud is not None else (),
        workers=draw(workers),
        drain=draw(time),
        timeout=draw(st.none() | some_time),
        parameters=draw(st.dictionaries(names, parameters, max_size=3)),
    )
