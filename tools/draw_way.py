"""Draw the four pictures of the home page, the way from a recording to an answer, from a simulated night.

python tools/draw_way.py docs/images

Each is an SVG that stands in the page itself, without a background, with lines and letters in the page's own colour: so it can
be read in the light and in the dark, and on a telephone.
"""

import io
import re
import sys
from collections.abc import Callable
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib import pyplot as plt
from matplotlib.axes import Axes

import eegflex
from eegflex.results.intervals import blocks_of, median_interval

mpl.use("agg")

STAGES = ("W", "N1", "N2", "N3", "REM")
#: Of the epoch that is shown; readable on white and on black.
FOR, AGAINST, QUIET = "#e0503c", "#3f87d9", "#888888"
COLOURS = {"W": "#b8860b", "N1": "#5d9148", "N2": "#3f87d9", "N3": "#7b5bc4", "REM": "#e0503c"}
#: Stands for the colour of the page's letters.
INK = "#010203"
STYLE = {
    "svg.fonttype": "none",
    "font.size": 11,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "lines.color": INK,
}


def main(folder: str) -> None:
    """Draw them."""
    psg = eegflex.simulate_psg(hours=1.5, sfreq=128, seed=1, verbose="error")
    night = eegflex.stage_epochs(eegflex.make_epochs(psg.raw, verbose="error"), "bandpower", verbose="error")
    result = eegflex.attribute_epochs(night, verbose="error")
    number = epoch_of_spindles(psg, night)
    pictures: dict[str, tuple[str, Callable[[Axes], None]]] = {
        "way_recording": (
            "30 seconds of three signals, and the night's hypnogram",
            lambda ax: recording(ax, psg, number),
        ),
        "way_stages": ("The probability of each stage over the night", lambda ax: stages(ax, night, number)),
        "way_attribution": (
            "What each frequency of C4-M1 did to the score of N2",
            lambda ax: attribution(ax, result, number),
        ),
        "way_answer": ("Sigma at C4-M1, by stage, with intervals", lambda ax: answer(ax, result)),
    }
    with mpl.rc_context(STYLE):
        for name, (title, draw) in pictures.items():
            fig, ax = plt.subplots(figsize=(4.0, 2.3), layout="constrained")
            draw(ax)
            (Path(folder) / f"{name}.svg").write_text(in_page(fig, title), "utf-8")
            plt.close(fig)


