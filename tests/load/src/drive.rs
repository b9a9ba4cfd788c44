//! The run: every shape, its rounds one server after the other, and all answers looked at first.

use crate::{
    answers::{Answer, Kind, read_tree},
    comparison::{Column, Comparison},
    connection::{Connector, Prepared, Protocol},
    failure::Failure,
    machine::Machine,
    report::{Report, title},
    round::{self, Pace},
    server::{Server, Servers},
};
use indicatif::{ProgressBar, ProgressStyle};
use std::{sync::Arc, time::Duration};
use tokio::runtime::Builder;

/// What is driven, and against whom.
#[derive(Debug, clap::Args)]
#[group(id = "drive")]
pub(crate) struct Plan {
    #[command(flatten)]
    servers: Servers,
    /// What to ask for
    #[arg(long, value_enum, value_delimiter = ',', default_value = "info,mod,list,latest,small-zip,large-zip")]
    kinds: Vec<Kind>,
    /// Over which protocols
    #[arg(long, value_enum, value_delimiter = ',', default_value = "h2,h1")]
    protocols: Vec<Protocol>,
    /// On how many connections
    #[arg(long, value_delimiter = ',', default_value = "1,16,64")]
    connections: Vec<usize>,
    /// Requests at a time on each HTTP/2 connection
    #[arg(long, default_value_t = 1)]
    streams: usize,
    /// Rounds of each shape
    #[arg(long, default_value_t = 7)]
    rounds: usize,
    /// Seconds that a round lasts
    #[arg(long, default_value_t = 2.0)]
    seconds: f64,
    /// Threads of this program
    #[arg(long, default_value_t = 2)]
    threads: usize,
}

/// One kind of requests, made ready for one server.
type Requests = Arc<[Prepared]>;

impl Plan {
    /// Runs everything.
    pub(crate) fn run(&self) -> Result<Report, Failure> {
        let machine = Machine::look();
        let servers = self.servers.resolve()?;
        let answers: Vec<Arc<Answer>> = read_tree(&self.servers.tree)?.into_iter().map(Arc::new).collect();
        let progress = self.progress(servers.len());
        let mut shapes = Vec::new();
        for &protocol in &self.protocols {
            let connector = Connector::new(protocol, &self.servers.roots)?;
            for &kind in &self.kinds {
                progress.set_message(format!("looking at all {} over {}", kind.name(), protocol.name()));
                let asked = prepare(&connector, &servers, &answers, kind)?;
                for &connections in &self.connections {
                    shapes.push(self.compare(kind, protocol, connections, &connector, &asked, &progress)?);
                }
            }
        }
        progress.finish_and_clear();
        Ok(Report { machine, shapes })
    }

    fn compare(
        &self,
        kind: Kind,
        protocol: Protocol,
        connections: usize,
        connector: &Connector,
        asked: &[(Arc<Server>, Requests)],
        progress: &ProgressBar,
    ) -> Result<Comparison, Failure> {
        let streams = if protocol == Protocol::H2 { self.streams.max(1) } else { 1 };
        let lasting = Duration::try_from_secs_f64(self.seconds)
            .map_err(|error| Failure::Arguments(format!("--seconds {}: {error}", self.seconds)))?;
        let pace = Pace { connections, streams, threads: self.threads, lasting };
        let columns = asked.iter().map(|(server, _)| Column { server: server.name.clone(), rounds: Vec::new() });
        let mut shape = Comparison { kind, protocol, connections, streams, servers: columns.collect() };
        progress.set_message(title(&shape));
        for _ in 0..self.rounds.max(1) {
            for ((server, requests), column) in asked.iter().zip(&mut shape.servers) {
                column.rounds.push(round::run(pace, connector, server, requests)?);
                progress.inc(1);
            }
        }
        Ok(shape)
    }

    /// Shown on a terminal only.
    fn progress(&self, servers: usize) -> ProgressBar {
        let shapes = self.protocols.len() * self.kinds.len() * self.connections.len();
        let bar = ProgressBar::new((shapes * self.rounds.max(1) * servers) as u64);
        let style = ProgressStyle::with_template("{bar:30} {pos}/{len} rounds, {eta} left: {msg}");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        bar
    }
}

/// Makes the requests of a kind ready for each server, and has each answered once: what is wrong shows here, and what can be
/// kept is kept afterwards.
pub(crate) fn prepare(
    connector: &Connector,
    servers: &[Arc<Server>],
    answers: &[Arc<Answer>],
    kind: Kind,
) -> Result<Vec<(Arc<Server>, Requests)>, Failure> {
    let chosen: Vec<_> = answers.iter().filter(|answer| answer.kind == kind).collect();
    if chosen.is_empty() {
        return Err(Failure::Arguments(format!("the tree has no {}", kind.name())));
    }
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let ready = servers.iter().map(|server| {
        let requests = chosen.iter().map(|answer| connector.prepare(server, answer)).collect::<Result<_, _>>()?;
        Ok((Arc::clone(server), runtime.block_on(verify(connector, server, requests))?))
    });
    ready.collect()
}

async fn verify(connector: &Connector, server: &Server, mut requests: Vec<Prepared>) -> Result<Requests, Failure> {
    let (mut connection, _) = connector.open(server).await?;
    for request in &mut requests {
        connection.verify(server, request).await?;
    }
    Ok(requests.into())
}
