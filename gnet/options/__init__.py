"""Arguments made into checked records: no I/O."""
