"""Painters of key frames: filters that need no weights, and text-guided diffusion."""
