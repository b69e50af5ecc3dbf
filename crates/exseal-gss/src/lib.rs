//! Security contexts, initiator and acceptor: step, seal, open. No sockets, no HTTP.
