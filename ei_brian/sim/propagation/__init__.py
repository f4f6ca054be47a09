"""How spikes reach their targets: plain Brian2 Synapses, or one weight table shared by a batch of trials."""
