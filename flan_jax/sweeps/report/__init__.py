"""From tables of sweeps to figures: what is drawn and said of it is data first, then a picture or a page."""
