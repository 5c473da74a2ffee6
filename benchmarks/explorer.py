"""How large the explorer of a whole night is, and how soon it answers: 1,000 epochs, 6 channels, 5 stages, all views.

The night is an explained one of an hour and a half, laid end to end with noise, so that no two epochs are alike. Times are
those of headless Chromium, ``/usr/bin/chromium`` or what ``CHROMIUM`` names, under a policy that allows no request.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

import eegflex
from benchmarks.table import Row, markdown
from eegflex.report.explorer import Fragment, make_explorer

__all__ = ["long_night", "page", "rows"]

#: Epochs of the long night, and how much of what is told of an epoch is noise.
N_EPOCHS, NOISE = 1000, 0.2
CLICKS = 40
_POLICY = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:"
#: From a click until the frame that shows its epoch.
_CLICK = """epoch => new Promise(done => {
  const slider = document.getElementById('ex-slider'), box = slider.getBoundingClientRect(), began = performance.now();
  const x = box.left + 74 + (box.width - 82) * (epoch + .5) / 1000;
  slider.dispatchEvent(new PointerEvent('pointerdown', { button: 0, buttons: 1, clientX: x, clientY: box.top + 20 }));
  const look = () => document.getElementById('explorer').dataset.shown.startsWith(`${epoch} `)
    ? requestAnimationFrame(() => done(performance.now() - began)) : requestAnimationFrame(look);
  requestAnimationFrame(look);
})"""


def page(explorer: Fragment) -> str:
    """The least page that holds an explorer."""
    head = (
        f'<meta charset="utf-8"><title>Explorer</title><meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
    )
    body = f"<main><h1>A night</h1>{explorer.html}</main>{explorer.blobs}<script>{explorer.script}</script>"
    wide = '<meta name="viewport" content="width=device-width, initial-scale=1">'
    style = f"<style>{explorer.style}</style>"
    return f'<!doctype html><html lang="en"><head>{head}{wide}{style}</head><body>{body}</body></html>'


def long_night(result: eegflex.FlexResult, n_epochs: int = N_EPOCHS, seed: int = 0) -> eegflex.FlexResult:
    """A night as long as is asked, of the epochs of an explained one, with noise in all that differs between epochs.

    Parameters
    ----------
    result : FlexResult
        Of one recording, of which every epoch was explained.
    n_epochs : int
        Length of the night.
    seed : int
        Of the noise.
    """
    rng, data = np.random.default_rng(seed), result.data
    places = np.arange(n_epochs) % data.sizes["epoch"]
    new = data.isel(epoch=places, night=places)
    for name in map(str, data.data_vars):
        if new[name].dtype.kind == "f" and {"epoch", "channel"} <= set(new[name].dims):
            new[name] = new[name].copy(data=_with_noise(new[name], rng))
    onset = np.arange(n_epochs) * data.sizes["time"] / result.sfreq
    new = new.assign_coords(onset=("epoch", onset), number=("epoch", np.arange(n_epochs)), run=("epoch", 0 * places))
    new = new.assign_coords(night_onset=("night", onset), night_run=("night", 0 * places))
    told = json.loads(data.attrs["provenance"]) | {"epochs": n_epochs, "explained": n_epochs}
    return eegflex.FlexResult(new.assign_attrs(provenance=json.dumps(told)))


def _with_noise(values: xr.DataArray, rng: np.random.Generator) -> np.ndarray[Any, Any]:
    """Values with noise as large as a part of their spread over the epoch, one epoch at a time."""
    found = np.empty(values.shape, dtype=np.float32)
    for place, own in enumerate(values):
        known = np.asarray(own.values, dtype=np.float32)
        noise = NOISE * float(np.nanstd(known)) * rng.standard_normal(known.shape, dtype=np.float32)
        found[place] = known + (noise if (known < 0).any() else np.abs(noise))
    return found


def _bandpower(hours: float) -> eegflex.FlexResult:
    psg = eegflex.simulate_psg(hours=hours, sfreq=128, seed=1, verbose="error")
    epochs = eegflex.make_epochs(psg.raw, verbose="error")
    asked: dict[str, Any] = {"target": "all", "views": ("frequency", "time", "time-frequency"), "verbose": "error"}
    return eegflex.attribute_epochs(epochs, "bandpower", **asked).sel(channel="eeg")


def times(html: Path) -> dict[str, float]:
    """Times in ms in Chromium: until the first picture, and medians and largest of clicks to frames."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        browser = play.chromium.launch(
            executable_path=os.environ.get("CHROMIUM", "/usr/bin/chromium"), args=["--no-sandbox"]
        )
        tab = browser.new_page(viewport={"width": 1400, "height": 1000})
        tab.goto(html.as_uri())
        tab.wait_for_selector("#explorer[data-shown]")
        tab.wait_for_timeout(200)
        first = tab.evaluate("performance.getEntriesByName('ex-first')[0].startTime")
        rng = np.random.default_rng(0)
        cold = [tab.evaluate(_CLICK, int(epoch)) for epoch in rng.permutation(N_EPOCHS)[:CLICKS]]
        tab.wait_for_timeout(500)
        warm = [tab.evaluate(_CLICK, 500 + k) for k in range(20)]
        browser.close()
    return {"first": first, "cold": statistics.median(cold), "cold most": max(cold), "warm": statistics.median(warm)}


def rows(hours: float = 1.5) -> list[Row]:
    """Size and times of the explorer of a night of 1,000 epochs."""
    night = long_night(_bandpower(hours))
    html = page(make_explorer(night))
    bare = page(make_explorer(night, signal=False))
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "night.html"
        file.write_text(html, encoding="utf-8")
        found = times(file)
    size = len(html.encode()) / 1e6
    what = "explorer of 1,000 epochs x 6 channels x 5 stages"
    return [
        Row(f"{what}: the page", f"{size:.1f} MB", f"without signals {len(bare.encode()) / 1e6:.1f} MB", size / 15,
            "<= 15 MB", size <= 15),
        Row(f"{what}: until the first picture", f"{found['first']:.0f} ms", "1 s", found["first"] / 1000, "<= 1",
            found["first"] <= 1000),
        Row(f"{what}: click to frame, anywhere in the night", f"{found['cold']:.0f} ms",
            f"of {CLICKS}, at most {found['cold most']:.0f} ms; next epoch {found['warm']:.0f} ms", found["cold most"] / 200,
            "<= 1 (200 ms)", found["cold most"] <= 200),
    ]  # fmt: skip


if __name__ == "__main__":
    sys.stdout.write(markdown(rows()))
