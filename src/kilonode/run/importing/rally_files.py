"""Reading Rally's result files: `rally task results` (v1, a list) and `rally task report --json` (v2, a mapping).

Of v1 both layouts of hooks are known: the older one has the instants in the hook itself, the newer one in its
`results`; hooks, keys and results that stand there as text are read as JSON or a Python literal. Atomic actions may be
a mapping of names to durations or a list of records. A file that is something else is refused with the place in it.
"""

import ast
import math
from pathlib import Path
from typing import Any, Final

import msgspec

from kilonode.base.errors import InputError, trim
from kilonode.run.importing.rally_records import RallyAction, RallyHook, RallyIteration, RallyLoad

MOST_BYTES: Final = 1 << 30
MOST_LITERAL_CHARACTERS: Final = 1 << 20
MOST_DEPTH: Final = 20
LATEST_S: Final = 2.0**33
"""An instant later than this (the year 2242) is none."""
_HINT: Final = "write one with: rally task results > FILE, or: rally task report --json --out FILE"


def read_rally_file(path: Path) -> tuple[RallyLoad, ...]:
    """The loads of a file, in its order; at least one. Raises InputError."""
    try:
        with path.open("rb") as file:
            data = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise InputError("cannot read the file", where=str(path), got=error.strerror or str(error)) from error
    if len(data) > MOST_BYTES:
        raise InputError("the file is too big", where=str(path), expected=f"at most {MOST_BYTES >> 20} MiB")
    return read_rally(data, str(path))


def read_rally(data: bytes, where: str) -> tuple[RallyLoad, ...]:
    """The loads of a file's bytes; `where` names the file in errors."""
    try:
        document = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InputError(
            "not a Rally result file", where=where, expected="JSON", got=trim(str(error)), hint=_HINT
        ) from error
    root = _Value(document, f"{where}: ")
    if isinstance(document, list):
        loads = tuple(_load_of_results(item) for item in root.items())
    elif isinstance(document, dict) and "tasks" in document:
        loads = tuple(
            _load_of_report(load)
            for task in root["tasks"].items()
            for subtask in task["subtasks"].items()
            for load in subtask["workloads"].items()
        )
    else:
        raise InputError(
            "not a Rally result file",
            where=where,
            expected="a list of results, or a mapping with tasks",
            got=_kind(document),
            hint=_HINT,
        )
    if not loads:
        raise InputError("no result in the file", where=where, expected="at least one load")
    return loads


class _Value:
    """A value of the document that knows its place."""

    def __init__(self, value: Any, place: str) -> None:
        self.value = value
        self.place = place

    def __getitem__(self, key: str) -> "_Value":
        mapping = self.mapping()
        if key not in mapping:
            raise self.wrong(f"a mapping with {key!r}", got=f"only {', '.join(map(repr, list(mapping)[:8]))}")
        return _Value(mapping[key], f"{self.place}.{key}")

    def get(self, key: str, default: Any = None) -> "_Value":
        return _Value(self.mapping().get(key, default), f"{self.place}.{key}")

    def has(self, key: str) -> bool:
        return isinstance(self.value, dict) and self.value.get(key) is not None

    def mapping(self) -> dict[str, Any]:
        if not isinstance(self.value, dict):
            raise self.wrong("a mapping")
        return self.value

    def items(self) -> list["_Value"]:
        if not isinstance(self.value, list | tuple):
            raise self.wrong("a list")
        return [_Value(item, f"{self.place}[{place}]") for place, item in enumerate(self.value)]

    def number(self, *, most: float = math.inf) -> float:
        value = self.value
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= most or value == math.inf:
            raise self.wrong("a number, zero or more" if most == math.inf else f"a number from 0 to {most:,.0f}")
        return float(value)

    def text(self) -> str:
        if not isinstance(self.value, str):
            raise self.wrong("text")
        return self.value

    def spelled_out(self) -> "_Value":
        """The value itself, or what it says where it is text: JSON, or a Python literal."""
        if not isinstance(self.value, str):
            return self
        if len(self.value) > MOST_LITERAL_CHARACTERS:
            raise self.wrong("a literal of a bounded length", got=f"{len(self.value):,} characters")
        try:
            return _Value(msgspec.json.decode(self.value), self.place)
        except msgspec.DecodeError:
            pass
        try:
            return _Value(ast.literal_eval(self.value), self.place)
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            raise self.wrong("JSON or a Python literal") from None

    def wrong(self, expected: str, got: str = "") -> InputError:
        return InputError(
            "not as Rally writes it", where=self.place, expected=expected, got=got or _kind(self.value), hint=_HINT
        )


def _load_of_results(item: _Value) -> RallyLoad:
    """An entry of `rally task results`."""
    key = item.get("key", {}).spelled_out()
    settings = key.get("kw", {}).spelled_out() if key.has("kw") else _Value({}, key.place)
    runner = settings.get("runner", {}).spelled_out() if settings.has("runner") else _Value({}, settings.place)
    described = settings["hooks"].spelled_out().items() if settings.has("hooks") else []
    hooks = item.get("hooks", []).spelled_out()
    found: list[RallyHook] = []
    for place, hook in enumerate(hooks.items() if hooks.value else []):
        config = hook["config"].spelled_out() if hook.has("config") else None
        if config is None and place < len(described):
            config = described[place]  # the older layout says what was done beside the load's other settings
        found += _hooks(hook, config)
    return RallyLoad(
        scenario=key["name"].text() if key.has("name") else "unnamed",
        arguments=_json(settings.get("args").value),
        runner=runner["type"].text() if runner.has("type") else "",
        settings=_json({name: value for name, value in runner.mapping().items() if name != "type"}),
        concurrency=_concurrency(runner),
        load_s=item["load_duration"].number() if item.has("load_duration") else 0.0,
        iterations=tuple(_iteration(one) for one in item["result"].spelled_out().items()),
        hooks=tuple(found),
    )


