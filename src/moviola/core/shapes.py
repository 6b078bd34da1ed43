"""The letter legend and the tensor aliases used in annotations.

B batch, T time (frames), C channels (3 for colour), H height, W width (pixels), S caption slots, D features.
Inside networks a video batch is float32 (B, T, C, H, W) in [-1, 1]; everywhere else it is a `Video`.
"""

from __future__ import annotations

from jaxtyping import Float, Int, UInt8
from numpy import ndarray
from torch import Tensor

VideoBatch = Float[Tensor, "B T C H W"]
ImageBatch = Float[Tensor, "B C H W"]
Features = Float[Tensor, "B D"]
Slots = Int[Tensor, "B S"]
Frames = UInt8[ndarray, "T H W 3"]
