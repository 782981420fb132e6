"""Classifiers over wavelet numbers. Pure: no files, no stages."""
