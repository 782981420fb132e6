"""Stage predict: trained models and test clips -> data/answers/."""
