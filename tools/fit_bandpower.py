"""Fit the linear head of the band-power stager on simulated nights, and write its constants beside it.

Run from the top of the repository: python tools/fit_bandpower.py
"""

import json
from pathlib import Path

import mne
import numpy as np
import torch

import eegflex
from eegflex.doctor.sign_test import kappa_of
from eegflex.preprocessing.segments import prepare
from eegflex.spec.model_spec import ModelSpec
from eegflex.spec.published import load_spec
from eegflex.stagers.zoo.bandpower import FEATURES, BandPower

STAGERS = Path(eegflex.__file__).parent / "stagers" / "zoo"
TRAINING_SEEDS, TEST_SEEDS = range(100, 104), range(200, 202)
#: Keeps the weights small, so that no stage rests on a hair's breadth of one feature.
RIDGE = 1e-3


def features_and_stages(seed: int, spec: ModelSpec) -> tuple[torch.Tensor, torch.Tensor]:
    """Features and stage numbers of a simulated night of 7 h."""
    epochs = eegflex.make_epochs(eegflex.simulate_psg(hours=7, seed=seed).raw)
    segments = prepare(epochs, spec)
    empty = BandPower(spec.sfreq, np.zeros((5, len(FEATURES))), np.zeros(5))
    signals = torch.from_numpy(segments.signals[:, list(segments.channel_sets[0])])
    with torch.no_grad():
        features = torch.cat([empty.features(part) for part in signals.split(64)])
    return features, torch.tensor([spec.stages.index(stage) for stage in segments.stage])


def fit(features: torch.Tensor, stages: torch.Tensor, n_stages: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Multinomial logistic regression with stages of equal weight; returns weight and bias on the raw features."""
    mean, sd = features.mean(0), features.std(0)
    weight = torch.zeros(n_stages, features.shape[1], requires_grad=True)
    bias = torch.zeros(n_stages, requires_grad=True)
    balance = 1 / torch.bincount(stages, minlength=n_stages).clamp(min=1)
    optimiser = torch.optim.LBFGS([weight, bias], max_iter=500, line_search_fn="strong_wolfe")

    def loss() -> torch.Tensor:
        optimiser.zero_grad()
        scores = ((features - mean) / sd) @ weight.T + bias
        value = torch.nn.functional.cross_entropy(scores, stages, weight=balance) + RIDGE * weight.square().sum()
        value.backward()
        return value

    optimiser.step(loss)
    raw = (weight / sd).detach()
    return raw, (bias - raw @ mean).detach()


def main() -> None:
    mne.set_log_level("warning")
    spec = load_spec("bandpower")
    nights = [features_and_stages(seed, spec) for seed in TRAINING_SEEDS]
    features, stages = (torch.cat(parts) for parts in zip(*nights, strict=True))
    weight, bias = fit(features, stages, len(spec.stages))
    agreements = {}
    for seed in TEST_SEEDS:
        unseen, truth = features_and_stages(seed, spec)
        agreements[seed] = round(
            kappa_of(truth.numpy(), (unseen @ weight.T + bias).argmax(1).numpy(), len(spec.stages)), 3
        )
        print(f"kappa on the unseen simulated night {seed}: {agreements[seed]}")
    head = {
        "fitted_on": "simulated nights of 7 h, seeds " + ", ".join(map(str, TRAINING_SEEDS)),
        "kappa_on_unseen_simulated_nights": {str(seed): value for seed, value in agreements.items()},
        "features": [f"{feature.input} {feature.band}" for feature in FEATURES],
        "weight": [[round(float(v), 5) for v in row] for row in weight],
        "bias": [round(float(v), 5) for v in bias],
    }
    (STAGERS / "bandpower_head.json").write_text(json.dumps(head, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
