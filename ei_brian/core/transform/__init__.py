"""Functions from a network to a network: the steps from a trained network to biology."""
