"""GSSC, the Greifswald Sleep Stage Classifier (extra ``gssc``): its real network, its whole-night context."""

from __future__ import annotations

import copy
import dataclasses
import importlib.util
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from eegflex.errors import MissingExtraError
from eegflex.spec.model_spec import ModelSpec
from eegflex.spec.published import load_spec
from eegflex.stagers.batches import FORWARD_BATCH, BatchSize
from eegflex.stagers.layers import as_images, as_row
from eegflex.stagers.passes import by_channels_last, quickest
from eegflex.stagers.recurrent import Layer, Recorded, layers_of, one_varies, recorded
from eegflex.stagers.stager import BoundStager, Stager
from eegflex.stagers.windowed import recorded_inputs
from eegflex.stagers.windows import DEFAULT_WINDOW_LENGTH, Length, Windows, clip_windows, split_window

if TYPE_CHECKING:
    from eegflex.preprocessing.segments import Segments

__all__ = ["GSSC", "load_gssc", "load_gssc_eeg", "load_gssc_eog"]


def load_gssc(signals: tuple[str, ...] = ("eeg", "eog")) -> GSSC:
    """Load GSSC with the weights that its package ships.

    Parameters
    ----------
    signals : tuple of str
        What it is given. It has a network for an EEG with an EOG signal, and one for each of them alone.

    Raises
    ------
    MissingExtraError
        If the package gssc is not installed.
    """
    if importlib.util.find_spec("gssc") is None:
        raise MissingExtraError("The stager GSSC needs the package gssc", "gssc")
    folder = Path(str(importlib.util.find_spec("gssc.networks").origin)).parent / "nets"  # type: ignore[union-attr]
    networks = _Networks(_load_pickled(folder / "sig_net_v1.pt"), _load_pickled(folder / "gru_net_v1.pt"), signals)
    return GSSC(networks, _contract(signals))


#: GSSC for recordings without an EOG, and without an EEG channel.
load_gssc_eeg, load_gssc_eog = partial(load_gssc, ("eeg",)), partial(load_gssc, ("eog",))


def _contract(signals: tuple[str, ...]) -> ModelSpec:
    """The spec of GSSC, or what is left of it where it is given fewer signals."""
    spec = load_spec("gssc")
    kept = [channel for channel in spec.channels if channel.name in signals]
    if len(kept) == len(spec.channels):
        return spec
    return spec.replace(
        name=f"{spec.name} ({', '.join(signals).upper()} only)",
        channels=tuple(dataclasses.replace(channel, without="") for channel in kept),
        layout={name: spec.layout[name] for name in signals},  # type: ignore[index]
    )


def _load_pickled(fname: Path) -> nn.Module:
    """Unpickle a network of the package, allowing exactly the classes that it is made of."""
    from gssc import networks
    from torch.nn.modules import activation, container, conv, dropout, linear, normalization, pooling, rnn

    def old_scalar(dtype: np.dtype[Any], data: bytes) -> Any:
        return np.frombuffer(data, dtype=dtype)[0]

    classes = [
        *(getattr(networks, name) for name in ("ResBlock", "ResBottleneck", "ResDecision", "ResMixer")),
        *(networks.ResSignal, networks.ResSleep, networks.SleepGRU),
        *(activation.LeakyReLU, activation.LogSoftmax, container.ModuleDict, container.Sequential, conv.Conv1d),
        *(dropout.Dropout, linear.Identity, linear.Linear, normalization.GroupNorm, pooling.AvgPool1d, rnn.GRU),
        *(np.dtype, np.dtypes.Int64DType, (old_scalar, "numpy.core.multiarray.scalar")),
    ]
    with torch.serialization.safe_globals(classes):
        network: nn.Module = torch.load(fname, map_location="cpu", weights_only=True)
    return network


