"""The clean latent that a scheduler has in mind, against what the scheduler itself computes."""

import pytest
import torch

from moviola.core.errors import ConfigError, UnknownNameError
from moviola.models.rerender.diffusion.schedulers import (
    PREDICTIONS,
    SCHEDULERS,
    make_scheduler,
    schedule,
    step_options,
)

SHAPE = (1, 4, 3, 5)


@pytest.fixture
def base():
    """A scheduler such as SD 1.5 brings."""
    from diffusers import DDIMScheduler

    return DDIMScheduler(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", clip_sample=False)


def draw(seed):
    return torch.randn(SHAPE, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("prediction", PREDICTIONS)
@pytest.mark.parametrize("name", SCHEDULERS)
def test_clean_is_the_schedulers_own(base, name, prediction):
    """At every step, x0 is the one that the scheduler's own arithmetic finds."""
    base.register_to_config(prediction_type=prediction)
    plan = schedule(make_scheduler(name, base), 5, 0.8, "cpu")
    latent = draw(0) * plan.scheduler.init_noise_sigma
    options = step_options(plan.scheduler, 0.0, torch.Generator().manual_seed(1))
    for i, t in enumerate(plan.timesteps):
        output = draw(10 + i)
        found = plan.level(i).clean(output, latent)
        if hasattr(plan.scheduler, "convert_model_output"):
            plan.scheduler._step_index = plan.first + i
            expected = plan.scheduler.convert_model_output(output, sample=latent)
        elif name == "lcm":  # it returns x0 mixed with the latent, by weights of its own
            skip, out = plan.scheduler.get_scalings_for_boundary_condition_discrete(t)
            copy = make_scheduler(name, base)
            copy.set_timesteps(5)
            denoised = copy.step(output, t, latent, generator=torch.Generator()).denoised
            expected = (denoised - skip * latent) / out
        else:
            copy = make_scheduler(name, base)
            copy.set_timesteps(5)
            expected = copy.step(output, t, latent).pred_original_sample
        torch.testing.assert_close(found, expected, rtol=2e-4, atol=2e-4)
        if i == 0:
            plan.scheduler._step_index = None
        latent = plan.scheduler.step(output, t, latent, **options).prev_sample


@pytest.mark.parametrize("prediction", PREDICTIONS)
@pytest.mark.parametrize("name", SCHEDULERS)
def test_there_and_back(base, name, prediction):
    base.register_to_config(prediction_type=prediction)
    plan = schedule(make_scheduler(name, base), 6, 1.0, "cpu")
    for i in range(6):
        level, latent, output = plan.level(i), draw(2), draw(3)
        again = level.output(level.clean(output, latent), latent)
        torch.testing.assert_close(again, output, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("name", SCHEDULERS)
def test_noise_level_is_that_of_add_noise(base, name):
    """What enters the first step is alpha * x0 + sigma * noise, as the scheduler adds noise."""
    plan = schedule(make_scheduler(name, base), 8, 0.5, "cpu")
    clean, noise = draw(4), draw(5)
    level = plan.level(0)
    expected = plan.scheduler.add_noise(clean, noise, plan.timesteps[:1])
    torch.testing.assert_close(level.alpha * clean + level.sigma * noise, expected, rtol=1e-5, atol=1e-5)


def test_strength_leaves_steps_out(base):
    plan = schedule(make_scheduler("ddim", base), 20, 0.75, "cpu")
    assert len(plan.timesteps) == 15
    assert plan.first == 5


def test_base_is_not_touched(base):
    before = dict(base.config)
    schedule(make_scheduler("own", base), 7, 1.0, "cpu")
    assert base.num_inference_steps is None
    assert dict(base.config) == before


def test_bad_settings(base):
    with pytest.raises(UnknownNameError, match="unipc"):
        make_scheduler("unipcc", base)
    with pytest.raises(ConfigError, match="leaves none to run"):
        schedule(make_scheduler("ddim", base), 4, 0.2, "cpu")
    with pytest.raises(ConfigError, match="steps 5000"):
        schedule(make_scheduler("ddim", base), 5000, 1.0, "cpu")
    from diffusers import HeunDiscreteScheduler

    with pytest.raises(ConfigError, match="HeunDiscreteScheduler is not supported"):
        make_scheduler("own", HeunDiscreteScheduler())