def _load_of_report(item: _Value) -> RallyLoad:
    """A workload of `rally task report --json`."""
    scenario = item["scenario"].mapping()
    runner = item["runner"].mapping()
    name = next(iter(scenario), "unnamed")
    kind = next(iter(runner), "")
    settings = _Value(runner.get(kind) or {}, f"{item.place}.runner.{kind}")
    hooks = item.get("hooks", []).spelled_out()
    return RallyLoad(
        scenario=name,
        arguments=_json(scenario.get(name)),
        runner=kind,
        settings=_json(settings.value),
        concurrency=_concurrency(settings),
        load_s=item["load_duration"].number() if item.has("load_duration") else 0.0,
        iterations=tuple(_iteration(one) for one in item["data"].items()),
        hooks=tuple(
            found for hook in hooks.items() for found in _hooks(hook, hook["config"] if hook.has("config") else None)
        ),
    )


def _hooks(hook: _Value, config: _Value | None) -> list[RallyHook]:
    name, action = _what_was_done(config)
    if not name and hook.has("hook"):
        name = hook["hook"].text()
    results = hook["results"].spelled_out().items() if hook.has("results") else [hook]
    found = []
    for result in results:
        status = result["status"].text() if result.has("status") else "success"
        error = result.get("error")
        words = error["msg"].value if error.has("msg") else error.value
        started_s = result["started_at"].number(most=LATEST_S)
        found.append(
            RallyHook(
                name=name or "hook",
                action=trim(action or name or "a hook"),
                started_s=started_s,
                finished_s=max(started_s, result["finished_at"].number(most=LATEST_S)),
                error="" if status == "success" else trim(str(words or status)),
            )
        )
    return found


def _what_was_done(config: _Value | None) -> tuple[str, str]:
    """The plug-in's name, and the action in its own words, from any of the ways in which files say it."""
    if config is None or not isinstance(config.value, dict):
        return "", ""
    action = config.value.get("action")
    if isinstance(action, dict) and action:
        name, arguments = next(iter(action.items()))
    elif isinstance(action, list | tuple) and action:
        name, arguments = action[0], action[1] if len(action) > 1 else None
    else:
        name, arguments = config.value.get("name", ""), config.value.get("args")
    if isinstance(arguments, dict) and isinstance(arguments.get("action"), str):
        arguments = arguments["action"]
    words = arguments if isinstance(arguments, str) else "" if arguments is None else _json(arguments)
    return str(name), words or str(config.value.get("description") or "")


def _iteration(item: _Value) -> RallyIteration:
    error = item.get("error").spelled_out().value if item.has("error") else None
    failure = None
    if isinstance(error, list | tuple) and error:
        failure = (str(error[0]), trim(str(error[1])) if len(error) > 1 else "")
    elif error:
        failure = ("", trim(str(error)))
    return RallyIteration(
        started_s=item["timestamp"].number(most=LATEST_S),
        duration_s=item["duration"].number(most=LATEST_S),
        idle_s=item["idle_duration"].number(most=LATEST_S) if item.has("idle_duration") else 0.0,
        error=failure,
        actions=tuple(_actions(item.get("atomic_actions", {}).spelled_out())),
    )


def _actions(item: _Value, inside: tuple[str, ...] = ()) -> list[RallyAction]:
    if isinstance(item.value, dict):
        return [
            RallyAction(
                (*inside, name), None, None if value is None else item[name].number(most=LATEST_S), value is None
            )
            for name, value in item.value.items()
        ]
    if len(inside) > MOST_DEPTH:
        raise item.wrong(f"at most {MOST_DEPTH} levels of actions")
    found: list[RallyAction] = []
    for action in item.items() if item.value is not None else []:
        path = (*inside, action["name"].text())
        started_s = action["started_at"].number(most=LATEST_S)
        ended_s = action["finished_at"].number(most=LATEST_S) if action.has("finished_at") else None
        duration_s = None if ended_s is None else max(0.0, ended_s - started_s)
        found.append(RallyAction(path, started_s, duration_s, failed=bool(action.get("failed").value)))
        if action.has("children"):
            found += _actions(action["children"], path)
    return found


def _concurrency(runner: _Value) -> int:
    for name in ("concurrency", "max_concurrency", "max_concurrent"):
        value = runner.mapping().get(name)
        if isinstance(value, int) and not isinstance(value, bool) and value > 0:
            return value
    return 1 if runner.mapping().get("type") == "serial" else 0


def _json(value: Any) -> str:
    return msgspec.json.encode(value if value is not None else {}, order="sorted").decode()


def _kind(value: Any) -> str:
    if value is None:
        return "nothing"
    words = {dict: "a mapping", list: "a list", tuple: "a list", str: "text", bool: "true or false"}
    word = words.get(type(value), "a number" if isinstance(value, int | float) else type(value).__name__)
    return f"{word}: {trim(repr(value))[:60]}" if not isinstance(value, dict | list | tuple) else word
