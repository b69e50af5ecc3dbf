//! Adapters to a real organisation: exported files now. Reports observations, decides nothing.
