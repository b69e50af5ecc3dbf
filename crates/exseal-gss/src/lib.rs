//! Security contexts of Negotiate, NTLM and Kerberos, as initiator and acceptor: step, seal, open.
