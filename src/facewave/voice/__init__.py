"""Stage listen: clips -> data/voice/<dataset>/, what is heard in them over time."""
