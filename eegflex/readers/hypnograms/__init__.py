"""From a file to stages on the clock of a recording."""
