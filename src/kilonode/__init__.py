"""Kilonode: a lab for cloud control planes.

One experiment file names a cloud, the load, what happens to the cloud during it, and what must hold. One command
runs it, keeps every raw operation, and gives a verdict and a report.

The nouns, used with one meaning everywhere:

- **Experiment**: one frozen, typed value read from a YAML file: cloud, setup, workloads, disruptions, criteria
- **Clock**: the only source of time; real, or simulated
- **Scenario**: an async function: what one iteration does, in named steps
- **Workload**: a scenario, its arguments and a load model; any number run at once
- **Pacer**: a pure function of elapsed time: which iterations are due by now
- **Op**: one operation: workload, step, iteration, due, started, finished, outcome, error
- **Sample**: one measured value of one source at one instant
- **Disruption**: a fault or an upgrade; it is an Op too, and every fault has its heal
- **History**: the append-only file of Ops and Samples; the seam of the system
- **Asked**: one request that would change something on the cloud, and its answer or none
- **Inventory**: what there is on the cloud after the load, as its APIs show it
- **Checker**: history in, numbers and verdict out; pure. Verdicts: valid < unknown < invalid, the worst wins
- **Report**: numbers in, words and pictures out; it never computes one
- **Store**: versioned documents with atomic commit and watch, behind one small protocol
- **Controller**: level-triggered: given a key, it reads the store and makes actual follow wanted
- **Stage**: node and instance behaviour as data: what state follows, after what delay, with what odds
"""
