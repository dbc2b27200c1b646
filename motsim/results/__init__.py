"""Finished runs: one SQLite file a folder, and the tables made from it."""
