"""``python -m faceattr`` is the command ``faceattr``."""

from faceattr.cli import main

main()
