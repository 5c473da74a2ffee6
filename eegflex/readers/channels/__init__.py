"""What a signal is: its label, unit, electrode and derivation."""
