"""Debug-size members of the foundation-model families, in PyTorch."""
