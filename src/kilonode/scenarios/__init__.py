"""The scenario library, its registry and what a scenario is given."""
