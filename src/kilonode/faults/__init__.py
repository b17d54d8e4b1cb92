"""The language of faults, the drivers that inject and heal them, and the journal of undo. See docs/faults.md."""
