"""The doctor: what a deploy log or a start command says about why a service falls.

``log.diagnose_log`` reads a log, ``machine.examine`` the current folder; both answer with
``Finding``s. A log flows through ``reading`` (bytes to text), ``records`` (JSON and escaped text to
lines), ``line`` (where the message begins), ``signs`` (lines that are known), ``clues`` (which of
them belong together) to ``rules`` (causes, with what to say). Nothing is kept but a few lines of
evidence per clue, so a log may be larger than memory.
"""
