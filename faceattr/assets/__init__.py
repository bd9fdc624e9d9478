"""The small weights that come with faceattr."""
