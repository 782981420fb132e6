"""Recordings of any length: who is seen when, and what a model makes of it over time."""
