"""What eegflex costs, measured against the least that the same work can cost, or against its ancestor; see ``__main__``."""
