"""Stage wavelet: trajectories of any length -> data/features/<dataset>/, K numbers each."""
