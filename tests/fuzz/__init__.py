"""The fuzzer of the socket: ``grammar`` makes inputs, ``inputs`` writes and reads them, ``player`` sends them."""
