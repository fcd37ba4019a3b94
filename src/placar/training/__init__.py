"""The run child: from a table with a known outcome to a package. Run by name, never imported."""
