"""How2Sign-Faces: faces of signers, as the authors of INR-V list them.

Source: Sen et al. 2022, "INR-V: A Continuous Representation Space for Video-based Generative Tasks"; cut from
How2Sign (Duarte et al. 2021), whose clips are called VIDEO_SENTENCE-SIGNER-rgb_front.
"""

from __future__ import annotations

import hashlib
import re
from itertools import takewhile
from pathlib import PurePosixPath

from moviola.core.errors import InputError
from moviola.core.names import name_bytes
from moviola.data.captions import decode_text
from moviola.data.layouts import FramesClip, StoredClip, VideoClip, suffix_of
from moviola.data.named.base import TRAIN, Check, Member, NamedDataset, Reading, Spec, open_store, unlike
from moviola.data.stores import Store

LAYOUT = "a list *how2sign*faces*.txt of paths, and the videos or folders of frames that it names"
CAPTION = "a face of a person signing"
SHARE = 0.1
"""Part of the signers that is held out, at least one."""
_SIGNER = re.compile(r"(.+)_[0-9]+-([0-9]+)-rgb_front")


def read(spec: Spec) -> Reading:
    """See `NamedDataset`; a path of the list means the clip in which its last parts end, whatever folder precedes."""
    store = open_store(spec.path)
    lists = [name for name in store.names() if re.search(r"how2sign.*faces.*\.txt$", name.lower())]
    if not lists:
        raise unlike(spec, LAYOUT, store.names(), "no list")
    clips = _clips(store, spec)
    ends: dict[str, list[StoredClip]] = {}
    for clip in clips.values():
        ends.setdefault(PurePosixPath(clip.name).name, []).append(clip)
    clip_of: dict[str, StoredClip] = {}
    for name in lists:
        text = decode_text(store.read_bytes(name), store.where(name))
        for line, path in enumerate(text.splitlines(), start=1):
            if not path.strip():
                continue
            where = f"{store.where(name)} line {line}"
            clip = _find(path.strip(), ends, where)
            if clip.name in clip_of:
                raise InputError(f"{where}: {clip.name} is listed already")
            clip_of[clip.name] = clip
    if not clip_of:
        raise unlike(spec, LAYOUT, store.names(), f"{lists[0]} is empty")
    members = _split(list(clip_of.values()))
    skipped = [(name, "in no list") for name in clips if name not in clip_of]
    signers = {member.group for member in members}
    return Reading(
        members, [Check("clips", None, len(members)), Check("identities", None, len(signers))], skipped
    )


def _clips(store: Store, spec: Spec) -> dict[str, StoredClip]:
    """Return every video and every folder of frames by name."""
    from moviola.data.codec.formats import IMAGE_SUFFIXES, VIDEO_SUFFIXES

    clips: dict[str, StoredClip] = {}
    folders: dict[str, list[str]] = {}
    for name in store.names():
        if suffix_of(name) in IMAGE_SUFFIXES:
            folders.setdefault(name.rpartition("/")[0], []).append(name)
        elif suffix_of(name) in VIDEO_SUFFIXES:
            clips[name] = VideoClip(store, name, None, spec.fps)
    for name, images in folders.items():
        if name:
            clips[name] = FramesClip(store, name, None, spec.fps, tuple(images))
    return clips


def _find(path: str, ends: dict[str, list[StoredClip]], where: str) -> StoredClip:
    """Return the clip that shares most of the last parts with a path of another machine."""
    parts = PurePosixPath(path).parts

    def shared(clip: StoredClip) -> int:
        pairs = zip(reversed(parts), reversed(PurePosixPath(clip.name).parts), strict=False)
        return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))

    ranked = sorted(ends.get(parts[-1], []), key=shared, reverse=True)
    if not ranked:
        raise InputError(f"{where}: there is no video and no folder of frames {parts[-1]!r}")
    if len(ranked) > 1 and shared(ranked[0]) == shared(ranked[1]):
        raise InputError(f"{where}: {path} may be {ranked[0].name} or {ranked[1].name}; keep one")
    return ranked[0]


def _split(clips: list[StoredClip]) -> list[Member]:
    """Hold out a tenth of the signers, by a hash of who they are."""
    groups = [_signer(clip.name) for clip in clips]
    ranked = sorted(set(groups), key=lambda group: hashlib.sha256(name_bytes(group)).digest())
    count = max(1, round(SHARE * len(ranked))) if len(ranked) > 1 else 0
    held_out = set(ranked[:count])
    return [
        Member(clip, "test" if group in held_out else TRAIN, group, (CAPTION,))
        for clip, group in zip(clips, groups, strict=True)
    ]


def _signer(name: str) -> str:
    """Return who signs: the number in a name of How2Sign, else the video that clips with one beginning are from."""
    for part in reversed(PurePosixPath(name).parts):
        match = _SIGNER.search(part)
        if match is not None:
            return f"signer{match[2]}"
    return re.split(r"_[0-9]+(?=$|[-_.])", PurePosixPath(name).stem)[0]


DATASET = NamedDataset(
    name="how2sign-faces",
    title="How2Sign-Faces (Sen et al. 2022)",
    splits=(TRAIN, "test"),
    split_rule="ours, by signer: a tenth of the signers that the names tell, at least one, is test",
    url="http://cvit.iiit.ac.in/images/datasets/inrv/How2Sign-Blobs.tar",
    licence="CC BY-NC 4.0, as How2Sign",
    layout=LAYOUT,
    read=read,
)
