"""faceattr beside what its users would otherwise pick, measured on one machine in one run."""
