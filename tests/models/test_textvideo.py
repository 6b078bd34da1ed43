"""Model folders: a manifest and two networks."""

from __future__ import annotations

import dataclasses
import json
import shutil

import pytest
import torch

from moviola.core.errors import ConfigError, PromptError, WeightsError
from moviola.data.grammar import Grammar
from moviola.data.slots import Rule
from moviola.models.textvideo import TextToVideo, TextVideoConfig, read_manifest, write_manifest


def complaint(call) -> str:
    """The WeightsError's message, which must be one line."""
    with pytest.raises(WeightsError) as error:
        call()
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize("half", [False, True])
def test_round_trip(tiny_model, tmp_path, half):
    """Captions and both networks come back, in eval mode."""
    again = TextToVideo.from_pretrained(tiny_model.save_pretrained(tmp_path / "m", half=half))
    assert again.config == tiny_model.config and again.first is not None
    for mine, theirs in ((again.first, tiny_model.first), (again.next, tiny_model.next)):
        assert not mine.training
        for name, tensor in theirs.state_dict().items():
            close = tensor.half().to(tensor.dtype) if half and tensor.is_floating_point() else tensor
            assert torch.equal(mine.state_dict()[name], close)


def test_parts_may_be_missing(tiny_folder):
    """Without first/ it starts from images; without next/ there is nothing to run."""
    shutil.rmtree(tiny_folder / "first")
    assert TextToVideo.from_pretrained(tiny_folder).first is None
    shutil.rmtree(tiny_folder / "next")
    assert "nextframe" in complaint(lambda: TextToVideo.from_pretrained(tiny_folder))


def test_swapped_parts_are_refused(tiny_folder):
    """The generator in the place of the next-frame network is named as what it is."""
    shutil.rmtree(tiny_folder / "next")
    shutil.copytree(tiny_folder / "first", tiny_folder / "next")
    text = complaint(lambda: TextToVideo.from_pretrained(tiny_folder))
    assert "FrameGenerator" in text and "NextFrameUNet" in text


def test_manifest_of_another_family_or_none(tiny_folder):
    """Said with the file, in one line."""
    path = tiny_folder / "config.json"
    values = json.loads(path.read_text())
    for change in ({"family": "metric"}, {"size": 3}, {"colour": 1}):
        path.write_text(json.dumps({**values, **change}))
        assert str(tiny_folder) in complaint(lambda: read_manifest(tiny_folder))
    path.unlink()
    assert "config.json" in complaint(lambda: read_manifest(tiny_folder))


def test_write_manifest_again(tiny_model, tmp_path):
    """The same captions and size may be written again (the other part's run does); others are refused."""
    folder = tmp_path / "m"
    write_manifest(tiny_model.config, folder)
    write_manifest(tiny_model.config.model_copy(update={"fps": 5.0}), folder)
    assert read_manifest(folder).fps == 5.0
    other = TextVideoConfig(size=64, fps=8, grammar=tiny_model.config.grammar)
    assert "another" in complaint(lambda: write_manifest(other, folder))


# -- a generator --------------------------------------------------------------------------------------


def drawn(model, *arguments) -> torch.Tensor:
    """A whole stream, its pieces checked."""
    pieces = list(model.stream(*arguments))
    for piece in pieces:
        assert piece.dtype == torch.float32 and piece.shape[1:] == (3, 32, 32) and 1 <= len(piece) <= 32
        assert not piece.requires_grad and piece.abs().max() <= 1
    return torch.cat(pieces)


def test_stream_by_seed_and_index(tiny_model):
    """Whatever is drawn before; longer begins with shorter; other seeds and indices are other videos."""
    videos = {(s, i): drawn(tiny_model, s, i, 5) for s in (0, 1) for i in (0, 1, 2)}
    assert len({v.numpy().tobytes() for v in videos.values()}) == 6
    for (seed, index), video in reversed(videos.items()):
        assert torch.equal(drawn(tiny_model, seed, index, 40)[:5], video)


def test_two_streams_at_once(tiny_model):
    """Drawn turn by turn, each is as drawn alone."""
    alone = [drawn(tiny_model, 3, i, 70) for i in (0, 1)]
    turns = list(zip(*(tiny_model.stream(3, i, 70) for i in (0, 1)), strict=True))
    assert [len(a) for a, _ in turns] == [32, 32, 6]
    for k in (0, 1):
        assert torch.equal(torch.cat([turn[k] for turn in turns]), alone[k])


