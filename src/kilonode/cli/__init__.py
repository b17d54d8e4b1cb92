"""The command line: one file per command, arguments in, calls out. It alone wires the parts together."""
