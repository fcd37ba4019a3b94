"""Trying a running deployment from outside: smoke test, load test, verdict and report."""
