"""The tables of what services cost: each service, what servers say of themselves, every service in every phase."""

from typing import Final

from kilonode.base.units import format_seconds
from kilonode.check.cost_results import ServiceCosts, ServicePhase, ServicesResults, Spread
from kilonode.report.markup import Child, Markup, element, join
from kilonode.report.tables import number, table
from kilonode.report.words import (
    UNKNOWN,
    amount_words,
    bytes_words,
    cores_words,
    count_words,
    seconds_words,
    share_words,
)

_COLOURS: Final = 8
_PHASE_METRICS: Final = (
    ("cpu_cores", "processors"),
    ("memory_bytes", "memory"),
    ("processes", "processes"),
    ("threads", "threads"),
    ("descriptors", "descriptors"),
    ("connections", "connections"),
)


def costs_table(costs: ServicesResults) -> Markup:
    """Each service, the busiest first."""
    heads = [("service", False), ("per operation", True), ("processor time", True), ("idle", True), ("setup", True)]
    heads += [("load", True), ("cleanup", True), ("memory", True), ("connections", True)]
    bodies = [element("tbody", _cost_row(one, place, costs.drawn)) for place, one in enumerate(costs.services)]
    return table(heads, bodies, "What each service cost", "costs")


def _cost_row(one: ServiceCosts, place: int, drawn: int) -> Markup:
    colour = place % _COLOURS if place < drawn else _COLOURS - 1
    raw = ""
    if one.cpu_s_per_operation_raw is not None and one.cpu_s_per_operation_raw != one.cpu_s_per_operation:
        raw = f"{seconds_words(one.cpu_s_per_operation_raw)} with idle"
    return element(
        "tr",
        element("th", element("i", class_=f"swatch part-{colour}"), one.service, scope="row", data_value=one.service),
        _known(seconds_words(one.cpu_s_per_operation), one.cpu_s_per_operation, small=raw),
        _known(seconds_words(one.cpu_s), one.cpu_s),
        [_cores_cell(one, phase) for phase in ("idle", "setup", "load", "cleanup")],
        _known(bytes_words(one.memory_bytes_max), one.memory_bytes_max),
        _known(UNKNOWN if one.connections_max is None else count_words(one.connections_max), one.connections_max),
    )


def _cores_cell(one: ServiceCosts, phase: str) -> Markup:
    spread = _spread(one, phase, "cpu_cores")
    if spread is None:
        return number("–", None, class_="number absent")
    small = f"at most {cores_words(spread.max)}" if phase == "load" else ""
    return number(cores_words(spread.mean), spread.mean, small=small, title=f"processors kept busy, {phase}")


def servers_table(costs: ServicesResults) -> Markup | None:
    """What databases and brokers say of themselves; None when there are none."""
    rows: list[Child] = []
    for one in costs.services:
        for counted in one.counted:
            small = ""
            if counted.per_operation_less_idle is not None and costs.idle_s is not None:
                small = f"{amount_words(counted.per_operation_less_idle)} less idle"
            rows.append(
                _server_row(one.service, f"{counted.metric} per operation", amount_words(counted.per_operation), small)
            )
        if one.read_share is not None:
            small = f"{share_words(1 - one.read_share)} writes"
            rows.append(_server_row(one.service, "reads among statements", share_words(one.read_share), small))
        if one.queue_depth_max is not None:
            words = count_words(one.queue_depth_max)
            rows.append(_server_row(one.service, "most messages waiting or not acknowledged", words))
    if not rows:
        return None
    heads = [("server", False), ("what", False), ("over load and drain", True)]
    return join(
        element("h3", "What servers count"), table(heads, [element("tbody", *rows)], "What servers count", "servers")
    )


def _server_row(service: str, what: str, words: str, small: str = "") -> Markup:
    return element("tr", element("th", service, scope="row"), element("td", what), _known(words, None, small=small))


def phases_table(costs: ServicesResults) -> Markup:
    """Every service in every phase: the mean over time, and the least and the most."""
    heads = [("service", False), ("phase", False), ("sampled", True), ("used", True)]
    heads.extend((name, True) for _, name in _PHASE_METRICS)
    bodies = [
        element(
            "tbody",
            [_phase_row(one, phase) for phase in one.phases],
        )
        for one in costs.services
    ]
    return table(heads, bodies, "Every service in every phase", "service-phases")


def _phase_row(one: ServiceCosts, phase: ServicePhase) -> Markup:
    spreads = {spread.metric: spread for spread in phase.spreads}
    return element(
        "tr",
        element("th", one.service, scope="row"),
        element("td", phase.phase),
        number(format_seconds(phase.measured_s), phase.measured_s),
        _known(seconds_words(phase.cpu_s), phase.cpu_s),
        [_spread_cell(spreads.get(metric)) for metric, _ in _PHASE_METRICS],
    )


def _spread_cell(spread: Spread | None) -> Markup:
    if spread is None:
        return number("–", None, class_="number absent")
    words = {"cpu_cores": cores_words, "memory_bytes": bytes_words}.get(spread.metric, amount_words)
    small = "" if spread.min == spread.max else f"{words(spread.min)} – {words(spread.max)}"
    return number(words(spread.mean), spread.mean, small=small)


def _spread(one: ServiceCosts, phase: str, metric: str) -> Spread | None:
    spreads = [spread for found in one.phases if found.phase == phase for spread in found.spreads]
    return next((spread for spread in spreads if spread.metric == metric), None)


def _known(words: str, value: float | None, *, small: str = "") -> Markup:
    return number(words, value, small=small, class_="number absent" if words == UNKNOWN else "number")
