"""What a run produces: the package's format, writing and verifying it, and the run folder."""
