"""Frozen outside networks, rewritten in torch, and the store that finds their weights."""
