"""From points and parameters to what the kernels work on: reduced coordinates, layout, parts."""
