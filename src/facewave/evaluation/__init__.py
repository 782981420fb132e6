"""Stage evaluate: trained models and test clips -> metrics/evaluate/."""
