"""importing: results of other tools into runs like any other."""
