"""Configs of the text-to-frame GAN, in our form and in the authors'."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator
from torch import nn

from moviola.core.config import Config
from moviola.data.grammar import Grammar
from moviola.nn.captions import CaptionEncoderName, make_caption_encoder, require_sentence_encoder


class CaptionConfig(Config):
    """How a network reads captions.

    Attributes:
        slots: number of values of each caption slot.
        caption_encoder: "embedding" (learned, summed over slots), "one-hot" (the matrix of the source document and
            a dense layer), "lstm" (word by word) or "sentence" (all-MiniLM-L6-v2, frozen, and a dense layer).
        free_text: all slots share one list of words, as captions without a template do.
        grammar: the captions in words; only "sentence" needs it.
    """

    slots: tuple[int, ...] = Field(min_length=1)
    caption_encoder: CaptionEncoderName = "embedding"
    free_text: bool = False
    grammar: Grammar | None = None

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.free_text and len(set(self.slots)) > 1:
            raise ValueError(f"free_text goes with slots of one size, not {list(self.slots)}")
        if self.grammar is not None and self.grammar.sizes != self.slots:
            raise ValueError(f"slots {list(self.slots)} are not those of the grammar")
        return self

    def reading(self, grammar: Grammar) -> Self:
        """Return the config as it reads captions of `grammar`, which has these slots.

        Raises:
            WeightsError: the caption encoder is "sentence", whose weights are not on this machine.
        """
        text = grammar if self.caption_encoder == "sentence" else None
        if text is not None:
            require_sentence_encoder()
        return self.model_copy(update={"free_text": not grammar.template, "grammar": text})

    def make_encoder(self, width: int, embedding: int = 256) -> nn.Module:
        """Make the caption encoder: slots, int64 (B, S), to float32 (B, width).

        Raises:
            ConfigError: the caption encoder is "sentence" and there is no grammar.
        """
        return make_caption_encoder(
            self.caption_encoder,
            self.slots,
            width,
            embedding=embedding,
            free_text=self.free_text,
            describe=None if self.grammar is None else self.grammar.caption,
        )


class TextGANConfig(CaptionConfig):
    """Sizes of `FrameGenerator`.

    Attributes:
        slots, caption_encoder, free_text, grammar: see `CaptionConfig`.
        size: H = W of a frame in pixels; a multiple of 16.
        latent: size of the noise vector z.
        widths: C at 1/16, 1/8, 1/4 and 1/2 of the size.
        condition: D of the joint caption and noise vector.
        octaves: sinusoids of each noise number that are given beside it, each twice as fast as the one before, so that
            a number can mean a place; 0 for none.
    """

    family: Literal["textgan"] = "textgan"
    size: int = Field(default=64, ge=16, multiple_of=16)
    latent: int = Field(default=32, ge=1)
    widths: tuple[int, int, int, int] = (160, 128, 96, 48)
    condition: int = Field(default=160, ge=8)
    octaves: int = Field(default=0, ge=0, le=8)


class CriticConfig(CaptionConfig):
    """Sizes of `FrameCritic`.

    Attributes:
        slots, caption_encoder, free_text, grammar: see `CaptionConfig`.
        size: H = W of a frame in pixels; a multiple of 16.
        widths: C at 1/2, 1/4, 1/8 and 1/16 of the size.
        condition: D of the caption embedding that is projected on the features.
    """

    size: int = Field(default=64, ge=16, multiple_of=16)
    widths: tuple[int, int, int, int] = (40, 80, 128, 160)
    condition: int = Field(default=128, ge=8)


class GanClsConfig(CaptionConfig):
    """Sizes of `GanClsGenerator`; the defaults are the authors'.

    Attributes:
        slots, caption_encoder, free_text, grammar: see `CaptionConfig`.
        size: H = W of a frame in pixels; a multiple of 16.
        latent: size of the noise vector z.
        width: C of the first feature map (4x4 at 64x64); halved at every upsampling.
        embedding: size of a word's vector.
        text: D of the text vector, the size of the LSTM's state.
        reduced: D that a dense layer maps the text vector to before z joins it.
    """

    family: Literal["textgan-cls"] = "textgan-cls"
    caption_encoder: CaptionEncoderName = "lstm"
    size: int = Field(default=64, ge=16, multiple_of=16)
    latent: int = Field(default=512, ge=1)
    width: int = Field(default=1024, ge=32, multiple_of=32)
    embedding: int = Field(default=256, ge=1)
    text: int = Field(default=128, ge=1)
    reduced: int = Field(default=128, ge=1)


class GanClsCriticConfig(Config):
    """Sizes of `GanClsDiscriminator` and, but for `reduced`, of `ImageEncoder`; the defaults are the authors'.

    Attributes:
        size: H = W of a frame in pixels; a multiple of 16.
        width: C after the first strided convolution; doubled by each of the next three.
        text: D of the text vector.
        reduced: D that a dense layer maps the text vector to before it is tiled.
    """

    size: int = Field(default=64, ge=16, multiple_of=16)
    width: int = Field(default=64, ge=4, multiple_of=4)
    text: int = Field(default=128, ge=1)
    reduced: int = Field(default=128, ge=1)
