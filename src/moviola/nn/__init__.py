"""Shared layers, one idea a file."""
