//! `modgate audit reindex`: the index made anew.

use super::{AuditQueryError, query::Console};
use crate::audit::index::{Rebuilt, rebuild};
use clap::Args;
use std::{path::Path, time::Instant};

/// The arguments of `modgate audit reindex`.
#[derive(Args, Debug)]
#[command(after_help = "Run it as the account that keeps the journal. It may run beside the server.\n\n\
    Exit codes: 0 the index is made, 1 it is not; what was indexed until then can be used, and nothing else is changed.")]
pub(super) struct ReindexArgs {
    /// Print what was made as JSON
    #[arg(long)]
    json: bool,
}

impl ReindexArgs {
    pub(super) fn run(&self, dir: &Path, console: Console<'_>) -> Result<(), AuditQueryError> {
        let Console { out, mut meter, .. } = console;
        let begun = Instant::now();
        let rebuilt = rebuild(dir, &mut |progress| meter.show(progress))?;
        meter.clear();
        let seconds = begun.elapsed().as_secs_f64();
        let Rebuilt { records, bytes, size, shared } = rebuilt;
        let printed = if self.json {
            let summary = serde_json::json!({
                "records": records, "journal_bytes": bytes, "index_bytes": size, "seconds": seconds, "shared": shared,
            });
            writeln!(out, "{summary}")
        } else {
            let by = if shared { ", together with the running server" } else { "" };
            writeln!(out, "{records} records ({bytes} bytes) indexed in {seconds:.1} s{by}; the index has {size} bytes")
        };
        printed.and_then(|()| out.flush()).map_err(AuditQueryError::Output)
    }
}
