"""What runs on a host while faults are done to it: looks at processes and units, sends signals, hands requests on to
Docker's engine, starts and ends what uses the machine up.

It is sent as an argument of `python3 -c`, reads requests from its standard input, one JSON object a line, answers each
with one line, and ends when its input does. It needs Python 3.7 with its standard library and nothing else, keeps no
state, and writes no file that has a name but the one that fills a disk. A process is a pid with the ticks between the
boot and its start, so that another one with the same pid is never meant. Lines that are no JSON object are passed over:
a password that `sudo` had no need of may be among them.
"""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from typing import Any

STATE, PARENT, SESSION, USER_TIME, KERNEL_TIME, START, RESIDENT = 0, 1, 3, 11, 12, 19, 21
LOOK_EVERY_S = 0.005
COMMAND_TIMEOUT_S = 120
os.environ["PATH"] = os.environ.get("PATH", os.defpath) + ":/usr/sbin:/sbin"  # some logins lack what only root needs
WORDS_BYTES = 4000


def stat(pid: int) -> list[str] | None:
    try:
        with open("/proc/%d/stat" % pid, "rb") as file:
            fields = file.read().decode("latin-1").rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[STATE] in "ZX" else fields


def everybody() -> dict[int, list[str]]:
    found = {int(name): stat(int(name)) for name in os.listdir("/proc") if name.isdigit()}
    return {pid: fields for pid, fields in found.items() if fields}


def alive(member: Any) -> bool:
    fields = stat(member[0])
    return fields is not None and int(fields[START]) == member[1]


def family(head: Any) -> list[list[int]]:
    """The process and its descendants, itself first; those of its session too when it leads one."""
    there = everybody()
    if head[0] in there and int(there[head[0]][START]) != head[1]:
        return []
    pids = {pid for pid, fields in there.items() if pid == head[0] or int(fields[SESSION]) == head[0]}
    while True:
        more = {pid for pid, fields in there.items() if int(fields[PARENT]) in pids} - pids
        if not more:
            break
        pids |= more
    return [[pid, int(there[pid][START])] for pid in sorted(pids, key=lambda pid: (pid != head[0], pid))]


def stopped(member: Any) -> bool:
    fields = stat(member[0])
    return fields is not None and fields[STATE] == "T" and int(fields[START]) == member[1]


def send(member: Any, number: int) -> None:
    if alive(member):
        try:
            os.kill(member[0], number)
        except ProcessLookupError:
            pass


def until(so: Any, timeout_s: float) -> bool:
    deadline_s = time.monotonic() + timeout_s
    while not so():
        if time.monotonic() > deadline_s:
            return False
        time.sleep(LOOK_EVERY_S)
    return True


def words_of(pid: int) -> list[str]:
    try:
        with open("/proc/%d/cmdline" % pid, "rb") as file:
            return [word.decode("utf-8", "replace") for word in file.read().split(b"\0") if word]
    except OSError:
        return []


def called(words: list[str]) -> set[str]:
    """The program, and the script when an interpreter runs one."""
    names = {os.path.basename(words[0])}
    interpreter = re.match(r"(python|perl|ruby|node|bash|sh|dash)[\d.]*$", os.path.basename(words[0]))
    if interpreter and len(words) > 1 and not words[1].startswith("-"):
        names.add(os.path.basename(words[1]))
    return names


def boot() -> str:
    with open("/proc/sys/kernel/random/boot_id") as file:
        return file.read().strip()


def do_facts(request: dict[str, Any]) -> dict[str, Any]:
    return {
        "boot": boot(),
        "systemd": os.path.isdir("/run/systemd/system"),
        "root": os.geteuid() == 0,
        "programs": [name for name in ("nft", "stress-ng") if shutil.which(name)],
    }


def do_find(request: dict[str, Any]) -> dict[str, Any]:
    """The topmost processes of each name, or whose command line matches a pattern; never this one or its ancestors."""
    there = everybody()
    ours = set()
    pid = os.getpid()
    while pid in there:
        ours.add(pid)
        pid = int(there[pid][PARENT])
    found = []
    for name in request.get("names", []) + request.get("patterns", []):
        pids = set()
        for pid in set(there) - ours - {1}:
            words = words_of(pid)
            exact = name in request.get("names", [])
            if words and (name in called(words) or name == str(pid) if exact else re.search(name, " ".join(words))):
                pids.add(pid)
        for pid in sorted(pids):
            ancestor = int(there[pid][PARENT])
            while ancestor in there and ancestor not in pids:
                ancestor = int(there[ancestor][PARENT])
            if ancestor not in pids:
                head = [pid, int(there[pid][START])]
                found.append({"name": name, "member": head, "stopped": stopped(head), "program": words_of(pid)[:1]})
    return {"boot": boot(), "processes": found}


