"""Train the small stagers of the tests on simulated nights, and write their weights beside their specs.

Run from the top of the repository: PYTHONPATH=tests:. OMP_NUM_THREADS=1 python tools/train_stagers.py [name ...]
"""

import json
import sys
import time
from dataclasses import replace

import mne
import torch
from safetensors.torch import save_file
from torch.nn.functional import cross_entropy
from trained import FOLDER, NETWORKS, network, spec
from trained.nights import spindle_night

import eegflex
from eegflex.agreement import cohens_kappa
from eegflex.preprocessing.segments import prepare
from eegflex.stagers.fronts import front_of
from eegflex.stagers.stager import Stager

#: Lengths differ because a recording's scale depends on the stages in it.
TRAINING_NIGHTS = {300: 7, 301: 2, 302: 7, 303: 4, 304: 7, 305: 2, 306: 7, 307: 4, 308: 7, 309: 2}
TEST_NIGHTS = {400: 7, 401: 7, 402: 4, 403: 2}
#: An epoch is scaled by a random gain, so that the scores change gradually when it is faded in.
GAINS = (0.3, 2.0)
SEED, LEARNING_RATE, WEIGHT_DECAY = 0, 3e-3, 1e-2
#: Keeps the scores from growing without end once the stages are told apart.
LABEL_SMOOTHING = 0.05
N_PASSES = {"chambon": 16, "context": 24, "sequence": 24, "planted": 24}
BATCH, STRETCH = 64, 40


def simulated(seed, hours):
    """Epochs of a simulated night."""
    return eegflex.make_epochs(eegflex.simulate_psg(hours=hours, seed=seed).raw)


def planted(seed, hours):
    """Epochs of one on which spindles alone tell N2 from N1."""
    return eegflex.make_epochs(spindle_night(hours, seed).raw)


#: What nights each is trained on.
NIGHTS = {"chambon": simulated, "context": simulated, "sequence": simulated, "planted": planted}


def night(epochs, contract):
    """Signals, shape (epoch, channel, time), and stage numbers of a night, as the contract wants them."""
    segments = prepare(epochs, contract)
    return torch.from_numpy(segments.signals), torch.tensor([contract.stages.index(stage) for stage in segments.stage])


