"""A run's life: asked for, launched, followed, ended; and found again when its follower dies."""
