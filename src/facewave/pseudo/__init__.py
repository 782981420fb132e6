"""Labels by others of clips that have none: which of them teach."""
