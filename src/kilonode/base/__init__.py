"""What every part stands on: clock, seeded randomness, errors, outcomes and units. Imports nothing of Kilonode."""
