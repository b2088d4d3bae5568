"""Warm-up, stable, decay (WSD): the factor of the learning rate at each step.

The release runs pre-training and fine-tuning as one schedule: 3% warm-up, constant to 85%, then linear decay to a tenth, which
falls on the fine-tuning part (train_pack.py of its repository). Here: pre-train with `decay_ratio: 0` and `keep_optimizer: true`,
fine-tune with `continue_optimizer: true` and `decay_ratio: 1.0`.
"""

FLOOR = 0.1  # the release's


def wsd_factor(step: int, num_steps: int, warmup_ratio: float, decay_ratio: float) -> float:
    """The factor of step 0 .. num_steps - 1.

    >>> [round(wsd_factor(step, 10, 0.2, 0.4), 2) for step in range(10)]
    [0.5, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 0.75, 0.5, 0.25]
    >>> [round(wsd_factor(step, 4, 0.0, 0.0), 2) for step in range(4)]
    [1.0, 1.0, 1.0, 1.0]
    """
    warmup, decay = round(num_steps * warmup_ratio), round(num_steps * decay_ratio)
    if step < warmup:
        return (step + 1) / warmup
    left = num_steps - step
    return max(FLOOR, left / decay) if left < decay else 1.0
