"""The small weights and the font that come with faceattr."""
