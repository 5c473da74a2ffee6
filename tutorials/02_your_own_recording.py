"""
Your own EDF and hypnogram
==========================

Recordings from clinics have labels, units and codes of their own. eegflex reads what is unambiguous. Where a file can
be read in two ways, it stops and lists them: a unit that is wrong by a factor of a thousand, or a 4 that is read as
REM although it was N3, would give an explanation that looks good and is wrong.

We make two such files from a **simulated** night, as an older laboratory might have exported them, and read them as
you would read your own.
"""

# %%
# Two typical files
# -----------------
# The recording has the old names of the mastoids, A1 and A2; its eye channels are called LOC and ROC; and the unit of
# its chin EMG is empty. The hypnogram is a table of R&K numbers. It begins at lights out, four minutes after the
# recording.

import tempfile
from datetime import datetime
from pathlib import Path

import matplotlib.pyplot as plt
import mne
import numpy as np
import pandas as pd
import pyedflib.highlevel

import eegflex

mne.set_log_level("warning")

night = eegflex.simulate_psg(hours=2.5, sfreq=128, seed=3)
folder = Path(tempfile.mkdtemp())
psg, scoring = folder / "PSG_0042.edf", folder / "PSG_0042_stages.csv"

labels = {
    "F4-M1": "EEG F4-A1",
    "C3-M2": "EEG C3-A2",
    "C4-M1": "EEG C4-A1",
    "O2-M1": "EEG O2-A1",
    "E1-M2": "LOC-A2",
    "E2-M2": "ROC-A2",
    "Chin1-Chin2": "EMG Chin",
}
signals = night.raw.get_data(picks=list(labels)) * 1e6
headers = [
    pyedflib.highlevel.make_signal_header(
        label,
        dimension="" if "EMG" in label else "uV",
        sample_frequency=128,
        physical_min=-2000,
        physical_max=2000,
    )
    for label in labels.values()
]
header = pyedflib.highlevel.make_header(startdate=datetime(2001, 3, 14, 22, 30))
pyedflib.highlevel.write_edf(str(psg), signals.clip(-2000, 2000), headers, header)

LIGHTS_OUT = 8  # epochs
codes = {"W": 0, "N1": 1, "N2": 2, "N3": 4, "REM": 5}
scored = [codes[stage] for stage in night.hypnogram[LIGHTS_OUT:]]
table = pd.DataFrame(
    {"onset": 30 * np.arange(LIGHTS_OUT, len(night.hypnogram)), "duration": 30, "stage": scored}
)
table.to_csv(scoring, index=False)

# %%
# Look before you read
# --------------------
# ``describe_psg``, or ``eegflex info PSG_0042.edf`` in a shell, shows what is in the file and which channels would be
# picked. Check the columns *type*, *role* and *unit*: is every channel recognised correctly?

print(eegflex.readers.describe_psg(psg).to_text())

# %%
# Units
# -----
# A channel without a unit is left out, because its unit cannot be guessed. ``units={"EMG Chin": "uV"}`` sets it, here
# and below.
#
# Codes
# -----
# The hypnogram contains 0, 1, 2, 4 and 5. In R&K numbering, 4 is deep sleep; in tables that follow the AASM, 4 is
# REM. The file does not say which, so eegflex raises an error and shows what each reading would mean for the night:

try:
    eegflex.read_psg(psg, hypnogram=scoring)
except eegflex.EegflexError as problem:
    print(problem)

# %%
# You know the laboratory, so you can say which it is, and add the missing unit. (For other codes or labels, use
# ``labels={"1": "REM", ...}``.)

raw = eegflex.read_psg(psg, hypnogram=scoring, coding="rk", units={"EMG Chin": "uV"})
raw

# %%
# What was done is stored with the recording: the role of each signal, and how the hypnogram was aligned with it.

notes = eegflex.readers.get_notes(raw.info)
print(notes.roles)
print(notes.alignment)

# %%
# Lights out
# ----------
# The epochs before lights out have no stage and are called ``UNSCORED``. A network may stage them, but they are not
# compared with the hypnogram.

epochs = eegflex.make_epochs(raw)
epochs.metadata["stage"].value_counts(sort=False)

# %%
# Other formats use the same call: EDF+ annotations, NSRR and Compumedics XML, text lists, WFDB and a dozen more are
# recognised from their content. For public data sets there are profiles that know their labels: ``eegflex datasets``
# lists them, and ``read_psg(..., profile="shhs")`` uses one. A profile for your own laboratory is ten lines of TOML.
#
# Do the two files belong together?
# ---------------------------------
# One figure tells. Below the hypnogram is the spectrum of each 30-s epoch, relative to the median of each frequency
# over the night. In deep sleep, low frequencies must be strong; in N2, spindles give bright spots between 12 and 15
# Hz. If the hypnogram is shifted, or belongs to another night, stages and spectra do not match.

# sphinx_gallery_thumbnail_number = -1
power = epochs.compute_psd(method="welch", fmin=0.5, fmax=20, n_fft=512, picks="EEG C4-A1")
decibels = 10 * np.log10(power.get_data()[:, 0])
decibels -= np.median(decibels, axis=0)

order = ["N3", "N2", "N1", "REM", "W"]
hours = epochs.metadata["onset"].to_numpy() / 3600
height = [order.index(stage) if stage in order else np.nan for stage in epochs.metadata["stage"]]

fig, (above, below) = plt.subplots(
    2, 1, sharex=True, figsize=(10, 5.5), height_ratios=[1, 2], layout="constrained"
)
above.step(hours, height, where="post", color="0.2")
above.axvline(LIGHTS_OUT / 120, color="0.5", linestyle=":")
above.text(LIGHTS_OUT / 120, 4.1, " lights out", color="0.4", va="bottom")
above.set(yticks=range(5), yticklabels=order, ylabel="Scored", ylim=(-0.4, 4.9))
above.spines[["top", "right"]].set_visible(False)
image = below.pcolormesh(
    hours,
    power.freqs,
    decibels.T,
    cmap="RdBu_r",
    vmin=-10,
    vmax=10,
    shading="nearest",
    rasterized=True,
)
below.set(ylabel="Frequency (Hz)", xlabel="Time from the start of the recording (h)")
fig.colorbar(image, ax=below, label="Power, to the night's median (dB)")
fig.suptitle("Hypnogram and spectrum of EEG C4-A1 (simulated)")
plt.show()
