"""Vision-language models that receive wavelet numbers as soft tokens beside a few frames."""