def do_family(request: dict[str, Any]) -> dict[str, Any]:
    members = family(request["head"])
    return {"boot": boot(), "members": members, "stopped": [stopped(member) for member in members]}


def do_kill(request: dict[str, Any]) -> dict[str, Any]:
    """SIGKILL to the family until nobody of it is left."""
    before = family(request["head"])

    def gone() -> bool:
        left = family(request["head"])
        for member in left:
            send(member, signal.SIGKILL)
        return not left

    return {"members": before, "seen": until(gone, request["timeout_s"])}


def do_terminate(request: dict[str, Any]) -> dict[str, Any]:
    before = family(request["head"])
    send(request["head"], signal.SIGTERM)
    return {"members": before, "seen": until(lambda: not any(map(alive, before)), request["timeout_s"])}


def do_stop(request: dict[str, Any]) -> dict[str, Any]:
    members = request["members"]
    for member in members:
        send(member, signal.SIGSTOP)
    seen = until(lambda: all(stopped(member) or not alive(member) for member in members), request["timeout_s"])
    return {"members": members, "seen": seen}


def do_go_on(request: dict[str, Any]) -> dict[str, Any]:
    members = request["members"]
    for member in reversed(members):
        send(member, signal.SIGCONT)
    seen = until(lambda: not any(map(stopped, members)), request["timeout_s"])
    return {"members": [member for member in members if alive(member)], "seen": seen}


def do_unit(request: dict[str, Any]) -> dict[str, Any]:
    """What systemd knows of a unit."""
    answer = command(["systemctl", "show", "--property=LoadState,ActiveState,MainPID,Restart", "--", request["unit"]])
    known = dict(line.partition("=")[::2] for line in answer["words"].splitlines())
    fields = stat(int(known.get("MainPID") or 0))
    return {
        "boot": boot(),
        "loaded": known.get("LoadState") == "loaded",
        "active": known.get("ActiveState", ""),
        "member": [int(known["MainPID"]), int(fields[START])] if fields else None,
        "restart": known.get("Restart", ""),
    }


def do_run(request: dict[str, Any]) -> dict[str, Any]:
    return command(request["command"], request.get("said", ""), request.get("limit_bytes", WORDS_BYTES))


def do_answers(request: dict[str, Any]) -> dict[str, Any]:
    """Which of these addresses answer a connection, be it with a refusal."""
    found = []
    for address in request["addresses"]:
        with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as connection:
            connection.settimeout(request["timeout_s"])
            try:
                connection.connect((address, request["port"]))
                found.append(address)
            except ConnectionError:
                found.append(address)
            except OSError:
                pass
    return {"addresses": found}


def carrying(token: str) -> list[int]:
    """The processes that have the token among their arguments, but for this one and those it descends from."""
    there, ours, pid = everybody(), set(), os.getpid()
    while pid in there:
        ours.add(pid)
        pid = int(there[pid][PARENT])
    return [pid for pid in there if pid not in ours and token in words_of(pid)]


def do_machine(request: dict[str, Any]) -> dict[str, Any]:
    """What there is to be used up."""
    with open("/proc/meminfo") as file:
        memory = {line.split(":")[0]: int(line.split()[1]) * 1024 for line in file}
    return {
        "processors": len(os.sched_getaffinity(0)),
        "memory_bytes": memory["MemTotal"],
        "available_bytes": memory["MemAvailable"],
        "stress_ng": shutil.which("stress-ng") or "",
        "folder": tempfile.gettempdir(),
    }


