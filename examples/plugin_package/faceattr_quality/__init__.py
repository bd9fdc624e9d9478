"""How good a picture of a face is, and faces from the side: plugins for faceattr."""
