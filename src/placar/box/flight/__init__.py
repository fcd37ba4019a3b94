"""The flight recorder: what a worker did last survives it, and the next start tells."""
