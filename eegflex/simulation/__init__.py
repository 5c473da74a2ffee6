"""Simulated nights: sources in a head, the rhythms and events of sleep, and what is known of each of them."""

from eegflex.simulation.simulate import SimulatedPSG, simulate_psg

__all__ = ["SimulatedPSG", "simulate_psg"]
