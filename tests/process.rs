//! A child of a test: whatever becomes of the test, the child is ended and waited for.

use std::{
    ops::{Deref, DerefMut},
    process::{Child, Command, Output},
};

/// A child that is killed when it is dropped, unless it has ended.
pub(crate) struct Process(Option<Child>);

impl Process {
    /// Starts a command.
    pub(crate) fn start(command: &mut Command) -> Self {
        let child = command.spawn();
        Self(Some(child.unwrap_or_else(|error| panic!("{:?} does not start: {error}", command.get_program()))))
    }

    /// Waits for its end; what it wrote to its pipes until then.
    pub(crate) fn output(mut self) -> Output {
        self.0.take().unwrap().wait_with_output().unwrap()
    }
}

impl From<Child> for Process {
    fn from(child: Child) -> Self {
        Self(Some(child))
    }
}

impl Deref for Process {
    type Target = Child;

    fn deref(&self) -> &Child {
        self.0.as_ref().unwrap()
    }
}

impl DerefMut for Process {
    fn deref_mut(&mut self) -> &mut Child {
        self.0.as_mut().unwrap()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Some(child) = &mut self.0 {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
