"""Real OpenStack services with emulated computes on this machine: the real control plane, for experiments on it.

`launch` is what the command line calls. Facts and figures: docs/stack.md.
"""
