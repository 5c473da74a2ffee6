"""The colours of a page are those of figures, on either ground."""

from __future__ import annotations

import re

from eegflex.report.colours import variables
from eegflex.viz.style import DARK, LIGHT


def test_a_page_has_the_colours_of_figures_and_every_stage_has_its_own():
    light, dark = variables(["W", "N2", "S9"]).split("@media screen and (prefers-color-scheme: dark)")
    for text, theme in ((light, LIGHT), (dark, DARK)):
        found = dict(re.findall(r"--([\w-]+): (#\w{6});", text))
        assert (found["raised"], found["lowered"], found["paper"]) == (theme.raised, theme.lowered, theme.ground)
        assert (found["stage-0"], found["stage-1"]) == (theme.stages["W"], theme.stages["N2"])
        assert len(set(found.values())) == len(found)
    assert [f".stage-{k} {{ fill: var(--stage-{k}); }}" in dark for k in range(4)] == [True, True, True, False]
