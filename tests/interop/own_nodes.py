"""Nodes of SpikingJelly without a reader of their own."""

JELLY = (
    "QIFNode", "EIFNode", "IzhikevichNode", "KLIFNode", "CUBALIFNode", "ComplementaryLIFNode", "RAFNode", "HalfThresholdIFNode",
)  # fmt: skip
