"""Galleries in Redis."""
