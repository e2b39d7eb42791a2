"""What lives in the kernel and knows IPython: magics, cards, and the way outputs are shown."""
