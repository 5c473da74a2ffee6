"""FLEX on plain arrays, with the signature of freqIG."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from eegflex.attribution.paths import Paths, average_gradients
from eegflex.attribution.quadrature import FixedNodes, gauss_legendre
from eegflex.attribution.spectra import attribution_in_frequency, with_phases_of
from eegflex.errors import ModelError, ParameterError
from eegflex.settings import MOST_STEPS
from eegflex.stagers.batches import BatchSize, fitting_batch
from eegflex.stagers.copies import own_copy
from eegflex.stagers.modules import rnn_safe
from eegflex.utils.given import Span, check_count, whole_number

__all__ = ["attribute"]


def attribute(
    input: Any,  # noqa: A002  (freqIG's name)
    model: Callable[..., torch.Tensor],
    target: int | None = None,
    baseline: Any = None,
    n_steps: int = 50,
    segment: Any = None,
    start_idx: int | None = None,
    additional_forward_args: Any = None,
) -> npt.NDArray[np.float64]:
    """Attribute one class score of a network to the frequencies of its input.

    For arrays without labels, with the signature of freqIG; `eegflex.attribute_epochs` is the verb for recordings, and
    returns stages, frequencies in Hz and completeness gaps as well.

    Parameters
    ----------
    input : array-like, shape (..., n_times)
        One sample, as the model takes it, without a batch axis or with one of length 1.
    model : torch.nn.Module | callable
        Maps a batch of samples to scores, shape (batch, n_classes). A module is copied: the caller's is left in its mode,
        on its device, with its gradients.
    target : int | None
        Index of the class to explain. By default the class that the model predicts.
    baseline : array-like | None
        Signal whose magnitudes the path begins with, of the shape of `input` or, when one is given, of `segment`. Its
        phases are not used: along the path the phases are those of the signal explained. By default silence.
    n_steps : int
        Nodes of the Gauss-Legendre rule on the path.
    segment : array-like, shape (..., n_segment) | None
        The part of the input that is explained; it stands in the input at `start_idx`, in place of what is there. The
        rest of the input, its context, moves along the same path, from silence (or from the samples of a baseline of
        the input's shape) to the input as given.
    start_idx : int | None
        Sample at which the segment begins.
    additional_forward_args : object | tuple | None
        Further arguments of the model. A tensor whose first axis has length 1 is expanded to the batch.

    Returns
    -------
    attribution : array, shape (..., n_freqs)
        ``n_freqs`` is ``n // 2 + 1`` for n samples explained, odd or even; leading axes of length 1 are dropped. Its sum,
        together with that of the context, is the score of the input less that of the baseline.

    Raises
    ------
    ParameterError
        A ``ValueError``: if a segment comes without its start, exceeds the input or is not of its channels, if the
        baseline's shape is neither the input's nor the segment's, or the target is not one of the classes.
    ModelError
        If the model fails on the input, or cannot be differentiated.

    See Also
    --------
    eegflex.attribute_epochs : Explain the stages.

    Notes
    -----
    FLEX [1]_: Integrated Gradients [2]_ over the magnitudes of the rfft, its phases held fixed. That path is a
    straight line in time, so the network is differentiated in time and one FFT does the rest.

    References
    ----------
    .. [1] Gräve P., Steinbrinker T., Ehrlich F., Hempel P., Zaschke P., Krefting D., Spicher N. (2025). Using EEG frequency
       attributions to explain the classifications of a deep neural network for sleep staging.
    .. [2] Sundararajan M., Taly A., Yan Q. (2017). Axiomatic attribution for deep networks. Proceedings of the 34th
       International Conference on Machine Learning, PMLR 70:3319-3328.

    Examples
    --------
    Of a score that is linear in the signal, a sine of 3 cycles speaks at bin 3, and the sum is the change of the score:

    >>> import numpy as np, torch, eegflex
    >>> sine = np.sin(2 * np.pi * 3 * np.arange(64) / 64)
    >>> network = torch.nn.Linear(64, 1, bias=False)
    >>> with torch.no_grad():
    ...     _ = network.weight.copy_(torch.from_numpy(sine))
    >>> attribution = eegflex.attribute(sine, network, target=0)
    >>> int(attribution.argmax()), round(float(attribution.sum()), 3)
    (3, 32.0)
    """
    check_count("n_steps", n_steps, Span(1, MOST_STEPS))
    module = own_copy(model)
    like = _like(module)
    sample = _array(input, "input").to(like)
    window = _window(sample, segment, start_idx, baseline)
    extra = _as_tuple(additional_forward_args)
    with rnn_safe(module):
        shape = _sample_shape(module, window.signal, extra)
        n_times = window.signal.shape[-1]
        x, x_b = (part.reshape(1, -1, n_times) for part in (window.signal, window.baseline))

        def scores(variants: torch.Tensor, _: torch.Tensor) -> torch.Tensor:
            return module(variants.reshape(len(variants), *shape), *_expanded(extra, len(variants)))

        weights = _weights(scores(x, torch.zeros(1, dtype=torch.long)), target)
        paths = Paths(scores, x, x_b, weights[:, None], BatchSize(fitting_batch(scores, x)))
        nodes, unknown = FixedNodes(gauss_legendre(int(n_steps))), torch.full((1, 1), torch.nan)
        ((_, path),) = average_gradients(paths, lambda _: nodes, unknown)
    part = slice(window.start, window.start + window.length)
    change = (x - x_b)[0].to(path.gradient.dtype)[..., part]
    attribution = attribution_in_frequency(change, path.gradient[0, ..., part]).cpu().numpy()
    return attribution.reshape(*_without_leading_ones(sample.shape[:-1]), -1)


@dataclass(frozen=True)
class _Window:
    """The whole input with its segment in place, where the path begins, and which samples are explained."""

    signal: torch.Tensor
    baseline: torch.Tensor
    start: int
    length: int


def _window(sample: torch.Tensor, segment: Any, start_idx: int | None, baseline: Any) -> _Window:
    explained, start = sample, 0
    if segment is None and start_idx is not None:
        raise ParameterError(
            "start_idx says where a segment begins, and there is none",
            seen=f"start_idx {start_idx!r:.80}",
            remedy="Give the segment, or leave start_idx out",
        )
    if segment is not None:
        explained, start = _segment(sample, segment, start_idx)
    part = slice(start, start + explained.shape[-1])
    signal = sample.clone()
    signal[..., part] = explained
    begin = torch.zeros_like(signal)
    magnitudes = torch.zeros_like(explained)
    if baseline is not None:
        given = _array(baseline, "baseline").to(sample)
        if given.shape[1:] in (sample.shape, explained.shape) and given.shape[0] == 1:
            given = given[0]
        if given.shape == sample.shape:
            begin, magnitudes = given.clone(), given[..., part]
        elif given.shape == explained.shape:
            magnitudes = given
        else:
            raise ParameterError(
                "The baseline's shape fits neither the input nor the segment",
                seen=tuple(given.shape),
                allowed=sorted({tuple(sample.shape), tuple(explained.shape)}),
            )
    begin[..., part] = with_phases_of(explained, torch.fft.rfft(magnitudes).abs())
    return _Window(signal, begin, start, explained.shape[-1])


def _segment(sample: torch.Tensor, segment: Any, start_idx: int | None) -> tuple[torch.Tensor, int]:
    """The segment in the shape of the sample's channels, and where it begins."""
    if start_idx is None:
        raise ParameterError("start_idx is missing", remedy="Give the sample of the input at which the segment begins")
    given = _array(segment, "segment").to(sample)
    channels = sample.shape[:-1]
    if _without_leading_ones(given.shape[:-1]) != _without_leading_ones(channels):
        raise ParameterError(
            "The segment must have the channels of the input",
            seen=tuple(given.shape),
            allowed=f"{(*channels, given.shape[-1])}",
        )
    latest, start = sample.shape[-1] - given.shape[-1], whole_number(start_idx)
    if start is None or not 0 <= start <= latest:
        raise ParameterError(
            "The segment exceeds the input",
            seen=f"start_idx {start_idx!r:.80} and {given.shape[-1]} samples",
            allowed=f"0 <= start_idx <= {latest}" if latest >= 0 else f"at most {sample.shape[-1]} samples",
        )
    return given.reshape(*channels, -1), start


def _array(values: Any, name: str) -> torch.Tensor:
    try:
        array = (
            values.detach()
            if isinstance(values, torch.Tensor)
            else torch.from_numpy(np.array(values, dtype=np.float64))
        )
    except (TypeError, ValueError) as error:
        raise ParameterError(f"{name} is not an array of numbers", seen=type(values).__name__) from error
    if array.ndim == 0 or array.numel() == 0:
        raise ParameterError(f"{name} is empty", seen=tuple(array.shape))
    if not torch.isfinite(array).all():
        raise ParameterError(f"{name} is not finite", remedy="Replace NaN and infinite samples")
    return array


def _like(module: Any) -> torch.Tensor:
    """An empty tensor on the module's device, of its precision."""
    parameters = module.parameters() if isinstance(module, nn.Module) else iter(())
    return next((p for p in parameters if p.is_floating_point()), torch.empty(0))[:0]


def _sample_shape(module: Callable[..., torch.Tensor], signal: torch.Tensor, extra: tuple[Any, ...]) -> tuple[int, ...]:
    """The sample's shape as the model takes it: as given, else without leading axes of length one.

    Raises
    ------
    ModelError
        If the model takes neither.
    """
    shapes = list(dict.fromkeys([tuple(signal.shape), *_dropping_ones(tuple(signal.shape))]))
    reasons = []
    for shape in shapes:
        try:
            with torch.no_grad():
                returned = module(signal.reshape(1, *shape), *_expanded(extra, 1))
        except (RuntimeError, ValueError, TypeError, IndexError, AssertionError) as error:
            reasons.append(f"on shape {(1, *shape)}: {error}")
            continue
        if isinstance(returned, torch.Tensor) and returned.ndim == 2 and returned.shape[0] == 1:
            return shape
        reasons.append(f"on shape {(1, *shape)}: it did not return scores of shape (1, n_classes)")
    if not callable(module):
        raise ModelError("The model cannot be called", seen=type(module).__name__)
    raise ModelError(
        f"The model failed {'; '.join(reasons)}",
        remedy="Give one sample in the shape that the model takes, without its batch axis",
    )


def _dropping_ones(shape: tuple[int, ...]) -> list[tuple[int, ...]]:
    shapes = []
    while len(shape) > 1 and shape[0] == 1:
        shape = shape[1:]
        shapes.append(shape)
    return shapes


def _without_leading_ones(shape: torch.Size | tuple[int, ...]) -> tuple[int, ...]:
    shape = tuple(shape)
    while shape and shape[0] == 1:
        shape = shape[1:]
    return shape


def _as_tuple(extra: Any) -> tuple[Any, ...]:
    if extra is None:
        return ()
    return tuple(extra) if isinstance(extra, tuple | list) else (extra,)


def _expanded(extra: tuple[Any, ...], batch: int) -> tuple[Any, ...]:
    return tuple(
        value.expand(batch, *value.shape[1:])
        if isinstance(value, torch.Tensor) and value.ndim and value.shape[0] == 1
        else value
        for value in extra
    )


def _weights(scores: torch.Tensor, target: int | None) -> torch.Tensor:
    n_classes = scores.shape[1]
    index = int(scores.argmax()) if target is None else target
    place = whole_number(index)
    if place is None or not 0 <= place < n_classes:
        raise ParameterError(
            "target must be a class of the model",
            seen=f"{target!r:.80}",
            allowed=f"0 to {n_classes - 1}, or None for the predicted one",
        )
    return torch.eye(n_classes, dtype=scores.dtype, device=scores.device)[place][None]
