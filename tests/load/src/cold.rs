//! Whether small answers wait while large zips are read from disk.
//!
//! In each round, for each server in turn: its files are dropped from the page cache; some connections ask for all large zips,
//! once each, while others ask for small answers that were asked for before, one every few milliseconds. Then the same
//! again from memory, for comparison: client and servers share the machine, so small answers also wait for a processor.
//! The thread that takes the zips lets others go first, so that what is seen is the server's waiting, not the client's.

use crate::{
    answers::{Answer, Kind, read_tree},
    comparison::median,
    connection::{Connection, Connector, Prepared, Protocol},
    drive::prepare,
    failure::Failure,
    grid::{Grid, time},
    machine::Machine,
    page_cache,
    processes::read_from_disk,
    server::{Server, Servers},
    tally::Tally,
};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
    thread,
    time::{Duration, Instant},
};
use tokio::{runtime::Builder, task::JoinSet, time::sleep};

/// What is driven, and against whom.
#[derive(Debug, clap::Args)]
#[group(id = "cold")]
pub(crate) struct Plan {
    #[command(flatten)]
    servers: Servers,
    /// Connections that stream large zips
    #[arg(long, default_value_t = 4)]
    streaming: usize,
    /// Connections that ask for small answers
    #[arg(long, default_value_t = 8)]
    asking: usize,
    /// Milliseconds between two questions of a connection
    #[arg(long, default_value_t = 2)]
    pause: u64,
    /// Rounds
    #[arg(long, default_value_t = 7)]
    rounds: usize,
}

/// All that is known after a run.
#[derive(serde::Serialize)]
pub(crate) struct Report {
    machine: Machine,
    servers: Vec<Column>,
}

/// One server's rounds.
#[derive(serde::Serialize)]
struct Column {
    server: String,
    from_disk: Vec<Pass>,
    from_memory: Vec<Pass>,
}

/// All large zips once, and the small answers meanwhile.
#[derive(serde::Serialize)]
struct Pass {
    /// Bytes of the zips.
    streamed: u64,
    /// Until the last zip was whole.
    seconds: f64,
    /// Bytes that the server read from disk.
    read: u64,
    /// Small answers.
    requests: u64,
    p50_us: f64,
    p99_us: f64,
    max_us: f64,
}

/// A server and what is asked of it.
struct Scene {
    server: Arc<Server>,
    small: Arc<[Prepared]>,
    large: Arc<[Prepared]>,
}

impl Plan {
    /// Runs everything.
    pub(crate) fn run(&self) -> Result<Report, Failure> {
        let machine = Machine::look();
        let servers = self.servers.resolve()?;
        let answers: Vec<Arc<Answer>> = read_tree(&self.servers.tree)?.into_iter().map(Arc::new).collect();
        let connector = Connector::new(Protocol::H2, &self.servers.roots)?;
        let (small, large) = (Kind::Info, Kind::LargeZip);
        let small = prepare(&connector, &servers, &answers, small)?;
        let large = prepare(&connector, &servers, &answers, large)?;
        let mut columns = Vec::new();
        for ((server, small), (_, large)) in small.into_iter().zip(large) {
            let column = Column { server: server.name.clone(), from_disk: Vec::new(), from_memory: Vec::new() };
            columns.push((Scene { server, small, large }, column));
        }
        for _ in 0..self.rounds.max(1) {
            for (scene, column) in &mut columns {
                for folder in &scene.server.stored {
                    page_cache::drop_below(folder)?;
                }
                column.from_disk.push(self.pass(&connector, scene)?);
                column.from_memory.push(self.pass(&connector, scene)?);
            }
        }
        Ok(Report { machine, servers: columns.into_iter().map(|(_, column)| column).collect() })
    }

    /// Connects, then streams on one thread and asks on another one until all is streamed.
    fn pass(&self, connector: &Connector, scene: &Scene) -> Result<Pass, Failure> {
        let asking = Builder::new_current_thread().enable_all().build()?;
        let streaming = Builder::new_current_thread().enable_all().build()?;
        let askers = asking.block_on(open(connector, &scene.server, self.asking))?;
        let streamers = streaming.block_on(open(connector, &scene.server, self.streaming))?;
        let over = Arc::new(AtomicBool::new(false));
        let read = read_from_disk(&scene.server.processes);
        let began = Instant::now();
        let (streamed, tally) = thread::scope(|scope| {
            let hot = scope.spawn(|| asking.block_on(ask_all(askers, scene, Duration::from_millis(self.pause), &over)));
            let taken = scope.spawn(|| {
                step_back();
                let streamed = streaming.block_on(stream_all(streamers, scene));
                over.store(true, Relaxed);
                streamed
            });
            (taken.join(), hot.join())
        });
        let ended = |_| scene.server.lost("a thread of the client ended");
        let (streamed, tally) = (streamed.map_err(ended)??, tally.map_err(ended)??);
        Ok(Pass {
            streamed,
            seconds: began.elapsed().as_secs_f64(),
            read: read_from_disk(&scene.server.processes).saturating_sub(read),
            requests: tally.requests(),
            p50_us: tally.microseconds(0.5),
            p99_us: tally.microseconds(0.99),
            max_us: tally.microseconds(1.0),
        })
    }
}

