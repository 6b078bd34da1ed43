"""Carrying paint from key frames to the frames between: flow, guided patch synthesis, choice and blending."""
