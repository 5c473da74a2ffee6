"""Hypnogram formats: one file each, all on the table beside them."""
