"""Notes of figures stand beside them as text, each once in a section; elsewhere they are part of the figure."""

from __future__ import annotations

from functools import partial

import matplotlib.pyplot as plt

from eegflex import viz
from eegflex.report.build import sections_of
from eegflex.report.parts import Picture
from eegflex.report.pictures import as_figure
from eegflex.results.wording import positive_means
from eegflex.viz.style import notes_apart


def test_notes_are_text_of_the_page_and_not_of_the_picture(result):
    draw = partial(viz.plot_bands, result, picks="eeg", show=False)
    alone = draw()
    html, notes = as_figure(Picture("Bands", draw, "What bands did."))
    assert positive_means(result) in notes
    assert all(note in alone.get_supxlabel().replace("\n", " ") for note in notes if "$" not in note)
    assert 'What bands did.<span class="notes">' in html
    with notes_apart():
        apart = draw()
    assert apart.get_supxlabel() == ""
    assert apart.get_figheight() < alone.get_figheight()
    plt.close("all")


def test_a_section_says_a_note_once_and_what_is_not_of_the_page_is_not_there(result):
    draw = partial(viz.plot_bands, result, picks="eeg", show=False)
    pictures = [Picture(f"{k}", draw, "", "Bands", on_page=k < 2) for k in range(3)] + [Picture("3", draw, "", "Else")]
    bands, other = sections_of(pictures)
    assert [part.heading for part in bands.parts] == ["0", "1"]
    said = [part.html.count("Line: median") for part in (*bands.parts, *other.parts)]
    assert said == [1, 0, 1]
