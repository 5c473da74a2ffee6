"""Simulated nights: sources in a head model, with known rhythms and events of sleep."""

from eegflex.simulation.simulate import SimulatedPSG, simulate_psg

__all__ = ["SimulatedPSG", "simulate_psg"]
