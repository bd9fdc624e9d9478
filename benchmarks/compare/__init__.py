"""Two installed versions of faceattr, measured in turn."""
