"""One module per group of addresses; ``web/app.py`` shows them all on one page."""
