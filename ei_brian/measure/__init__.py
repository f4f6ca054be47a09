"""Numbers that say what a network did: pure functions on recordings and spikes, all trials at once."""
