"""How does a batch of photos pass through? Detection, quality, cropping and the batches between processes."""
