"""Where are the faces? MTCNN, its image pyramid, its networks and a second look at what it missed."""
