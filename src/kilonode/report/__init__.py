"""Numbers in, words and pictures out: terminal, HTML, JSON, JUnit."""
