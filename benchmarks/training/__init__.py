"""How good analyzers are that `faceattr train` makes of few and of many pictures."""