def epoch_of_spindles(psg: eegflex.simulation.SimulatedPSG, night: eegflex.StagedNight) -> int:
    """The epoch that was staged N2 and has the most spindles."""
    spindles = psg.events.query("kind == 'spindle'")
    n = np.bincount((spindles["onset"] // 30).astype(int), minlength=len(night))[: len(night)]
    return int(np.where(night.predicted == "N2", n, -1).argmax())


def recording(ax: Axes, psg: eegflex.simulation.SimulatedPSG, number: int) -> None:
    """Three signals of one epoch, and below them the stages of the night."""
    names = ["C4-M1", "E1-M2", "Chin1-Chin2"]
    raw = (
        psg.raw.copy().crop(30 * number, 30 * number + 30, include_tmax=False).pick(names).resample(64, verbose="error")
    )
    for row, (name, signal, scale) in enumerate(zip(names, raw.get_data() * 1e6, (150, 250, 60), strict=True)):
        ax.plot(raw.times, signal / scale - row, color=INK, linewidth=0.6)
        ax.text(-0.6, -row, name.replace("Chin1-Chin2", "chin"), ha="right", va="center")
    heights = {"W": -3.0, "REM": -3.25, "N1": -3.5, "N2": -3.75, "N3": -4.0}
    places = np.linspace(0, 30, len(psg.hypnogram) + 1)
    ax.stairs([heights[str(stage)] for stage in psg.hypnogram], places, baseline=None, color=FOR, linewidth=1.6)
    ax.text(-0.6, -3.5, "stages", ha="right", va="center")
    ax.set(xlim=(0, 30), ylim=(-4.15, 0.7))
    ax.axis("off")


def stages(ax: Axes, night: eegflex.StagedNight, number: int) -> None:
    """The hypnodensity, with the epoch that is explained."""
    minutes = (np.arange(len(night)) + 0.5) / 2
    ax.stackplot(minutes, night.probabilities.T, colors=[COLOURS[stage] for stage in STAGES], linewidth=0)
    ax.annotate(
        "this epoch",
        (minutes[number], 1),
        (minutes[number], 1.16),
        ha="center",
        arrowprops={"arrowstyle": "-|>", "color": INK},
    )
    ax.set(xlim=(0, minutes[-1]), ylim=(0, 1), yticks=[0, 1], xlabel="Time (min)", ylabel="Probability")
    for place, stage in enumerate(STAGES):
        ax.text(1.03, 0.1 + 0.2 * place, "■", transform=ax.transAxes, color=COLOURS[stage], va="center")
        ax.text(1.09, 0.1 + 0.2 * place, stage, transform=ax.transAxes, va="center")


def attribution(ax: Axes, result: eegflex.FlexResult, number: int) -> None:
    """Attribution to frequencies, in steps of half a hertz."""
    view = result.to_xarray()["frequency_view"]
    place = int(np.flatnonzero(view["number"].to_numpy() == number)[0])
    one = view[place, result.ch_names.index("C4-M1")]
    edges = np.arange(0.25, 20.5, 0.5)
    sums = np.array([one[(one["freq"] >= a) & (one["freq"] < a + 0.5)].sum().item() for a in edges[:-1]])
    ax.bar(edges[:-1] + 0.25, sums, 0.42, color=np.where(sums >= 0, FOR, AGAINST))
    ax.axhline(0, color=INK, linewidth=0.8)
    ax.set(xlim=(0, 20.5), xlabel="Frequency (Hz)", ylabel="Attribution to N2")
    for name, middle in {"delta": 2.25, "theta": 6, "alpha": 10, "sigma": 14}.items():
        ax.text(middle, 1.0, name, transform=ax.get_xaxis_transform(), ha="center", va="bottom", color=INK)


def answer(ax: Axes, result: eegflex.FlexResult) -> None:
    """Sigma in each epoch, and the median of each stage with its interval."""
    rows = result.to_data_frame().query("band == 'sigma' and channel == 'C4-M1'")
    chance = np.random.default_rng(0)
    labels = []
    for place, stage in enumerate(STAGES):
        of_stage = rows[rows["predicted"] == stage]
        values = of_stage["attribution"].to_numpy()
        ax.scatter(place + chance.uniform(-0.25, 0.25, len(values)), values, 5, color=QUIET, linewidths=0)
        blocks = blocks_of(of_stage["onset"].to_numpy(), of_stage["recording"].to_numpy())
        low, high = median_interval(values[:, None], blocks)
        ax.plot([place, place], [low[0], high[0]], color=COLOURS[stage], linewidth=4, solid_capstyle="butt")
        ax.plot([place - 0.3, place + 0.3], [np.median(values)] * 2, color=COLOURS[stage], linewidth=2)
        labels.append(f"{stage}\n{len(values)}")
    ax.axhline(0, color=INK, linewidth=0.8)
    ax.set(xticks=range(5), xticklabels=labels, ylabel="Attribution to sigma")
    ax.tick_params(axis="x", length=0)


def in_page(fig: plt.Figure, title: str) -> str:
    """An SVG to stand in a page of HTML: letters are those of the page, and so is their colour."""
    buffer = io.StringIO()
    mpl.rcParams["svg.hashsalt"] = title  # names of clips are of all pictures of a page
    fig.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    text = buffer.getvalue()
    text = text[text.index("<svg") :].replace(INK, "currentColor")
    text = re.sub(r"<metadata>.*?</metadata>|<style.*?</style>", "", text, flags=re.DOTALL)
    text = re.sub(r' width="[^"]*pt" height="[^"]*pt"| height="[^"]*pt"(?= viewBox)', "", text, count=1)
    text = re.sub(r"font-family: [^;\"]*", "font-family: inherit", text)
    text = re.sub(
        r'"[^"]*"', lambda found: re.sub(r"(\d\.\d)\d+", r"\1", found[0]), text
    )  # a tenth of a point is enough
    text = re.sub(r"\s*\n\s*(?=[LMCz\d<\"])", " ", text)
    return text.replace("<svg", f'<svg role="img" aria-label="{title}"', 1).strip() + "\n"


if __name__ == "__main__":
    main(*sys.argv[1:2])