def test_described_captions_draw_the_same(tiny_model):
    """What nobody asked for is drawn by the seed, keeps the rules, and its caption told back draws it again."""
    captions = [tiny_model.describe(5, i).caption for i in range(40)]
    assert len(set(captions)) > 10
    grammar = tiny_model.config.grammar
    assert all(grammar.allows(tiny_model.fill(5, i)[0].tolist()) for i in range(40))
    for index in (0, 7, 39):
        assert torch.equal(drawn(tiny_model, 5, index, 3), drawn(tiny_model, 5, index, 3, captions[index]))
    assert tiny_model.describe(5, 0, "walks zzzz").notes == ("'zzzz' is not known and was ignored",)


def test_what_cannot_be_drawn(tiny_model):
    """No frames, no first-frame network, and captions that are free text."""
    with pytest.raises(ConfigError, match="frames is 0"):
        tiny_model.stream(0, 0, 0)
    with pytest.raises(WeightsError, match="--image"):
        dataclasses.replace(tiny_model, first=None).stream(0, 0, 4)
    words = Grammar.from_captions(["a cat sits", "a dog"])
    free = dataclasses.replace(tiny_model, config=tiny_model.config.model_copy(update={"grammar": words}))
    with pytest.raises(PromptError, match="free text"):
        free.describe(0, 0)
    assert free.describe(0, 0, "a dog").caption == "a dog"


# -- a later caption ----------------------------------------------------------------------------------


def follow(model, row, prompt, number=1):
    """The slots after a later prompt, and the notes."""
    slots, notes = model.follow(5, 0, number, prompt, torch.tensor(row))
    return slots.tolist(), notes


def test_what_a_later_caption_leaves_open_stays(tiny_model):
    """The said slot alone changes; a value that fits already is kept, whatever else would fit."""
    assert follow(tiny_model, [2, 1, 1], "waves") == ([2, 3, 1], ())
    assert follow(tiny_model, [2, 1, 1], "walks right") == ([2, 1, 2], ())
    assert follow(tiny_model, [4, 1, 1], "blue hair") == ([3, 1, 1], ())
    assert all(
        follow(tiny_model, [k, 1, 1], "hair", n)[0] == [k, 1, 1] for k in (1, 2, 3, 4) for n in range(9)
    )
    assert follow(tiny_model, [0, 1, 0], "waves")[0] == [0, 3, 0]  # what a given image shows stays unsaid
    assert follow(tiny_model, [2, 1, 1], "waves zzzz")[1] == ("'zzzz' is not known and was ignored",)


def test_rules_hold_after_a_later_caption(tiny_model):
    """Who jumps goes up, and stays so; who is to go left jumps no more; what a rule did is said."""
    row, (note,) = follow(tiny_model, [2, 1, 1], "jumps")
    assert row == [2, 2, 3] and "'jumps' exists only with 'up'" in note
    assert follow(tiny_model, row, "waves") == ([2, 3, 3], ())
    actions = {follow(tiny_model, row, "left", n)[0][1] for n in range(30)}
    assert actions == {1, 3} and follow(tiny_model, [0, 1, 0], "jumps") == ([0, 2, 0], ())


def test_a_look_outweighs_a_rule(tiny_model):
    """Nobody changes clothes to do what was never seen in them; the line says so."""
    rule = Rule(slot="hair", value="red hair", then="action", only=("walks",))
    grammar = tiny_model.config.grammar.model_copy(update={"rules": (rule,)})
    model = dataclasses.replace(tiny_model, config=tiny_model.config.model_copy(update={"grammar": grammar}))
    row, (note,) = follow(model, [1, 1, 1], "waves")
    assert row == [1, 3, 1] and "'red hair' exists only with 'walks'" in note and "never saw" in note
    assert follow(model, [2, 1, 1], "waves") == ([2, 3, 1], ())


def test_later_captions_of_a_grammar_of_words(tiny_model):
    """Are taken whole."""
    grammar = Grammar.from_captions(["a cat sits", "a dog"])
    model = dataclasses.replace(tiny_model, config=tiny_model.config.model_copy(update={"grammar": grammar}))
    slots, notes = model.follow(0, 0, 1, "a dog", model.fill(0, 0, "a cat sits")[0])
    assert grammar.caption(slots.numpy()) == "a dog" and notes == ()


def test_pieces_end_at_a_change(tiny_model):
    """So that each belongs to one caption; a change beyond the end is none."""
    row, later = torch.tensor([1, 1, 1]), {40: torch.tensor([2, 3, 2]), 90: torch.tensor([1, 2, 3])}
    pieces = list(tiny_model.stream_slots(row, 80, seed=0, index=0, changes=later))
    assert [len(piece) for piece in pieces] == [32, 8, 32, 8]
    plain = list(tiny_model.stream_slots(row, 40, seed=0, index=0))
    assert torch.equal(torch.cat(pieces[:2]), torch.cat(plain))
    anew = next(tiny_model.stream_slots(later[40], 1, seed=0, index=0))
    assert torch.equal(pieces[2][:1], anew)
