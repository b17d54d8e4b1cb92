"""Real services and the emulated cloud asked the same, and their answers compared field by field.

`sequences/` says what is asked, `recorded/` what real services answered, `reasons.yaml` which differences remain and
why.
"""
