"""The HTTP side: wire → scorer, runs and registry → wire. ``app.py`` is the way in."""
