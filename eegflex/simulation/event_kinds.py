"""The kinds of events of a night: what each looks like, where it comes from, when it comes, and how often.

Sources, unless a line says otherwise: the definitions (frequency, duration, place, stage) are those of the AASM manual for
the scoring of sleep and associated events; amplitudes, and rates that no source is given for, are chosen so that the pages
look like those of a young adult.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from eegflex.simulation import waves
from eegflex.simulation.sources import Chin, Cortex, Eyes, Source

__all__ = ["KINDS", "EventKind", "Form"]

BURST_SPREAD = 0.4  # sd of the log rate between epochs


@dataclass(frozen=True)
class Form:
    """One of the forms in which a kind of event comes.

    Attributes
    ----------
    source : Source
        Where it comes from.
    frequency : tuple of float
        Mean and standard deviation in Hz; empty for what has no frequency.
    share : float
        How often it is this form.
    personal : float
        Standard deviation in Hz of the frequency between persons (seeds).
    phase : float
        For what is drawn to a carrier: the share of the carrier's duration at which the middle of the event comes.
    """

    source: Source
    frequency: tuple[float, ...] = ()
    share: float = 1.0
    personal: float = 0.0
    phase: float = 0.0


@dataclass(frozen=True)
class EventKind:
    """How one kind of event comes.

    Attributes
    ----------
    wave : callable
        ``wave(times, duration, frequency, rng)``: the event's course with peak 1; times in s from its onset.
    rates : dict
        State (`states.TURNS`; the stage where it has no turns) -> events a minute where they come (a Poisson process with
        dead time).
    amplitude : float
        Median of the peak in µV, in the channel of the standard montage with the largest weight.
    forms : tuple of Form
        The forms it comes in.
    duration : tuple of float
        Shortest and longest, in s; empty where the duration is one period.
    spread : float
        Standard deviation of the log amplitude.
    floor : float
        Least amplitude in µV: what is smaller is not called so.
    gap : float
        Shortest pause after an event, in s.
    burst : float
        Standard deviation of the log rate between epochs.
    factors : dict
        Stage -> factor on the amplitude there, 1 where it is not named.
    speed : tuple of float
        Slowest and fastest at which its source travels from the front to the back, in m/s; empty where it stays.
    carrier : str
        The kind of event that this one is drawn to; "" for none.
    drawn : float
        Share of the events that are moved to the nearest carrier, where one is near.
    follows : str
        The kind whose events this one comes with, and never alone (`rates` are then the shares of them); "" for none.
    """

    wave: Callable[[NDArray[np.float64], float, float, np.random.Generator], NDArray[np.float64]]
    rates: Mapping[str, float]
    amplitude: float
    forms: tuple[Form, ...]
    duration: tuple[float, ...] = ()
    spread: float = 0.25
    floor: float = 0.0
    gap: float = 0.3
    burst: float = BURST_SPREAD
    factors: Mapping[str, float] = field(default_factory=dict)
    speed: tuple[float, ...] = ()
    carrier: str = ""
    drawn: float = 0.0
    follows: str = ""

    @property
    def stages(self) -> set[str]:
        """The stages in which it comes."""
        return {state.split()[0] for state in self.rates}


_REM = ("REM tonic", "REM phasic")
_GAZE = Eyes(across=1.0, up=0.25)  # rapid eye movements are mostly horizontal

KINDS = {
    # Occipital, with closed eyes, blocked within a second of their opening (Berger; Barry et al. 2007, Clin Neurophysiol
    # 118:2765); what is left of it in N1 fills less than half an epoch.
    "alpha": EventKind(
        waves.rhythm, {"W closed": 26.0, "N1": 1.0}, 36.0,
        (Form(Cortex(("Oz", "POz"), 30.0, 9.0), (10.0, 0.4), personal=0.5),), (2.0, 14.0), gap=0.2,
        factors={"N1": 0.6},
    ),
    "theta": EventKind(
        waves.rhythm, {"N1": 14.0, "N2": 4.0} | dict.fromkeys(_REM, 8.0), 17.0,
        (Form(Cortex(("Fz", "Cz", "C3", "C4", "CPz"), 34.0), (5.6, 0.7)),), (0.8, 3.0), gap=0.2, factors={"REM": 0.75},
    ),
    "vertex_wave": EventKind(
        waves.vertex, {"N1": 4.0}, 55.0, (Form(Cortex(("Cz",), 26.0)),), (0.2, 0.4), gap=1.0,
    ),
    # Negative half-wave first, over 75 µV from peak to peak (AASM manual), 0.5 to 1 Hz and above; one a second in deep
    # sleep, from prefrontal sites backwards at 1.2 to 7 m/s (Massimini et al. 2004, J Neurosci 24:6862).
    "slow_wave": EventKind(
        waves.slow_wave, {"N3": 34.0, "N2": 2.0}, 80.0,
        (Form(Cortex(("Fz", "AFz", "Fpz"), 45.0, 8.0), (0.85, 0.15)),), gap=0.05, spread=0.25, floor=46.0,
        factors={"N2": 0.75}, speed=(1.2, 7.0),
    ),
    "k_complex": EventKind(  # at least 0.5 s, frontal
        waves.k_complex, {"N2": 1.4}, 105.0, (Form(Cortex(("Fz", "AFz"), 45.0, 8.0)),), (0.7, 1.3), gap=4.0,
        speed=(1.2, 7.0), floor=60.0,
    ),
    # 2.7 +- 2.1 a minute of N2; slow ones (11.5 to 14 Hz) in front, fast ones (14 to 16) centro-parietal (Zeitlhofer et al.
    # 1997, J Sleep Res 6:149). Many ride on slow oscillations: fast ones on the up-state, slow ones on the way down from it
    # (Mölle et al. 2011, Sleep 34:1411).
    "spindle": EventKind(
        waves.spindle, {"N2": 4.2, "N3": 1.6}, 30.0,
        (
            Form(Cortex(("Cz", "C1", "C2", "CPz", "CP1", "CP2"), 30.0, 6.0), (14.0, 0.4), 0.65, 0.25, phase=0.75),
            Form(Cortex(("Fz", "F1", "F2", "AFz"), 30.0, 6.0), (12.1, 0.35), 0.35, 0.2, phase=1.0),
        ),
        (0.6, 1.8), gap=1.5, carrier="slow_wave", drawn=0.4, floor=18.0,
    ),
    # Rapid ones: the first deflection lasts less than 0.5 s; slow ones: more, regular, sinusoidal.
    "eye_movement_rapid": EventKind(
        waves.saccade, {"REM phasic": 22.0, "REM tonic": 3.0, "W open": 14.0}, 75.0, (Form(_GAZE),), (0.4, 1.4), gap=0.1,
        spread=0.4, burst=0.6,
    ),
    "eye_movement_slow": EventKind(
        waves.slow_gaze, {"N1": 5.0, "W closed": 2.0}, 60.0, (Form(_GAZE, (0.3, 0.05)),), (4.0, 9.0), gap=0.5,
    ),
    "blink": EventKind(  # some 15 to 20 a minute in rest (Bentivoglio et al. 1997, Mov Disord 12:1028)
        waves.blink, {"W open": 20.0}, 110.0, (Form(Eyes(across=0.0, up=0.1, rise=1.0)),), (0.25, 0.45),
    ),
    # Fronto-central bursts of notched 2.5 to 3 Hz waves, with rapid eye movements (Bernardi et al. 2019, J Neurosci
    # 39:2686); 2 to 6 Hz by the AASM manual.
    "sawtooth": EventKind(
        waves.sawtooth, {"REM phasic": 2.5, "REM tonic": 0.4}, 26.0,
        (Form(Cortex(("Cz", "FCz", "Fz"), 32.0), (2.8, 0.35)),), (2.0, 6.0), gap=2.0,
    ),
    "twitch": EventKind(  # bursts of less than 0.25 s on a silent chin
        waves.muscle, {"REM phasic": 8.0, "REM tonic": 0.5}, 18.0, (Form(Chin()),), (0.08, 0.25), gap=0.1, spread=0.5,
        burst=0.6,
    ),
    # 14.7 an hour in young adults, many of them of 15 s (Boselli et al. 1998, Sleep 21:351); 3 to 15 s by the AASM manual.
    "arousal": EventKind(
        waves.alerted, {"N1": 0.35, "N2": 0.28, "N3": 0.06} | dict.fromkeys(_REM, 0.25), 32.0,
        (Form(Cortex(("Cz", "CPz", "POz", "FCz"), 40.0), (9.8, 0.7)),), (3.0, 12.0), gap=10.0,
    ),
    "chin_arousal": EventKind(  # the rise of the chin's tone that an arousal in REM must have, and others often do
        waves.muscle, {"N1": 0.8, "N2": 0.6, "N3": 0.5} | dict.fromkeys(_REM, 1.0), 28.0, (Form(Chin()),), spread=0.4,
        follows="arousal",
    ),
}  # fmt: skip
