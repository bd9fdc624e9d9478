"""Reports: one HTML page that shows what was read off the faces of pictures or of a video."""
