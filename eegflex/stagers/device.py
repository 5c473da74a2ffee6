"""Where a stager computes, and in which precision."""

from __future__ import annotations

import torch

from eegflex.errors import ParameterError

__all__ = ["check_device", "named_device"]


def named_device(wanted: str | torch.device) -> torch.device:
    """A device by its name, on whatever machine it is."""
    try:
        device = torch.device(wanted)
    except (RuntimeError, TypeError) as error:
        raise ParameterError("The device does not exist", seen=repr(wanted), allowed=["cpu", "cuda", "mps"]) from error
    if device.type == "meta":
        raise ParameterError("This device computes nothing", seen=str(device), allowed=["cpu", "cuda", "mps"])
    return device


def check_device(wanted: str | torch.device, dtype: torch.dtype) -> torch.device:
    """A device that is there, and has the precision."""
    device = named_device(wanted)
    if device.type == "mps" and dtype == torch.float64:
        raise ParameterError(
            "Apple's GPUs have no float64", seen=str(device), remedy="Use dtype='float32' or device='cpu'"
        )
    if device.type == "cuda" and not torch.cuda.is_available():
        raise ParameterError("No CUDA device is available", seen=str(device), remedy="Use device='cpu'")
    return device
