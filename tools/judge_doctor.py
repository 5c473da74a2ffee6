"""How often the model doctor raises a false alarm: every sound stager on simulated nights that nobody tuned it with.

Run from the top of the repository: PYTHONPATH=tests OMP_NUM_THREADS=1 python tools/judge_doctor.py --seeds 701-720

It prints a Markdown table, and below it what was found in its own words.
"""

from __future__ import annotations

import argparse
import importlib.util
from collections import Counter

import mne
import trained

import eegflex
from eegflex.findings import Findings

STAGERS = {
    "bandpower": lambda: eegflex.load_model("bandpower"),
    "chambon": trained.chambon,
    "context": trained.context,
    "gssc": lambda: eegflex.load_model("gssc"),
}


def night(seed: int, hours: float) -> mne.BaseEpochs:
    """A simulated night with its hypnogram."""
    return eegflex.make_epochs(eegflex.simulate_psg(hours=hours, seed=seed, verbose="error").raw, verbose="error")


def seeds_of(text: str) -> range:
    """``"701-720"`` or ``"701"``."""
    first, _, last = text.partition("-")
    return range(int(first), int(last or first) + 1)


def row(name: str, found: dict[int, Findings]) -> str:
    """One line of the table: how many nights had what, and which checks said so."""
    nights = {status: sum(bool(one.of(status)) for one in found.values()) for status in ("error", "warning", "unknown")}
    checks = Counter(f"{f.check} ({f.status})" for one in found.values() for f in one if f.status != "ok")
    said = ", ".join(f"{check} x {number}" for check, number in checks.most_common()) or "nothing"
    return f"| {name} | {len(found)} | {nights['error']} | {nights['warning']} | {nights['unknown']} | {said} |"


def main() -> None:
    """Print a table of what was found, and below it every warning and error in its own words."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=seeds_of, default=seeds_of("701-720"), help="of the nights, such as 701-720")
    parser.add_argument("--hours", type=float, default=1.5, help="length of a night")
    parser.add_argument("--stagers", nargs="+", choices=STAGERS, default=[n for n in STAGERS if n != "gssc"])
    asked = parser.parse_args()
    if "gssc" in asked.stagers and importlib.util.find_spec("gssc") is None:
        parser.error("the extra gssc is not installed")
    models = {name: STAGERS[name]() for name in asked.stagers}
    found: dict[str, dict[int, Findings]] = {name: {} for name in models}
    for seed in asked.seeds:
        epochs = night(seed, asked.hours)
        for name, model in models.items():
            found[name][seed] = eegflex.check_model(model, epochs, verbose="error")
    print(
        f"Seeds {asked.seeds[0]} to {asked.seeds[-1]}, {asked.hours:g} h each; nights with at least one of a status.\n"
    )
    print("| stager | nights | error | warning | unknown | checks that are not ok |\n|---|---|---|---|---|---|")
    for name, findings in found.items():
        print(row(name, findings))
    alarms = [(n, s, f) for n, of in found.items() for s, one in of.items() for f in (*one.errors, *one.warnings)]
    print("\n" + "\n".join(f"- {name}, seed {seed}: {finding!s:s}" for name, seed, finding in alarms))


if __name__ == "__main__":
    main()
