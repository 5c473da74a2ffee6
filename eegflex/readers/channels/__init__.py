"""What a signal is: its label, unit, electrode and derivation; and channels as an MNE Raw."""
