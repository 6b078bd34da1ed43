"""The captioned next-frame networks: a caption and up to ten frames to the next one."""

from moviola.models.nextframe.config import NextFrameConfig, NextFrameCriticConfig
from moviola.models.nextframe.critic import HistoryCritic, NextFrameCritic, SingleFrameCritic, make_critic
from moviola.models.nextframe.faithful2d import NextFrameUNet2d
from moviola.models.nextframe.forms import NextFrame, NextFrameNetwork, make_next_frame
from moviola.models.nextframe.network import NextFrameUNet
from moviola.models.nextframe.rollout import Change, push, rollout, stream
from moviola.models.nextframe.unet3d import NextFrameUNet3d

__all__ = [
    "Change",
    "HistoryCritic",
    "NextFrame",
    "NextFrameConfig",
    "NextFrameCritic",
    "NextFrameCriticConfig",
    "NextFrameNetwork",
    "NextFrameUNet",
    "NextFrameUNet2d",
    "NextFrameUNet3d",
    "SingleFrameCritic",
    "make_critic",
    "make_next_frame",
    "push",
    "rollout",
    "stream",
]
