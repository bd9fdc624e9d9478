"""How good an analyzer is on labelled pictures."""
