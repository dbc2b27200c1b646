"""Rehearsal in linear models: simulation and closed forms."""
