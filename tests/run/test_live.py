"""What workers say in between is part of their next report, each worker's of its own."""

from kilonode.load.progress import Progress, StepProgress, WorkloadProgress
from kilonode.run.live import Glances


def said(worker: int, at_s: float, ok: int, *, glance: bool) -> Progress:
    steps = (StepProgress("boots", "", {"ok": ok}), StepProgress("boots", "boot", {"ok": ok, "timeout": 1}))
    state = (WorkloadProgress("boots", 1, ok, 0),)
    return Progress(worker=worker, at_s=at_s, steps=steps, workloads=state, glance=glance)


def test_a_report_has_all_that_was_said_since_the_one_before() -> None:
    glances = Glances()
    assert glances.add(said(0, 0.1, 1, glance=True)) is None
    assert glances.add(said(1, 0.1, 100, glance=True)) is None
    assert glances.add(said(0, 0.2, 2, glance=True)) is None
    report = glances.add(said(0, 1.0, 4, glance=False))
    assert report is not None
    assert (report.worker, report.at_s, report.glance) == (0, 1.0, False)
    assert [(one.step, one.outcomes) for one in report.steps] == [
        ("", {"ok": 7}),
        ("boot", {"ok": 7, "timeout": 3}),
    ]
    other = glances.add(said(1, 1.0, 1, glance=False))
    assert other is not None
    assert other.steps[0].outcomes == {"ok": 101}
    alone = said(0, 2.0, 5, glance=False)
    assert glances.add(alone) is alone, "nothing was said in between"