/// Gives this thread a lower priority; if it may not, it goes on as it is.
fn step_back() {
    #[cfg(target_os = "linux")]
    let _ = rustix::process::setpriority_process(Some(rustix::thread::gettid()), 10);
}

async fn open(connector: &Connector, server: &Server, count: usize) -> Result<Vec<Connection>, Failure> {
    let mut opened = Vec::new();
    for _ in 0..count {
        opened.push(connector.open(server).await?.0);
    }
    Ok(opened)
}

/// Shares all large zips out among the connections; returns their bytes.
async fn stream_all(connections: Vec<Connection>, scene: &Scene) -> Result<u64, Failure> {
    let (next, mut streams) = (Arc::new(AtomicUsize::new(0)), JoinSet::new());
    for mut connection in connections {
        let (next, server, zips) = (Arc::clone(&next), Arc::clone(&scene.server), Arc::clone(&scene.large));
        streams.spawn(async move {
            let mut bytes = 0;
            while let Some(zip) = zips.get(next.fetch_add(1, Relaxed)) {
                connection.ask(&server, zip).await?;
                bytes += zip.answer.length;
            }
            Ok::<_, Failure>(bytes)
        });
    }
    let mut bytes = 0;
    while let Some(streamed) = streams.join_next().await {
        bytes += streamed.map_err(|error| scene.server.lost(error))??;
    }
    Ok(bytes)
}

/// Asks for small answers on every connection until it is over.
async fn ask_all(
    connections: Vec<Connection>,
    scene: &Scene,
    pause: Duration,
    over: &Arc<AtomicBool>,
) -> Result<Tally, Failure> {
    let mut asking = JoinSet::new();
    for (number, mut connection) in connections.into_iter().enumerate() {
        let (server, small, over) = (Arc::clone(&scene.server), Arc::clone(&scene.small), Arc::clone(over));
        asking.spawn(async move {
            let mut tally = Tally::begin()?;
            for request in small.iter().cycle().skip(number) {
                if over.load(Relaxed) {
                    break;
                }
                let asked = Instant::now();
                connection.ask(&server, request).await?;
                tally.record(asked, Instant::now());
                sleep(pause).await;
            }
            Ok::<_, Failure>(tally)
        });
    }
    let mut tally = Tally::begin()?;
    while let Some(counted) = asking.join_next().await {
        tally.merge(&counted.map_err(|error| scene.server.lost(error))??);
    }
    Ok(tally)
}

impl Report {
    /// Two rows for each server.
    pub(crate) fn grid(&self) -> Grid {
        let rows = self.servers.iter().flat_map(|column| {
            [("from disk", &column.from_disk), ("from memory", &column.from_memory)]
                .map(|(title, passes)| row(title, &column.server, passes))
        });
        Grid {
            header: vec!["zips", "server", "MB/s", "read from disk", "p50", "p99", "longest", "longest of all rounds"],
            rows: rows.collect(),
            notes: vec![
                self.machine.place(),
                "small answers (.info) while large zips stream; medians of the rounds, and the longest of all".into(),
            ],
        }
    }
}

fn row(title: &str, server: &str, passes: &[Pass]) -> Vec<String> {
    let middle = |value: fn(&Pass) -> f64| median(passes.iter().map(value).collect());
    let longest = passes.iter().map(|pass| pass.max_us).fold(0.0, f64::max);
    vec![
        title.to_owned(),
        server.to_owned(),
        format!("{:.0}", middle(|pass| pass.streamed as f64 / pass.seconds / 1e6)),
        format!("{:.0} %", middle(|pass| pass.read as f64 / pass.streamed.max(1) as f64) * 100.0),
        time(middle(|pass| pass.p50_us)),
        time(middle(|pass| pass.p99_us)),
        time(middle(|pass| pass.max_us)),
        time(longest),
    ]
}
