//! One round: so many connections ask one server for answers of one kind, each as soon as it has the last one, for so many
//! seconds.
//!
//! The client's threads each have a runtime of their own and a share of the connections. They connect and ask once, wait for
//! each other, and only then is anything counted: handshakes are not part of a round. What a server still does
//! after the last answer (records, its index) is: the round's CPU is read when its processes have come to rest.
//! Connections stay open until then.

use crate::{
    connection::{Connection, Connector, Prepared},
    failure::Failure,
    processes::{self, Cpu, Reading},
    server::Server,
    tally::Tally,
};
use std::{
    sync::{
        Arc,
        mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    },
    thread,
    time::{Duration, Instant},
};
use tokio::{runtime::Builder, task::JoinSet};

/// How often resident memory is looked at.
const GLANCE: Duration = Duration::from_millis(100);

/// A server is at rest when it has used less than [`RESTING`] seconds in a [`BREATH`], and its index for [`LULL`]: it works in
/// batches, with pauses between them. Nobody waits longer than [`PATIENCE`].
const BREATH: Duration = Duration::from_millis(40);
const RESTING: f64 = 0.001;
const LULL: Duration = Duration::from_millis(1_500);
const PATIENCE: Duration = Duration::from_secs(30);

/// How a round is driven.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    /// Connections in all.
    pub(crate) connections: usize,
    /// Requests at a time on each of them; HTTP/1.1 has one.
    pub(crate) streams: usize,
    /// Threads of the client.
    pub(crate) threads: usize,
    /// How long new requests are made.
    pub(crate) lasting: Duration,
}

/// What came of a round.
#[derive(Clone, Debug, serde::Serialize)]
pub(crate) struct Round {
    /// Answers, all of them right.
    pub(crate) requests: u64,
    /// From the first request to the last answer.
    pub(crate) seconds: f64,
    /// Median time from request to the end of its answer, microseconds.
    pub(crate) p50_us: f64,
    /// The time that one request in a hundred exceeds, microseconds.
    pub(crate) p99_us: f64,
    /// CPU of the server.
    pub(crate) cpu: Cpu,
    /// CPU seconds of this program.
    pub(crate) client_cpu: f64,
    /// The part of the machine's CPU time that neither the server nor this program used.
    pub(crate) foreign: f64,
    /// The most memory that was resident, bytes.
    pub(crate) resident: u64,
    /// The cipher suite of the connections.
    pub(crate) suite: String,
}

/// What a thread tells.
enum Step {
    Ready(String),
    Done(Tally),
    Failed(Failure),
}

/// Runs one round against one server.
pub(crate) fn run(
    pace: Pace,
    connector: &Connector,
    server: &Arc<Server>,
    requests: &Arc<[Prepared]>,
) -> Result<Round, Failure> {
    let (steps, told) = channel();
    thread::scope(|scope| {
        let threads = pace.threads.clamp(1, pace.connections.max(1));
        // Dropping these, at whatever return, ends the threads.
        let mut starts = Vec::new();
        for number in 0..threads {
            let (start, begun) = channel();
            starts.push(start);
            let steps = steps.clone();
            let crew = Crew { number, threads, pace, connector, server, requests };
            scope.spawn(move || {
                if let Err(failure) = crew.work(&steps, &begun) {
                    let _ = steps.send(Step::Failed(failure));
                }
            });
        }
        measure(threads, pace, server, &told, starts)
    })
}

/// Starts the threads together once all are connected, and reads what the server used until it is at rest again.
fn measure(
    threads: usize,
    pace: Pace,
    server: &Server,
    told: &Receiver<Step>,
    starts: Vec<Sender<Instant>>,
) -> Result<Round, Failure> {
    let mut suite = String::new();
    for _ in 0..threads {
        match told.recv() {
            Ok(Step::Ready(agreed)) => suite = agreed,
            Ok(Step::Failed(failure)) => return Err(failure),
            Ok(Step::Done(_)) | Err(_) => return Err(server.lost("a thread of the client ended")),
        }
    }
    rest(server);
    let me = [std::process::id()];
    let (before, mine, machine) = (Reading::take(&server.processes), Reading::take(&me), processes::machine());
    let began = Instant::now();
    for start in &starts {
        let _ = start.send(began + pace.lasting);
    }
    let (tally, resident) = gather(threads, server, told)?;
    rest(server);
    let cpu = Reading::take(&server.processes).since(&before);
    let client_cpu = Reading::take(&me).since(&mine).serving;
    let whole = processes::machine().zip(machine).map_or(0.0, |(after, before)| after - before);
    let capacity = began.elapsed().as_secs_f64() * cores();
    Ok(Round {
        requests: tally.requests(),
        seconds: tally.ended.duration_since(began).as_secs_f64(),
        p50_us: tally.microseconds(0.50),
        p99_us: tally.microseconds(0.99),
        cpu,
        client_cpu,
        foreign: ((whole - cpu.serving - cpu.index - client_cpu) / capacity).max(0.0),
        resident,
        suite,
    })
}

