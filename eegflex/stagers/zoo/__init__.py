"""Stagers that come with eegflex, by name in `eegflex.stagers.loading`."""
