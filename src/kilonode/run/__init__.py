"""One run: the experiment file, setup and cleanup, and the conductor that leads it."""
