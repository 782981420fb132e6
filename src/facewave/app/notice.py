"""What people must know of the intended use, wherever answers are shown as they come."""

NOTICE = (
    "For research, with people who know of it and agree; not for decisions about people at work or "
    "in education, where the EU AI Act prohibits inferring emotions (Article 5(1)(f)). What a face "
    "shows is not what a person feels."
)
