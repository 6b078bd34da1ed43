"""REGIS: networks that have learnt real video and are applied to generated video, again and again.

Source: "REGIS: Refining Generated Videos via Iterative Stylistic Redesigning" (2023). Three networks share one
protocol, `moviola.models.protocols.Refiner`: `vq`, `unet` and `fuse`, a folder each.
"""
