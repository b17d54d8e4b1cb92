"""The points of a campaign by their axes: which paths are numbers, and which points differ in one of them alone.

A matrix path whose values are mappings is taken apart: `cloud.stack: {nodes: 10, computes: 1}` gives the axes
`cloud.stack.nodes` and `cloud.stack.computes`, which are a *family*: their values come in pairs that the file chose,
not in every combination. A *view* is a way to look along one axis: its family held at one combination of values, or
moving with it (in a fixed ratio, or else just together), and within the view one *track* for each combination of all
other axes. Points that differ in their seed alone are repetitions.

Units: values with a unit (`10/s`, `30s`, `1GiB`) are numbers per second, of seconds and of bytes.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec

from kilonode.base.errors import InputError
from kilonode.base.units import Duration, Rate, Size
from kilonode.check.regression import LEAST_PLACES
from kilonode.check.results import Verdict

REPEATED_BY: Final = "seed"
"""The path whose values make repetitions."""

Held = dict[str, Any]
"""Path to the value that it has, as the file gives it; None: not given there."""


class SweepPoint(msgspec.Struct, frozen=True, kw_only=True):
    """One point of a campaign."""

    number: int
    facts: dict[str, Any]
    """Matrix path to value; values may be mappings."""
    verdict: Verdict | None = None
    """None: not done yet."""
    run: str = ""
    """The name of its run's folder; empty: none was begun."""
    figures: dict[str, float | None] = {}
    """What was measured, the unit last in the name. None: not known."""


class Axis(msgspec.Struct, frozen=True, kw_only=True):
    """One path with numbers, of which there are at least two."""

    path: str
    unit: str
    """Empty, `/s`, `s` or `B`."""
    values: tuple[float, ...]
    """Ascending."""
    family: str = ""
    """The matrix path whose mappings it came from; empty: it has no family."""


class Together(msgspec.Struct, frozen=True, kw_only=True):
    """An axis of the same family that moves with the one looked along."""

    path: str
    ratio: float | None
    """Its value for each one of the axis; None: not in a fixed ratio."""


class Track(msgspec.Struct, frozen=True, kw_only=True):
    """Points that differ along one axis alone (or in what moves with it)."""

    held: Held
    """The values of all axes outside the family."""
    points: tuple[SweepPoint, ...]
    places: tuple[float, ...]
    """The value of each point on the axis."""


class View(msgspec.Struct, frozen=True, kw_only=True):
    """A way to look along one axis."""

    axis: Axis
    family_held: Held = {}
    """What the rest of the family is held at."""
    together: tuple[Together, ...] = ()
    """What moves with it instead; the effects cannot be told apart."""
    tracks: tuple[Track, ...]


