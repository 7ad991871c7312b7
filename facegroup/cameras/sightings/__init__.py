"""Sightings: who was seen, where and when. Faces of frames go in, one sighting per visit comes out."""
