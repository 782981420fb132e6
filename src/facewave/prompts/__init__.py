"""What a language model is shown of a clip: frames, words, and the prompt around them."""
