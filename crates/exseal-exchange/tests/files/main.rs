//! What exported files are read as: every reader, over recorded exports and over small inputs of our own.

#[cfg(test)]
mod attribution;
#[cfg(test)]
mod certificates;
#[cfg(test)]
mod cmdlets;
#[cfg(test)]
mod configuration;
#[cfg(test)]
mod hostile;
#[cfg(test)]
mod input;
#[cfg(test)]
mod json;
#[cfg(test)]
mod lone_certificates;
#[cfg(test)]
mod netsh;
#[cfg(test)]
mod recorded;
#[cfg(test)]
mod zips;
