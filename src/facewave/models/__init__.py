"""What can be trained. No files, no stages: modules that a config alone rebuilds."""
