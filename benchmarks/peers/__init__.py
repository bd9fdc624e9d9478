"""faceattr beside the packages that its users would otherwise pick."""
