"""Gunicorn's settings for the services that Placar is compared with: its defaults.

Without a file of their own they would get the one in the repository's root, which is Placar's.
"""

worker_class = "uvicorn_worker.UvicornWorker"
