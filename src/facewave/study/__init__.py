"""Stage study: the same clips under other settings -> metrics/study/. It may import every room."""
