//! The store over a scripted source: no network, no sleeping, time and every chunk under the test's control.

mod damage;
mod disk;
mod flights;
mod freshness;
mod latest;
mod scene;
mod verification;
