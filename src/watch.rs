//! Notices that files have changed which are read again then: policy files, certificates.
//!
//! Editors and configuration managers do not write into a file, they put another in its place; Kubernetes turns a
//! symbolic link of the directory (`..data`), and neither the file nor its link is touched. So the directories are
//! watched, that of the name and that of what it leads to, and after anything happened there the files are looked at:
//! what they lead to, size, time and inode. Only a difference is reported, once the directory has been quiet for a
//! while. File systems without notification (NFS, some container mounts) are looked at every [`PATROL`].
//!
//! What is done about a change is the callback's business.

use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use std::{
    collections::BTreeSet,
    fs, io,
    path::{Path, PathBuf},
    sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    thread::JoinHandle,
    time::{Duration, Instant, SystemTime},
};

/// How often the files are looked at without being told to.
const PATROL: Duration = Duration::from_secs(30);

/// A directory that is never quiet is not waited for longer than this many times the quiet period.
const PATIENCE: u32 = 20;

/// A running watch; dropping it ends it.
#[derive(Debug)]
pub struct Watch {
    signals: Sender<Signal>,
    thread: Option<JoinHandle<()>>,
}

/// Why nothing can be watched.
#[derive(Debug, thiserror::Error)]
pub enum WatchError {
    /// The system's notification is not to be had, for want of watches for instance.
    #[error("cannot watch for changes: {0}")]
    Notification(#[from] notify::Error),
    /// No thread can be started.
    #[error("cannot watch for changes: {0}")]
    Thread(#[from] io::Error),
}

enum Signal {
    Stirred,
    End,
}

/// Calls `changed` from a thread of its own after any of the files was changed, replaced, removed or created, and its
/// directory was quiet for `quiet`. Files that are changed during a call are reported after it. The first call comes without a
/// change: what happened between the caller's own reading and the watch is not to be told from what was read.
pub fn watch(files: &[PathBuf], quiet: Duration, changed: impl FnMut() + Send + 'static) -> Result<Watch, WatchError> {
    let (signals, inbox) = channel();
    let events = signals.clone();
    let watcher = notify::recommended_watcher(move |_| {
        // The only error is that the watch has ended.
        let _ = events.send(Signal::Stirred);
    })?;
    let mut patrol = Patrol { files: files.to_vec(), seen: None, watcher, watched: BTreeSet::new() };
    patrol.watch_directories();
    // For the first call.
    let _ = signals.send(Signal::Stirred);
    let thread = std::thread::Builder::new().name("watch".into()).spawn(move || patrol.run(&inbox, quiet, changed))?;
    Ok(Watch { signals, thread: Some(thread) })
}

impl Drop for Watch {
    fn drop(&mut self) {
        let _ = self.signals.send(Signal::End);
        if let Some(thread) = self.thread.take() {
            // A panic of the callback has been reported by then.
            let _ = thread.join();
        }
    }
}

/// What a file looks like from outside; none where there is no file.
type Looks = Option<(PathBuf, u64, Option<SystemTime>, u64)>;

struct Patrol {
    files: Vec<PathBuf>,
    /// At the last call; none before the first.
    seen: Option<Vec<Looks>>,
    watcher: RecommendedWatcher,
    watched: BTreeSet<PathBuf>,
}

impl Patrol {
    fn run(&mut self, inbox: &Receiver<Signal>, quiet: Duration, mut changed: impl FnMut()) {
        loop {
            match inbox.recv_timeout(PATROL) {
                Ok(Signal::Stirred) => {
                    if !wait_until_quiet(inbox, quiet) {
                        return;
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
                Ok(Signal::End) | Err(RecvTimeoutError::Disconnected) => return,
            }
            self.watch_directories();
            let looks = Some(look(&self.files));
            if looks != self.seen {
                // Before the call: what changes during it is seen at the next look.
                self.seen = looks;
                changed();
            }
        }
    }

    /// Watches the directories that matter now. One that cannot be watched is left to the patrol.
    fn watch_directories(&mut self) {
        let wanted = directories(&self.files);
        for gone in self.watched.difference(&wanted) {
            let _ = self.watcher.unwatch(gone);
        }
        let watcher = &mut self.watcher;
        self.watched = wanted
            .into_iter()
            .filter(|dir| match self.watched.contains(dir) {
                true => true,
                false => watcher.watch(dir, RecursiveMode::NonRecursive).is_ok(),
            })
            .collect();
    }
}

/// False when the watch has ended.
fn wait_until_quiet(inbox: &Receiver<Signal>, quiet: Duration) -> bool {
    let begun = Instant::now();
    while begun.elapsed() < quiet.saturating_mul(PATIENCE) {
        match inbox.recv_timeout(quiet) {
            Ok(Signal::Stirred) => {}
            Ok(Signal::End) | Err(RecvTimeoutError::Disconnected) => return false,
            Err(RecvTimeoutError::Timeout) => return true,
        }
    }
    true
}

fn directories(files: &[PathBuf]) -> BTreeSet<PathBuf> {
    let parent = |path: &Path| match path.parent() {
        Some(parent) if parent.as_os_str().is_empty() => PathBuf::from("."),
        Some(parent) => parent.to_owned(),
        None => path.to_owned(),
    };
    let named = files.iter().map(|file| parent(file));
    let meant = files.iter().filter_map(|file| fs::canonicalize(file).ok()).map(|file| parent(&file));
    named.chain(meant).collect()
}

fn look(files: &[PathBuf]) -> Vec<Looks> {
    files.iter().map(|file| look_at(file).ok()).collect()
}

fn look_at(file: &Path) -> io::Result<(PathBuf, u64, Option<SystemTime>, u64)> {
    let meant = fs::canonicalize(file)?;
    let data = fs::metadata(&meant)?;
    #[cfg(unix)]
    let inode = std::os::unix::fs::MetadataExt::ino(&data);
    #[cfg(not(unix))]
    let inode = 0;
    Ok((meant, data.len(), data.modified().ok(), inode))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    const QUIET: Duration = Duration::from_millis(20);
    const LONG: Duration = Duration::from_secs(20);

    fn watched(file: PathBuf) -> (Watch, Receiver<()>) {
        let (send, calls) = channel();
        let watch = watch(&[file], QUIET, move || {
            let _ = send.send(());
        });
        calls.recv_timeout(LONG).expect("the first call");
        (watch.expect("a watch"), calls)
    }

    #[test]
    fn what_changed_before_the_watch_began_is_not_lost() {
        let dir = tempfile::tempdir().expect("a directory");
        let file = dir.path().join("policy.csv");
        fs::write(&file, "a").expect("written");
        let read = fs::read_to_string(&file).expect("read");
        fs::write(&file, "b").expect("written");
        let (send, calls) = channel();
        let (again, watched) = (file.clone(), [file]);
        let watch = watch(&watched, QUIET, move || {
            let _ = send.send(fs::read_to_string(&again).expect("read"));
        });
        let _watch = watch.expect("a watch");
        assert_ne!(calls.recv_timeout(LONG).expect("told"), read);
    }

    #[test]
    fn reports_a_file_that_is_replaced_removed_and_made_again() {
        let dir = tempfile::tempdir().expect("a directory");
        let file = dir.path().join("policy.csv");
        fs::write(&file, "a").expect("written");
        let (_watch, calls) = watched(file.clone());
        fs::write(dir.path().join("new"), "bb").expect("written");
        fs::rename(dir.path().join("new"), &file).expect("renamed");
        calls.recv_timeout(LONG).expect("replaced");
        fs::remove_file(&file).expect("removed");
        calls.recv_timeout(LONG).expect("removed");
        fs::write(&file, "ccc").expect("written");
        calls.recv_timeout(LONG).expect("made again");
    }

    #[test]
    fn reports_a_turned_link_as_kubernetes_turns_it() {
        let dir = tempfile::tempdir().expect("a directory");
        let at = |name: &str| dir.path().join(name);
        for (version, text) in [("..1", "a"), ("..2", "b"), ("..3", "c")] {
            fs::create_dir(at(version)).expect("made");
            fs::write(at(version).join("policy.csv"), text).expect("written");
        }
        symlink("..1", at("..data")).expect("linked");
        symlink("..data/policy.csv", at("policy.csv")).expect("linked");
        let (_watch, calls) = watched(at("policy.csv"));
        for (before, next) in [("..1", "..2"), ("..2", "..3")] {
            symlink(next, at("..new")).expect("linked");
            fs::rename(at("..new"), at("..data")).expect("turned");
            calls.recv_timeout(LONG).expect("turned");
            fs::remove_dir_all(at(before)).expect("removed");
        }
    }

    #[test]
    fn says_nothing_of_its_neighbours_and_ends_when_dropped() {
        let dir = tempfile::tempdir().expect("a directory");
        let file = dir.path().join("policy.csv");
        fs::write(&file, "a").expect("written");
        let (watch, calls) = watched(file.clone());
        fs::write(dir.path().join("neighbour"), "x").expect("written");
        drop(watch);
        assert!(calls.recv_timeout(LONG).is_err(), "the thread has ended, and with it the sender");
    }
}
