"""History in, numbers and verdict out: pure functions without clock, input or output."""
