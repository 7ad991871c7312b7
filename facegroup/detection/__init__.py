"""Where are the faces? MTCNN, its image pyramid, its networks and further passes over photos in which it found no face."""
