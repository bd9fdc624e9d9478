"""Networks as data: their graphs, architectures and file formats."""
