//! The nouns: organisation, server, slot, certificate, finding. No IO, no clock, no randomness.
