"""Face recognition as a library: photos go in, names come out. It knows no Ray and no web framework."""
