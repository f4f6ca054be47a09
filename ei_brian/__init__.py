"""ei_brian: from a trained spiking network to a Brian2 model with the same spikes, then to biology."""
