"""From epochs to what a stager is given: channels, filter, scale, and what is wrong with an epoch."""
