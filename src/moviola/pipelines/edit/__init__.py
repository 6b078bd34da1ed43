"""Editing what a model draws: its motion by bands of speed, its latent space."""
