"""The append-only file of what happened: the Op and Sample records, the journal, columns and SQL queries."""
