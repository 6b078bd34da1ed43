"""Pure functions: arrays or tensors in, numbers out. No files, no networks, no state."""
