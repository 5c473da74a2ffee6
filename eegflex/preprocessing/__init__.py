"""From epochs to what a stager is given, a step a module: channels, grid, filtering, blocks and faults, scaling, segments."""
