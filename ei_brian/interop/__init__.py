"""Networks of other frameworks: snnTorch, Norse, SpikingJelly and NIR in, NIR and a Brian2 script out."""
