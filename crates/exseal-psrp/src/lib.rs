//! CLIXML, NRBF, PSRP and WSMan for both roles, sans-IO. No sockets, threads or clock; nothing unbounded.
