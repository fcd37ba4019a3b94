"""The hot path: from an encoded row to its answer. No pandas, no database, no lock."""
