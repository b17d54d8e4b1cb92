"""What several actions failed with, as one error for people: every kind of failure once, how often, and what helps.

Messages that differ by names, ids and numbers at most are one kind. What is said is bounded.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from kilonode.base.errors import InputError, OperationError, Problem
from kilonode.base.outcomes import Outcome
from kilonode.check.failures import without_variables

MOST_KINDS: Final = 10

HINTS: Final[dict[Outcome, str]] = {
    Outcome.QUOTA: "raise the quota, let setup do it (setup: {quotas: unlimited}), or ask for less",
    Outcome.TIMEOUT: "the service did not answer in time: look whether it works, or lower setup.concurrency",
    Outcome.REFUSED: "look whether the service runs, and whether its endpoint in the catalog can be reached from here",
    Outcome.RESET: "the service, or a proxy before it, broke the connection: look into its log",
    Outcome.TLS: "name the certificate authority in clouds.yaml (cacert)",
    Outcome.HTTP_5XX: "the service itself failed: its log says why",
    Outcome.WRONG_STATE: "the cloud could not finish it: the resource's own record, or the service's log, says why",
    Outcome.EXHAUSTED: "raise the limit (ulimit -n, net.ipv4.ip_local_port_range) or lower setup.concurrency",
}


def hint_for(error: OperationError) -> str:
    """What usually helps against this failure; empty when there is nothing to say."""
    if error.status == 403 and error.outcome is Outcome.HTTP_4XX:
        return "this user may not do that: use an administrator's cloud, or setup: {projects: 0}"
    return HINTS.get(error.outcome, "")


def joined(failures: Sequence[Exception]) -> Exception:
    """One error for all: the only one as it is; several as an InputError with a problem for each kind.

    What is neither InputError nor OperationError is a mistake of Kilonode's and goes first, as it is.
    """
    expected = [error for error in failures if isinstance(error, InputError | OperationError)]
    if len(expected) < len(failures):
        return next(error for error in failures if not isinstance(error, InputError | OperationError))
    if len(failures) == 1:
        return failures[0]
    kinds: dict[str, list[InputError | OperationError]] = {}
    for error in expected:
        kinds.setdefault(f"{type(error).__name__} {without_variables(error.problem.what)}", []).append(error)
    problems = [problem for same in list(kinds.values())[:MOST_KINDS] for problem in _problems(same[0], len(same))]
    if len(kinds) > MOST_KINDS:
        problems.append(Problem(f"and {len(kinds) - MOST_KINDS} more kinds of failure"))
    return InputError(problems[0].what, problems=problems)


def _problems(error: InputError | OperationError, count: int) -> list[Problem]:
    times = f" ({count} times)" if count > 1 else ""
    if isinstance(error, OperationError):
        what = f"the cloud failed before the load: {error.message}{times}"
        return [Problem(what, path="setup", got=str(error.outcome), hint=hint_for(error))]
    return [replace(problem, what=f"{problem.what}{times}") for problem in error.problems]
