"""One script for each claim about speed: a ratio against a named peer, measured in the same run and repeated."""
