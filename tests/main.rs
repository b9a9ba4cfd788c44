//! The integration tests, as one binary: linking is what takes the time.