def do_begin(request: dict[str, Any]) -> dict[str, Any]:
    """Start a program that goes on without us."""
    subprocess.Popen(
        request["command"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    return {}


def do_work(request: dict[str, Any]) -> dict[str, Any]:
    """What all that carry a token have done so far."""
    ticks, page = os.sysconf("SC_CLK_TCK"), os.sysconf("SC_PAGE_SIZE")
    processes = 0
    done = {"processor_s": 0.0, "kernel_s": 0.0, "switches": 0, "written_bytes": 0, "held_bytes": 0}
    for pid in carrying(request["token"]):
        fields = stat(pid)
        try:
            with open("/proc/%d/status" % pid) as file:
                switches = [int(line.split()[1]) for line in file if "ctxt_switches" in line]
            with open("/proc/%d/io" % pid) as file:
                written = [int(line.split()[1]) for line in file if line.startswith("write_bytes")]
        except OSError:
            continue
        if fields:
            processes += 1
            done["processor_s"] += (int(fields[USER_TIME]) + int(fields[KERNEL_TIME])) / ticks
            done["kernel_s"] += int(fields[KERNEL_TIME]) / ticks
            done["switches"] += sum(switches)
            done["written_bytes"] += sum(written)
            done["held_bytes"] += int(fields[RESIDENT]) * page
    return {"processes": processes, "work": done}


def do_end(request: dict[str, Any]) -> dict[str, Any]:
    """SIGKILL to all that carry a token until nobody does, and away with their folder."""

    def gone() -> bool:
        left = carrying(request["token"])
        for pid in left:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        return not left

    before = len(carrying(request["token"]))
    seen = until(gone, request["timeout_s"])
    shutil.rmtree(os.path.join(tempfile.gettempdir(), own(request["token"])), ignore_errors=True)
    return {"count": before, "seen": seen}


def own(name: str) -> str:
    """A name that only we give: nothing else is ever removed."""
    if not re.fullmatch(r"kilonode-[0-9a-f]{8}(\.fill)?", name):
        raise ValueError("not a name of ours: %r" % name)
    return name


def do_disk(request: dict[str, Any]) -> dict[str, Any]:
    """How full a folder's file system is, as `df` counts it."""
    folder = request["folder"]
    if not os.path.isabs(folder) or not os.path.isdir(folder) or not os.access(folder, os.W_OK):
        return {"usable": False}
    found = os.statvfs(folder)
    used, available = (found.f_blocks - found.f_bfree) * found.f_frsize, found.f_bavail * found.f_frsize
    return {"usable": True, "used": {"used_bytes": used, "available_bytes": available}}


def do_fill(request: dict[str, Any]) -> dict[str, Any]:
    """One file, so large that its file system is as full as was asked for."""
    before = do_disk(request)["used"]
    both = before["used_bytes"] + before["available_bytes"]
    size = min(int(both * request["percent"] / 100) - before["used_bytes"], before["available_bytes"])
    name = os.path.join(request["folder"], own(request["name"]))
    descriptor = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        if size > 0:
            os.posix_fallocate(descriptor, 0, size)
    finally:
        os.close(descriptor)
    return do_disk(request)


def do_empty(request: dict[str, Any]) -> dict[str, Any]:
    """Remove that file."""
    try:
        os.unlink(os.path.join(request["folder"], own(request["name"])))
    except FileNotFoundError:
        pass
    return do_disk(request)


def do_exchange(request: dict[str, Any]) -> dict[str, Any]:
    """A whole request to a Unix socket, and what it answers until it closes."""
    pieces: list[bytes] = []
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(COMMAND_TIMEOUT_S)
        try:
            connection.connect(request["socket"])
            connection.sendall(base64.b64decode(request["data"]))
            pieces.extend(iter(lambda: connection.recv(65536), b""))
        except OSError as error:
            return {"trouble": error.strerror or str(error), "there": os.path.exists(request["socket"])}
    return {"data": base64.b64encode(b"".join(pieces)).decode()}


def command(words: list[str], told: str = "", limit_bytes: int = WORDS_BYTES) -> dict[str, Any]:
    """Run it until it ends itself: what it leaves in the background may keep its output, and never loses it."""
    with tempfile.TemporaryFile() as said, tempfile.TemporaryFile() as telling:
        telling.write(told.encode())
        telling.seek(0)
        try:
            done = subprocess.run(
                words,
                stdin=telling if told else subprocess.DEVNULL,
                stdout=said,
                stderr=subprocess.STDOUT,
                timeout=COMMAND_TIMEOUT_S,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            return {"code": -1, "words": str(error)}
        size = said.seek(0, os.SEEK_END)
        said.seek(max(0, size - limit_bytes))
        return {"code": done.returncode, "words": said.read(limit_bytes).decode("utf-8", "replace")}


def answer(request: dict[str, Any]) -> dict[str, Any]:
    if request.get("boot") not in (None, boot()):
        # Whoever was meant ended with the boot that they ran in.
        return {"members": [], "stopped": [], "seen": True, "boot": boot()}
    try:
        done: dict[str, Any] = globals()["do_" + request["do"]](request)
        return done
    except Exception as error:
        return {"error": "%s: %s" % (type(error).__name__, error)}


def main() -> None:
    for line in iter(sys.stdin.readline, ""):
        try:
            request = json.loads(line)
        except ValueError:
            continue
        if isinstance(request, dict):
            sys.stdout.write(json.dumps(answer(request)) + "\n")
            sys.stdout.flush()


main()
