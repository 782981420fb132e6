"""Stage report: what all stages measured -> metrics/report.html, one page for people."""
