"""Draw the picture of the README, attribution over the head by band and stage, from a result such as the demo's.

python tools/draw_picture.py demo/result.nc docs/images/topomap.png
"""

import sys

import matplotlib as mpl

import eegflex

mpl.use("agg")


def main(source: str, target: str) -> None:
    """Draw the topographies of a result into a file."""
    fig = eegflex.read_result(source).plot_topomap(show=False)
    fig.savefig(target, dpi=130, facecolor="white")


if __name__ == "__main__":
    main(*sys.argv[1:3])