class _Networks(nn.Module):
    """GSSC in three parts: a code of each signal, a code of the epoch, and the night's recurrent layers.

    Its own GroupNorm after the recurrent layers runs over (channels, batch), which couples the members of a batch; here it
    is applied to each epoch by itself, as in a night of batch size one.
    """

    def __init__(self, signal_net: Any, context_net: Any, names: tuple[str, ...]) -> None:
        super().__init__()
        self.names = names
        self.signals: Any = nn.ModuleDict({name: signal_net.sig_net[name] for name in names})
        self.mixer: Any = signal_net.mix_net[" ".join(names)]
        self.layers: Any = nn.ModuleList(_single_layers(context_net.gru))
        self.norm: Any = context_net.norm
        self.relu: Any = context_net.relu
        self.fc: Any = context_net.fc

    def signal_codes(self, signal: torch.Tensor, name: str) -> torch.Tensor:
        """(batch, time) -> (batch, code)."""
        found: torch.Tensor = self.signals[name](signal[:, None]).flatten(1)
        return found

    def mix(self, *codes: torch.Tensor) -> torch.Tensor:
        """Codes of the signals -> code of the epoch, (batch, 512)."""
        found: torch.Tensor = self.mixer(torch.hstack(codes)[..., None])[..., 0]
        return found

    def encode(self, segments: torch.Tensor) -> torch.Tensor:
        """(batch, signal, time) -> (batch, code)."""
        return self.mix(*(self.signal_codes(segments[:, place], name) for place, name in enumerate(self.names)))

    def head(self, states: torch.Tensor) -> torch.Tensor:
        """(batch, state) -> (batch, stage), log-probabilities."""
        return torch.log_softmax(self.fc(self.relu(self.norm(states))), dim=-1)

    def decode(self, codes: torch.Tensor, left: torch.Tensor, right: torch.Tensor, at: torch.Tensor) -> torch.Tensor:
        """Score one epoch of each window.

        Parameters
        ----------
        codes : Tensor, shape (batch, window_length, code)
        left, right : Tensor, shape (n_layers, batch, state)
            Forward states before the window, and backward states after it.
        at : Tensor of int64, shape (batch,)
            The epoch of the window to score.
        """
        states = codes
        for layer, before, after in zip(self.layers, left, right, strict=True):
            states, _ = layer(states, torch.stack([before, after]).contiguous())
        return self.head(states[torch.arange(len(at), device=at.device), at])

    def night(self, codes: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Scores of a whole run, (epoch, stage), and the output of each layer, (n_layers, epoch, 2 x state)."""
        states, outputs = codes[None], []
        for layer in self.layers:
            states, _ = layer(states)
            outputs.append(states[0])
        return self.head(states[0]), torch.stack(outputs)


def _single_layers(gru: nn.GRU) -> list[nn.GRU]:
    """A bidirectional GRU of many layers as single layers, which take a boundary state each."""
    layers = []
    for number in range(gru.num_layers):
        inputs = gru.input_size if number == 0 else 2 * gru.hidden_size
        layer = nn.GRU(inputs, gru.hidden_size, bidirectional=True, batch_first=True)
        own = {name: getattr(gru, name.replace("_l0", f"_l{number}")) for name, _ in layer.named_parameters()}
        layer.load_state_dict({name: value.detach() for name, value in own.items()})
        layers.append(layer)
    return layers


class GSSC(Stager):
    """GSSC: one EEG and one EOG signal, or one of them, explained for each EEG channel by itself.

    An epoch is explained in a window. At its edges the recurrent layers start from the states that the recorded night gave
    them, so that the scores are the night's own whatever the window_length; the gradients approach the night's as it grows.

    Parameters
    ----------
    module : torch.nn.Module
        Its networks.
    spec : ModelSpec
        Its contract.
    """

    module: _Networks

    def score(self, windows: torch.Tensor, at: torch.Tensor | None = None) -> torch.Tensor:
        """Score one epoch, by default the middle one, of windows that begin and end in silence (zero states)."""
        batch, window_length = windows.shape[:2]
        codes = self.module.encode(windows.flatten(0, 1)).unflatten(0, (batch, window_length))
        silence = codes.new_zeros(len(self.module.layers), batch, self.module.layers[0].hidden_size)
        middle = torch.full((batch,), window_length // 2, device=windows.device)
        return self.module.decode(codes, silence, silence, middle if at is None else at)

    def bind(self, segments: Segments, edges: str = "shift", window_length: int | None = None) -> list[BoundStager]:
        """GSSC on a recording, once for each EEG channel; the code of a channel is computed once."""
        images = {name: as_images(network) for name, network in self.module.signals.items()}
        shared = _Shared(layers_of(self.module.layers), images, as_images(self.module.mixer))
        length = DEFAULT_WINDOW_LENGTH if window_length is None else window_length
        windows = clip_windows(segments.run, *split_window(length))
        return [_BoundGSSC(self, segments, channels, windows, shared) for channels in segments.channel_sets]


@dataclass(frozen=True)
class _Shared:
    """What the channel sets of a recording have in common: the networks, and the codes of channels, once known."""

    layers: list[Layer]
    images: dict[str, nn.Module]
    mixer: nn.Module
    codes: dict[tuple[int, str], torch.Tensor] = field(default_factory=dict)


class _BoundGSSC(BoundStager):
    any_window = True

    def __init__(
        self,
        stager: GSSC,
        segments: Segments,
        channels: tuple[int, ...],
        windows: Windows,
        shared: _Shared,
    ) -> None:
        self.stager, self.channels, self.windows, self.shared = stager, channels, windows, shared
        self.signals = segments.signals
        self.n_beyond = 2 * len(stager.module.layers) * stager.module.layers[0].hidden_size
        self._night: tuple[torch.Tensor, torch.Tensor, torch.Tensor, Recorded] | None = None

    def with_window_length(self, window_length: Length) -> BoundStager:
        """The same with windows of another window_length."""
        other = copy.copy(self)
        other.windows = clip_windows(self.windows.run, *split_window(window_length))
        return other

    def _signal_codes(self, channel: int, name: str, progress: Callable[[int], None]) -> torch.Tensor:
        """Codes of a channel over the night. Batches come in the order of the recording, whatever is explained."""
        if (channel, name) not in self.shared.codes:

            def encode(signals: torch.Tensor) -> tuple[torch.Tensor]:
                code = self._code_of(signals.to(self.stager.like), name)
                progress(len(signals))
                return (code,)

            codes = self.shared.codes
            (codes[channel, name],) = BatchSize(FORWARD_BATCH)(encode, torch.from_numpy(self.signals[:, channel]))
        return self.shared.codes[channel, name]

    def _code_of(self, signals: torch.Tensor, name: str) -> torch.Tensor:
        module, shared = self.stager.module, self.shared
        function = partial(module.signal_codes, name=name)
        ways = by_channels_last(function, (signals,))
        if ways:
            ways = {"as images": lambda signals: shared.images[name](as_row(signals[:, None])).flatten(1), **ways}
        code: torch.Tensor = quickest(
            module, f"encode {name}", function, ways, (signals,), self.stager.spec.name, without_slopes=True
        )
        return code

    @torch.no_grad()
    def _recorded(
        self, progress: Callable[[int], None] = lambda _: None
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, Recorded]:
        """Codes (epoch, code), scores (epoch, stage), layer outputs (layer, epoch, 2 x state) of the night; first products."""
        if self._night is None:
            told = [progress, lambda _: None]  # an epoch counts once, however many signals it has
            own = [
                self._signal_codes(*signal)  # of a channel of several channel sets once
                for signal in zip(self.channels, self.stager.module.names, told, strict=False)
            ]
            codes = torch.cat(
                [self.stager.module.mix(*parts) for parts in zip(*(c.split(256) for c in own), strict=True)]
            )
            run = self.windows.run
            runs = [self.stager.module.night(codes[torch.from_numpy(run == number)]) for number in np.unique(run)]
            scores, outputs = torch.cat([own for own, _ in runs]), torch.cat([out for _, out in runs], dim=1)
            self._night = codes, scores, outputs, recorded(self.shared.layers, codes, outputs[0])
        return self._night

    def night_scores(self, progress: Callable[[int], None]) -> torch.Tensor:
        """Scores of the whole night, (epoch, stage), from one pass of the recurrent layers."""
        return self._recorded(progress)[1].cpu()

    def inputs(self, index: torch.Tensor) -> torch.Tensor:
        """Recorded segments of some epochs, (n, signal, time)."""
        return recorded_inputs(self.signals, list(self.channels), index).to(self.stager.like)

    def encode(self, segments: torch.Tensor) -> torch.Tensor:
        """Codes of variants of segments, (n, code)."""
        function = self.stager.module.encode
        ways = by_channels_last(function, (segments,))
        if ways:
            ways = {"as images": self._by_images, **ways}
        code: torch.Tensor = quickest(self.stager.module, "encode", function, ways, (segments,), self.stager.spec.name)
        return code

    def _by_images(self, segments: torch.Tensor) -> torch.Tensor:
        names, images = self.stager.module.names, self.shared.images
        codes = [images[name](as_row(segments[:, place, None])).flatten(1) for place, name in enumerate(names)]
        found: torch.Tensor = self.shared.mixer(torch.hstack(codes)[..., None, None])
        return found.flatten(1)

    def scored_as_in(self, other: BoundStager, index: torch.Tensor) -> torch.Tensor:
        """Score epochs as they are in another night: their codes are known there."""
        if not (isinstance(other, _BoundGSSC) and other.stager.module is self.stager.module):
            return super().scored_as_in(other, index)
        return self.decode(other._recorded()[0][index], index)

    def decode(self, codes: torch.Tensor, index: torch.Tensor) -> torch.Tensor:
        """Score variants of epochs by their codes."""
        index = index.cpu()
        groups = self.windows.together(index.numpy())
        return _in_groups(groups, lambda own: self._score(codes[own], index[own]))

    def __call__(self, segments: torch.Tensor, index: torch.Tensor) -> torch.Tensor:
        return self.decode(self.encode(segments), index)

    def _score(self, codes: torch.Tensor, index: torch.Tensor) -> torch.Tensor:
        """Score epochs whose windows are of one length but for the ends of runs."""
        ways = {"recorded steps": self._among_recorded}
        scores: torch.Tensor = quickest(
            self.stager.module,
            f"decode in {self.windows.full_length[int(index[0])]} epochs",
            self._by_torch,
            ways,
            (codes, index),
            self.stager.spec.name,
            without_slopes=True,
        )
        return scores

    def _by_torch(self, codes: torch.Tensor, index: torch.Tensor) -> torch.Tensor:
        groups = self.windows.alike(index.numpy())
        return _in_groups(groups, lambda own: self._decode(self._in_window(codes[own], index[own]), index[own]))

    def _among_recorded(self, codes: torch.Tensor, index: torch.Tensor) -> torch.Tensor:
        """The same, of no step more than varies: all windows are put around their targets."""
        night, windows, numbers = self._recorded()[3], self.windows, index.numpy()
        before = windows.at(numbers)
        after = windows.length[numbers] - 1 - before
        steps = np.arange(-before.max(), after.max() + 1)[:, None]
        there = (steps >= -before) & (steps <= after)
        members = torch.from_numpy((numbers + steps).clip(0, len(windows.run) - 1)).to(codes.device)
        within = None if there.all() else torch.from_numpy(there)
        edges, at = self._boundaries(index), int(before.max())
        return self.stager.module.head(one_varies(self.shared.layers, codes, night, members, edges, at, within))

    def beyond(self, index: torch.Tensor) -> torch.Tensor:
        """The states of the recurrent layers at both ends of the windows of some epochs, shape (n, n_beyond)."""
        states = torch.stack(self._boundaries(index.cpu()))
        return states.permute(2, 0, 1, 3).flatten(1)

    def score_windows(
        self, windows: torch.Tensor, index: torch.Tensor, beyond: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Score epochs while their whole windows vary, and the states at both ends of these if they are given."""
        index = index.cpu()
        codes = self.encode(windows.flatten(0, 1)).unflatten(0, windows.shape[:2])
        if beyond is None:
            return self._decode(codes, index)
        left, right = beyond.unflatten(1, (2, len(self.stager.module.layers), -1)).permute(1, 2, 0, 3)
        return self._decode(codes, index, (left.contiguous(), right.contiguous()))

    def _in_window(self, code: torch.Tensor, index: torch.Tensor) -> torch.Tensor:
        """Windows of recorded codes, with `code` in the place of their targets."""
        members = torch.from_numpy(self.windows.members(index.numpy()))
        own = (members == index[:, None])[..., None].to(code.device)
        return torch.where(own, code[:, None], self._recorded()[0][members])

    def _decode(
        self, codes: torch.Tensor, index: torch.Tensor, states: tuple[torch.Tensor, torch.Tensor] | None = None
    ) -> torch.Tensor:
        start = torch.from_numpy(self.windows.start)[index]
        left, right = self._boundaries(index) if states is None else states
        return self.stager.module.decode(codes, left, right, index - start)

    def _boundaries(self, index: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Recorded states before and after the windows of epochs, (layer, batch, state) each."""
        outputs = self._recorded()[2]
        size = outputs.shape[-1] // 2
        start, length = (torch.from_numpy(of)[index] for of in (self.windows.start, self.windows.length))
        return (
            self._boundary(outputs[..., :size], start - 1, index),
            self._boundary(outputs[..., size:], start + length, index),
        )

    def _boundary(self, states: torch.Tensor, at: torch.Tensor, index: torch.Tensor) -> torch.Tensor:
        """Recorded states at the epochs `at`, (layer, batch, state); zero outside the run of each epoch."""
        run = torch.from_numpy(self.windows.run)
        within = at.clamp(0, len(run) - 1)
        inside = (at == within) & (run[within] == run[index])
        return states[:, within] * inside[:, None].to(states.device)


def _in_groups(groups: list[npt.NDArray[np.intp]], score: Callable[[torch.Tensor], torch.Tensor]) -> torch.Tensor:
    """Score groups of rows, of which each has its place."""
    places = [torch.from_numpy(group) for group in groups]
    parts = [score(own) for own in places]
    return parts[0] if len(parts) == 1 else torch.cat(parts)[torch.argsort(torch.cat(places))]
