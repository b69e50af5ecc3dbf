//! A simulated Exchange organisation of real sockets.
