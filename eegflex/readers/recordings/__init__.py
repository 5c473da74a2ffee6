"""From a file to its signals."""
