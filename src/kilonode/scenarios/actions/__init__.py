"""Actions that scenarios are put together from: each takes the iteration, does one thing and records it as a step."""
