"""The colours, by numbers: what readers of every colour vision, and of grey print, can tell apart."""

from itertools import combinations

import numpy as np
import pytest
from matplotlib.colors import to_hex, to_rgb

from eegflex.viz.style import DARK, LIGHT, diverging, ink, stage_colours

#: Machado, Oliveira and Fernandes (2009), severity 1, for linear sRGB.
VISIONS = {
    "normal": np.eye(3),
    "protanopia": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deuteranopia": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}
#: Linear sRGB to XYZ, with its white point (D65).
TO_XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.119192, 0.9503041]]
)
THEMES = {"light": LIGHT, "dark": DARK}


def linear(colour):
    parts = np.array(to_rgb(colour))
    return np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)


def lab(light):
    """CIELAB of linear sRGB."""
    ratio = TO_XYZ @ np.clip(light, 0, 1) / TO_XYZ.sum(axis=1)
    x, y, z = np.where(ratio > 216 / 24389, np.cbrt(ratio), (24389 / 27 * ratio + 16) / 116)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def seen(colour, vision="normal"):
    return lab(np.array(VISIONS[vision]) @ linear(colour))


def lightness(colour):
    """L* of a colour that is printed in grey."""
    return seen(colour)[0]


def contrast(one, other):
    """As the Web Content Accessibility Guidelines define it."""
    a, b = sorted(float(TO_XYZ[1] @ linear(colour)) for colour in (one, other))
    return (b + 0.05) / (a + 0.05)


def ciede2000(one, other):
    """Sharma, Wu and Dalal (2005)."""
    (l1, a1, b1), (l2, a2, b2) = one, other
    mean_c = (np.hypot(a1, b1) + np.hypot(a2, b2)) / 2
    stretch = 1.5 - 0.5 * np.sqrt(mean_c**7 / (mean_c**7 + 25.0**7))
    c1, c2 = np.hypot(a1 * stretch, b1), np.hypot(a2 * stretch, b2)
    h1, h2 = (np.degrees(np.arctan2(b, a * stretch)) % 360 for a, b in ((a1, b1), (a2, b2)))
    turn = 0.0 if c1 * c2 == 0 else (h2 - h1 + 180) % 360 - 180
    d_l, d_c, d_h = l2 - l1, c2 - c1, 2 * np.sqrt(c1 * c2) * np.sin(np.radians(turn / 2))
    mean_l, mean_c = (l1 + l2) / 2, (c1 + c2) / 2
    mean_h = h1 + h2 if c1 * c2 == 0 else (h1 + turn / 2) % 360
    angles = np.radians([mean_h - 30, 2 * mean_h, 3 * mean_h + 6, 4 * mean_h - 63])
    t = 1 + np.array([-0.17, 0.24, 0.32, -0.20]) @ np.cos(angles)
    s_l = 1 + 0.015 * (mean_l - 50) ** 2 / np.sqrt(20 + (mean_l - 50) ** 2)
    s_c, s_h = 1 + 0.045 * mean_c, 1 + 0.015 * mean_c * t
    rotation = 60 * np.exp(-(((mean_h - 275) / 25) ** 2))
    r_t = -np.sin(np.radians(rotation)) * 2 * np.sqrt(mean_c**7 / (mean_c**7 + 25.0**7))
    parts = d_l / s_l, d_c / s_c, d_h / s_h
    return np.sqrt(parts[0] ** 2 + parts[1] ** 2 + parts[2] ** 2 + r_t * parts[1] * parts[2])


def closest(colours, vision):
    return min(ciede2000(seen(a, vision), seen(b, vision)) for a, b in combinations(colours, 2))


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ((50, 2.6772, -79.7751), (50, 0, -82.7485), 2.0425),
        ((50, 0, 0), (50, -1, 2), 2.3669),
        ((50, 2.5, 0), (73, 25, -18), 27.1492),
        ((60.2574, -34.0099, 36.2677), (60.4626, -34.1751, 39.4387), 1.2644),
        ((2.0776, 0.0795, -1.1350), (0.9033, -0.0636, -0.5514), 0.9082),
    ],
)
def test_the_distance_is_that_of_its_authors_table(one, other, expected):
    assert ciede2000(one, other) == pytest.approx(expected, abs=1e-4)


def test_the_matrices_leave_grey_as_it_is():
    for matrix in VISIONS.values():
        np.testing.assert_allclose(np.sum(matrix, axis=1), 1, atol=1e-5)


@pytest.mark.parametrize("vision", VISIONS)
@pytest.mark.parametrize("theme", THEMES.values(), ids=THEMES)
def test_stages_and_what_raised_and_lowered_are_told_apart(theme, vision):
    """CIEDE2000: 18.6 (light) and 16.4 (dark) at least; before: 5 (N2 and lowered), L* 4 apart in grey (raised and lowered)."""
    assert closest([*theme.stages.values(), theme.raised, theme.lowered], vision) > 16


@pytest.mark.parametrize("vision", VISIONS)
@pytest.mark.parametrize("theme", THEMES.values(), ids=THEMES)
def test_twelve_stages_are_told_apart_though_less(theme, vision):
    stages = [*theme.stages, *(f"stage {i}" for i in range(7))]
    colours = theme.of_stages(stages)
    assert len(set(colours.values())) == 12
    assert closest(colours.values(), vision) > 9
    signs = theme.raised, theme.lowered
    assert min(ciede2000(seen(a, vision), seen(b, vision)) for a in colours.values() for b in signs) > 12


@pytest.mark.parametrize("theme", THEMES.values(), ids=THEMES)
def test_grey_print_tells_stages_apart_and_raised_from_lowered(theme):
    levels = np.sort([lightness(colour) for colour in theme.stages.values()])
    assert np.diff(levels).min() > 8
    assert lightness(theme.raised) - lightness(theme.lowered) > 18


@pytest.mark.parametrize("theme", THEMES.values(), ids=THEMES)
def test_what_is_written_can_be_read(theme):
    written = theme.text, theme.muted, theme.raised, theme.lowered
    assert min(contrast(colour, theme.ground) for colour in written) > 4.5
    assert min(contrast(ink(colour), colour) for colour in theme.of_stages([f"{i}" for i in range(12)]).values()) > 4.5
    assert min(contrast(colour, theme.ground) for colour in theme.stages.values()) > 1.6


def test_stages_of_the_aasm_keep_their_colours_beside_others():
    found = stage_colours(["W", "artefact", "REM", "movement"])
    assert found["W"] == LIGHT.stages["W"]
    assert found["REM"] == LIGHT.stages["REM"]
    assert len(set(found.values())) == 4


def test_the_map_goes_from_lowered_over_white_to_raised():
    found = [to_hex(diverging()(x)) for x in (0.0, 0.5, 1.0)]
    assert (found[0], found[2]) == (LIGHT.lowered, LIGHT.raised)
    assert min(to_rgb(found[1])) > 0.98
    levels = [lightness(diverging()(x)) for x in np.linspace(0, 1, 21)]
    assert (np.diff(levels[:11]) > 0).all()
    assert (np.diff(levels[10:]) < 0).all()
