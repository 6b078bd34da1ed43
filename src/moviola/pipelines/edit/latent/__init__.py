"""Editing in the latent space of videos: observations, fitting, completion, walks.

Source: Sen et al. 2022, "INR-V: A Continuous Representation Space for Video-based Generative Tasks", section 5.
"""
