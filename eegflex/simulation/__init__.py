"""The parts of a simulated night: hypnogram, head, background, events, files."""