def stretches(nights, length, rng):
    """Cut nights into stretches of epochs: signals, shape (stretch, epoch, channel, time), and stages."""
    signals, stages = [], []
    for recorded, scored in nights:
        # Elsewhere in every pass, so that each epoch is now and then far enough from an end to be a target.
        first = int(torch.randint(0, length, (1,), generator=rng))
        kept = slice(first, first + (len(scored) - first) // length * length)
        signals.append(recorded[kept].unflatten(0, (-1, length)))
        stages.append(scored[kept].unflatten(0, (-1, length)))
    return torch.cat(signals), torch.cat(stages)


def batches(nights, contract, rng):
    """Yield signals and stages: loose epochs, or stretches of a night where the stager looks at neighbours."""
    length = _length(contract)
    signals, stages = stretches(nights, length, rng)
    for chosen in torch.randperm(len(stages), generator=rng).split(max(BATCH // length, 4)):
        gains = torch.empty(len(chosen), length, 1, 1).uniform_(*GAINS, generator=rng)
        yield signals[chosen] * gains, stages[chosen]


def _length(contract):
    """Epochs of a stretch: what a network of sequences is given at once, and more where windows are cut from it."""
    if "e" in contract.output.split():
        return contract.context.before + 1 + contract.context.after
    return STRETCH if contract.context.before else 1


def logits(network, front, signals, stages, contract):
    """Logits and stages of the target epochs of a batch."""
    if "e" in contract.output.split():  # all of a sequence
        return network(front(signals)).flatten(0, 1), stages.flatten()
    if not contract.context.before:
        return network(signals[:, 0]), stages[:, 0]
    # The same as the network on every window of the stretch, with each epoch encoded once.
    before, after = contract.context.before, contract.context.after
    codes = network.encode(signals.flatten(0, 1)).unflatten(0, signals.shape[:2])
    windows = codes.unfold(1, before + 1 + after, 1).transpose(2, 3)
    return network.decode(windows.flatten(0, 1)), stages[:, before : stages.shape[1] - after].flatten()


def scaled_by(nights, contract):
    """The front end of a network that is given spectrograms, with the statistics of all nights, which are written; or None."""
    if contract.spectrogram is None:
        return None
    bare = front_of(contract.replace(spectrogram=replace(contract.spectrogram, mean="", sd="")))
    levels = torch.cat([bare.before_statistics(part) for signals, _ in nights for part in signals.split(100)])
    sd, mean = torch.std_mean(levels, dim=(0, 1, 2))
    save_file({"mean": mean, "sd": sd}, FOLDER / contract.spectrogram.mean)
    return front_of(contract, FOLDER)


def train(name, nights, contract):
    """Train a network from scratch."""
    torch.manual_seed(SEED)
    rng = torch.Generator().manual_seed(SEED)
    front = scaled_by(nights, contract)
    trained = network(name).train()
    counts = torch.bincount(torch.cat([stages for _, stages in nights]), minlength=len(contract.stages))
    balance = (counts.sum() / counts / len(counts)).sqrt()  # N1 is rare, yet not worth as much as all of N2
    optimiser = torch.optim.AdamW(trained.parameters(), lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, N_PASSES[name])
    for number in range(N_PASSES[name]):
        losses = []
        for signals, stages in batches(nights, contract, rng):
            scores, targets = logits(trained, front, signals, stages, contract)
            loss = cross_entropy(scores, targets, weight=balance, label_smoothing=LABEL_SMOOTHING)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            losses.append(loss.item())
        schedule.step()
        print(f"{name}: pass {number + 1} of {N_PASSES[name]}, loss {sum(losses) / len(losses):.3f}")
    return trained.eval()


def agreement(stager, epochs):
    """Kappa between a stager, used as anyone would, and the hypnogram of a night."""
    return round(cohens_kappa(eegflex.stage_epochs(epochs, stager).confusion), 3)


def main() -> None:
    mne.set_log_level("warning")
    torch.set_num_threads(1)
    contracts = {name: spec(name) for name in sys.argv[1:] or NETWORKS}
    nights, unseen = ({name: [] for name in contracts} for _ in range(2))
    for kind in {NIGHTS[name] for name in contracts}:
        own = {name: contract for name, contract in contracts.items() if NIGHTS[name] is kind}
        for seed, hours in TRAINING_NIGHTS.items():
            epochs = kind(seed, hours)
            for name, contract in own.items():
                nights[name].append(night(epochs, contract))
        tests = {seed: kind(seed, hours) for seed, hours in TEST_NIGHTS.items()}
        unseen |= dict.fromkeys(own, tests)
    for name, contract in contracts.items():
        begun = time.perf_counter()
        trained = train(name, nights[name], contract)
        print(f"{name}: trained in {time.perf_counter() - begun:.0f} s")
        stager = Stager(trained, contract, folder=FOLDER)
        kappas = {str(seed): agreement(stager, epochs) for seed, epochs in unseen[name].items()}
        print(f"{name}: kappa on unseen simulated nights {kappas}")
        notes = {
            "warning": "trained on simulated nights only; knows nothing of real sleep",
            "trained_by": "tools/train_stagers.py",
            "trained_on": f"eegflex simulated nights ({NIGHTS[name].__name__}), seed: hours {json.dumps(TRAINING_NIGHTS)}",
            "kappa_on_unseen_simulated_nights": json.dumps(kappas),
            "licence": contract.licence,
        }
        save_file(trained.state_dict(), FOLDER / contract.file, metadata=notes)


if __name__ == "__main__":
    main()
