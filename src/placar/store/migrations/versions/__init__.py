"""One module per revision, named in ``schema.REVISIONS``."""
