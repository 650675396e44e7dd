"""Software that computes networks in place of torch, on the CPU."""
