"""The only SQL of the product: schema, migrations, records and their queries, package files."""
