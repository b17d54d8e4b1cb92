"""Versioned documents with atomic commit and watch: one small protocol, several backends."""
