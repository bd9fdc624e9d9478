"""Whether two faces are of one person, and who a face is among the people of a gallery."""
