"""Cameras: a source of pictures goes in, the newest frame comes out. `types` says what a camera is; `eye` looks."""
