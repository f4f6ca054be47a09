"""Cells of SpikingJelly and Norse without a reader of their own."""

JELLY = (
    "QIFNode", "EIFNode", "IzhikevichNode", "KLIFNode", "CUBALIFNode", "ComplementaryLIFNode", "RAFNode", "HalfThresholdIFNode",
)  # fmt: skip

OWN_NORSE = (
    "LIFExCell", "LIFEx", "LIFExRecurrentCell", "LIFExRecurrent", "LIFAdExRefracCell", "LIFAdExRefracRecurrentCell",
)  # fmt: skip
