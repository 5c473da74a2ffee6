"""Methods of attribution: one table, and what computes each."""
