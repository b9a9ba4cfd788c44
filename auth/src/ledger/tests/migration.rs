//! A file of the first schema, made by the program of that time, opened by this one.

use super::*;
use crate::Tokens;

const VERSION_1: &[u8] = include_bytes!("../fixtures/version-1.sqlite");
const ALICE: &str = "mg_5CsKYRsgAbTV_vwINKwCvMR4GsQqQU3m48nk3Pi52EmzyQXX3Jg2MdIK05cEeE";
const ROBOT: &str = "mg_IAum2dSmy0jI_OEXMlE0WJ5LteE1Ppuf6jqog3J45YMZrA14yjfCIaiz2sJR0w";
const BOB: &str = "mg_48hIwgVIjk3n_Z1BIhGbkHhcbfddxasQUrBLyHWk9fgHHwv4Dx74S18k4CQfJm";

fn old() -> (tempfile::TempDir, PathBuf) {
    let (directory, path) = fresh();
    fs::write(&path, VERSION_1).unwrap();
    (directory, path)
}

fn now() -> Timestamp {
    at(1_800_000_000)
}

#[test]
fn all_tokens_of_an_old_file_are_what_they_were() {
    let (directory, path) = old();
    assert_eq!(Ledger::examine(&path).unwrap(), 3, "looked at");
    assert_eq!(fs::read(&path).unwrap(), VERSION_1, "and not touched");

    let tokens = Tokens::open(&path).unwrap();
    let alice = tokens.verify(ALICE, now()).unwrap();
    let names: Vec<_> = alice.identities().collect();
    assert_eq!(names, ["user:token/alice", "authenticated", "group:token/dev", "group:token/ops"]);
    assert_eq!(alice.scope.as_deref(), Some("read:github.com/corp/*"));
    assert_eq!(&*tokens.verify(ROBOT, now()).unwrap().subject, "ci:token/robot");
    assert_eq!(tokens.verify(BOB, now()).unwrap_err().code(), "token_revoked");

    let all = Ledger::open(&path).unwrap().all().unwrap();
    assert!(all.iter().all(|issued| issued.purpose == Purpose::Access && issued.family.is_none()));
    let kept = directory.path().join("tokens.db.v1");
    assert_eq!(mode(&kept), 0o600);
    assert_eq!(Ledger::examine(&kept).unwrap(), 3, "the copy is a whole ledger of the old schema");
    assert!(!directory.path().join("tokens.db.v1.new").exists());
}

#[test]
fn a_copy_that_was_cut_off_is_made_anew() {
    let (directory, path) = old();
    fs::write(directory.path().join("tokens.db.v1.new"), "half a copy").unwrap();
    assert_eq!(Ledger::open(&path).unwrap().all().unwrap().len(), 3);
    assert_eq!(Ledger::examine(&directory.path().join("tokens.db.v1")).unwrap(), 3);
}

#[test]
fn where_no_copy_can_be_kept_nothing_is_changed() {
    let (directory, path) = old();
    fs::create_dir(directory.path().join("tokens.db.v1")).unwrap();
    assert!(Ledger::open(&path).is_err());
    assert_eq!(Ledger::examine(&path).unwrap(), 3);
    fs::remove_dir(directory.path().join("tokens.db.v1")).unwrap();
    assert_eq!(Ledger::open(&path).unwrap().all().unwrap().len(), 3);
}

/// Four programs find the old file, all at once.
#[test]
fn many_may_migrate_at_once() {
    for _ in 0..5 {
        let (_directory, path) = old();
        let start = std::sync::Barrier::new(4);
        let opened = std::thread::scope(|scope| {
            let open = || {
                start.wait();
                Ledger::open(&path).map(|ledger| ledger.all().unwrap().len()).map_err(|error| error.to_string())
            };
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(open)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
        });
        assert!(opened.contains(&Ok(3)), "{opened:?}");
        assert_eq!(Ledger::open(&path).unwrap().all().unwrap().len(), 3);
    }
}
