"""Hues of charts are told apart on their ground, by colour-blind readers too."""

import itertools

import numpy as np
import pytest

from flan_jax.pages.palette import colours, hues

# Colours as colour-blind people see them: Machado, Oliveira and Fernandes 2009, severity 1.
SIGHT = {
  "full": np.eye(3),
  "protan": np.array(
    [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
  ),
  "deutan": np.array([[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]]),
}
_LUMINANCE = np.array([0.2126, 0.7152, 0.0722])
_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])


def linear(colour: str) -> np.ndarray:
  share = np.array([int(colour[start : start + 2], 16) for start in (1, 3, 5)]) / 255
  return np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)


def lab(light: np.ndarray) -> np.ndarray:
  x, y, z = np.cbrt(_XYZ @ np.clip(light, 0, 1) / _XYZ.sum(axis=1))
  return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("sight", SIGHT)
def test_hues_are_apart(scheme, sight):
  seen = [lab(SIGHT[sight] @ linear(colour)) for colour in hues(scheme)]
  assert len(seen) == 8
  assert min(np.linalg.norm(a - b) for a, b in itertools.combinations(seen, 2)) > 13  # CIELAB; 2 is just noticed


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_hues_stand_out_from_their_ground(scheme):
  """By WCAG 2.2, 1.4.11: graphics have a contrast of at least 3 to 1."""
  ground = _LUMINANCE @ linear(colours(scheme)["ground"])
  for colour in hues(scheme):
    dark, light = sorted((ground, _LUMINANCE @ linear(colour)))
    assert (light + 0.05) / (dark + 0.05) >= 3, colour
