"""How much a server answers, how fast, and what that takes."""
