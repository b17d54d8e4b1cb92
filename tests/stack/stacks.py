"""What tests of stacks share."""

OLD, NEW = "2025.2", "2026.1"
"""One release, and the next."""
