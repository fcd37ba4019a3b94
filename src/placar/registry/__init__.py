"""The registry: which versions there are, which one answers, and what it takes to answer."""
