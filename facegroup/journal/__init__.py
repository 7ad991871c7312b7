"""Where cameras and sightings are kept. In go the address of the store and the key, out comes its `Journal`."""
