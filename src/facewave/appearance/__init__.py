"""Stage embed: faces -> data/appearance/<dataset>/, what an encoder sees of them over time."""
