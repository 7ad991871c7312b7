"""Galleries in an SQLite file."""
