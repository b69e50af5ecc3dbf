//! Values in, values out: merging, checks, policy. No IO, no clock, no randomness.
