"""Stage crop: clips and landmarks -> data/faces/<dataset>/, aligned pictures of the face."""
