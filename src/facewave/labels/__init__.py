"""Stage clean: a corpus's label table -> data/labels/<dataset>.csv, nothing lost silently."""
