"""The small vector language that the kernels of all engines speak, and how it is compiled."""