class Sweep:
    """Points with their paths taken apart."""

    def __init__(self, points: Sequence[SweepPoint]) -> None:
        self.points = tuple(points)
        self._flat = [dict(_flatten(point.facts)) for point in points]
        self._families = {
            path: family for point in points for path, family in _families(point.facts).items() if path != family
        }
        paths = dict.fromkeys(path for flat in self._flat for path in flat)
        self.repeated = REPEATED_BY in paths
        self.varied = tuple(
            path for path in paths if path != REPEATED_BY and len({_key(flat.get(path)) for flat in self._flat}) > 1
        )
        """The paths that have more than one value, in the order of the file."""
        self.axes = tuple(axis for axis in map(self._axis, self.varied) if axis is not None)
        """Those of them whose values are numbers of one unit."""

    def views(self) -> tuple[View, ...]:
        """Every way to look along every axis that passes at least two different values."""
        return tuple(view for axis in self.axes for view in self._views(axis))

    def _axis(self, path: str) -> Axis | None:
        numbers = [_number(flat[path]) for flat in self._flat if flat.get(path) is not None]
        units = {unit for _, unit in numbers}
        if None in units or len(units) != 1:
            return None
        values = sorted({value for value, _ in numbers})
        if len(values) < 2:
            return None
        return Axis(path=path, unit=str(units.pop()), values=tuple(values), family=self._families.get(path, ""))

    def _views(self, axis: Axis) -> Iterator[View]:
        family = [axis.path]
        if axis.family:
            family = [path for path in self.varied if self._families.get(path) == axis.family]
        rest = [path for path in family if path != axis.path]
        outside = [path for path in self.varied if path not in family]
        known = [place for place, flat in enumerate(self._flat) if flat.get(axis.path) is not None]
        found = []
        for held, members in self._by(rest, known):
            view = View(axis=axis, family_held=held, tracks=self._tracks(axis, outside, members))
            if view.tracks:
                found.append(view)
        yield from found
        if rest and axis.path == next(path for path in family if self._axis(path) is not None):
            yield from self._moving(axis, rest, outside, known, enough=any(map(_has_enough, found)))

    def _moving(
        self, axis: Axis, rest: Sequence[str], outside: Sequence[str], known: Sequence[int], *, enough: bool
    ) -> Iterator[View]:
        """The views in which the rest of the family moves too: in fixed ratios, or else all that there are."""
        groups: dict[tuple[float, ...], list[int]] = {}
        for place in known:
            ratios = self._ratios(place, axis, rest)
            if ratios is not None:
                groups.setdefault(ratios, []).append(place)
        for ratios, members in groups.items():
            together = tuple(Together(path=path, ratio=ratio) for path, ratio in zip(rest, ratios, strict=True))
            view = View(axis=axis, together=together, tracks=self._tracks(axis, outside, members))
            if _has_enough(view):
                enough = True
                yield view
        companions: dict[Any, set[str]] = {}
        for place in known:
            mark = _key([self._flat[place].get(path) for path in rest])
            companions.setdefault(self._value(place, axis.path), set()).add(mark)
        if not enough and all(len(marks) == 1 for marks in companions.values()):
            together = tuple(Together(path=path, ratio=None) for path in rest)
            view = View(axis=axis, together=together, tracks=self._tracks(axis, outside, known))
            if _has_enough(view):
                yield view

    def _ratios(self, place: int, axis: Axis, rest: Sequence[str]) -> tuple[float, ...] | None:
        value = self._value(place, axis.path)
        others = [_number(self._flat[place].get(path)) for path in rest]
        if value == 0 or any(unit is None for _, unit in others):
            return None
        return tuple(float(f"{other / value:.9g}") for other, _ in others)

    def _value(self, place: int, path: str) -> float:
        return _number(self._flat[place][path])[0]

    def _by(self, paths: Sequence[str], places: Sequence[int]) -> Iterator[tuple[Held, list[int]]]:
        """The points by their values at `paths`, in the order of the matrix."""
        groups: dict[str, tuple[Held, list[int]]] = {}
        for place in places:
            held = {path: self._flat[place].get(path) for path in paths}
            groups.setdefault(_key(held), (held, []))[1].append(place)
        yield from groups.values()

    def _tracks(self, axis: Axis, outside: Sequence[str], members: Sequence[int]) -> tuple[Track, ...]:
        tracks = []
        for held, inside in self._by(outside, members):
            inside = sorted(inside, key=lambda place: self._value(place, axis.path))
            places = tuple(self._value(place, axis.path) for place in inside)
            if places[0] < places[-1]:
                tracks.append(Track(held=held, points=tuple(self.points[place] for place in inside), places=places))
        return tuple(tracks)


def _has_enough(view: View) -> bool:
    return any(len(set(track.places)) >= LEAST_PLACES for track in view.tracks)


def _flatten(value: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    for key, item in value.items():
        if isinstance(item, Mapping) and item:
            yield from _flatten(item, f"{before}{key}.")
        else:
            yield f"{before}{key}", item


def _families(facts: Mapping[str, Any]) -> dict[str, str]:
    """Each flat path and the matrix path that it came from."""
    return {path: family for family, value in facts.items() for path, _ in _flatten({family: value})}


def _key(value: Any) -> str:
    return json.dumps(value, sort_keys=True, default=str)


def _number(value: Any) -> tuple[float, str | None]:
    """A value as number and unit; the unit is None when it is no number."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value), ""
    if isinstance(value, str):
        kinds: tuple[tuple[type[Duration | Rate | Size], str], ...] = (
            (Duration, "s"),
            (Rate, "/s"),
            (Size, "B"),
        )
        for kind, unit in kinds:
            try:
                return float(kind.parse(value)), unit
            except InputError:
                continue
    return 0.0, None
