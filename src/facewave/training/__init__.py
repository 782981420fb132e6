"""Stage train: features and labels -> models/trained/<partition>/<role>/."""
