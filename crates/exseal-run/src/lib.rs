//! Applying a plan: journal, resume, roll back, verify; owns the ports to the world.
