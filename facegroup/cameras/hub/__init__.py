"""The one place that owns all camera state."""