/// Waits for what the threads counted, and looks at the server's memory meanwhile.
fn gather(threads: usize, server: &Server, told: &Receiver<Step>) -> Result<(Tally, u64), Failure> {
    let (mut tally, mut resident, mut done) = (Tally::begin()?, 0, 0);
    while done < threads {
        match told.recv_timeout(GLANCE) {
            Ok(Step::Done(counted)) => {
                tally.merge(&counted);
                done += 1;
            }
            Ok(Step::Failed(failure)) => return Err(failure),
            Err(RecvTimeoutError::Timeout) => {}
            Ok(Step::Ready(_)) | Err(RecvTimeoutError::Disconnected) => {
                return Err(server.lost("a thread of the client ended"));
            }
        }
        resident = resident.max(processes::resident(&server.processes));
    }
    if processes::alive(&server.processes) {
        return Ok((tally, resident));
    }
    Err(server.lost("one of its processes has ended"))
}

/// Waits until the server's processes do nothing.
fn rest(server: &Server) {
    let began = Instant::now();
    let mut indexed = began;
    let mut before = Reading::take(&server.processes);
    while began.elapsed() < PATIENCE {
        thread::park_timeout(BREATH);
        let now = Reading::take(&server.processes);
        let used = now.since(&before);
        if used.index > 0.0 {
            indexed = Instant::now();
        }
        if used.serving < RESTING && (!now.has_index() || indexed.elapsed() > LULL) {
            return;
        }
        before = now;
    }
}

/// Cores that this program may use.
pub(crate) fn cores() -> f64 {
    thread::available_parallelism().map_or(1, usize::from) as f64
}

/// One thread's part of a round.
struct Crew<'round> {
    number: usize,
    threads: usize,
    pace: Pace,
    connector: &'round Connector,
    server: &'round Arc<Server>,
    requests: &'round Arc<[Prepared]>,
}

impl Crew<'_> {
    /// Connects, waits for the start, drives, tells, and holds the connections until the round is over.
    fn work(&self, steps: &Sender<Step>, begun: &Receiver<Instant>) -> Result<(), Failure> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let (streams, suite) = runtime.block_on(self.connect())?;
        let _ = steps.send(Step::Ready(suite));
        let Ok(until) = begun.recv() else { return Ok(()) };
        let tally = runtime.block_on(self.drive(streams, until))?;
        let _ = steps.send(Step::Done(tally));
        // Nobody sends; this ends when the round does.
        let _ = begun.recv();
        Ok(())
    }

    /// Opens this thread's connections, asks each once, and multiplies them to streams.
    async fn connect(&self) -> Result<(Vec<(usize, Connection)>, String), Failure> {
        let (mut streams, mut suite) = (Vec::new(), String::new());
        for connection in (self.number..self.pace.connections).step_by(self.threads) {
            let (mut opened, agreed) = self.connector.open(self.server).await?;
            if let Some(request) = self.requests.get(connection % self.requests.len().max(1)) {
                opened.ask(self.server, request).await?;
            }
            suite = agreed;
            let first = connection * self.pace.streams;
            for stream in 1..self.pace.streams {
                streams.extend(opened.stream().map(|another| (first + stream, another)));
            }
            streams.push((first, opened));
        }
        Ok((streams, suite))
    }

    async fn drive(&self, streams: Vec<(usize, Connection)>, until: Instant) -> Result<Tally, Failure> {
        let mut asking = JoinSet::new();
        for (number, connection) in streams {
            asking.spawn(ask_until(until, connection, number, Arc::clone(self.server), Arc::clone(self.requests)));
        }
        let mut tally = Tally::begin()?;
        while let Some(counted) = asking.join_next().await {
            tally.merge(&counted.map_err(|error| self.server.lost(error))??);
        }
        Ok(tally)
    }
}

/// Asks for one answer after the other, in an order of the stream's own, until the time is over.
async fn ask_until(
    until: Instant,
    mut connection: Connection,
    number: usize,
    server: Arc<Server>,
    requests: Arc<[Prepared]>,
) -> Result<Tally, Failure> {
    let mut tally = Tally::begin()?;
    let first = number * 7 % requests.len().max(1);
    let mut asked = Instant::now();
    for request in requests.iter().cycle().skip(first) {
        connection.ask(&server, request).await?;
        let now = Instant::now();
        tally.record(asked, now);
        asked = now;
        if now >= until {
            break;
        }
    }
    Ok(tally)
}
